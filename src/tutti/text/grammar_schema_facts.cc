// What the keywords of a conjunction say together.
#include <algorithm>
#include <array>
#include <set>

#include "tutti/base/json.h"
#include "tutti/base/printable.h"
#include "tutti/text/grammar_schema.h"

namespace tutti::text {
namespace {

namespace json = boost::json;

constexpr size_t kChainMax = 256;  // references that lead to references

// Keywords that assert something and are refused, with the types of values for which they matter.
struct Unenforced {
  std::string_view key;
  uint8_t types;
};
constexpr uint8_t kAny = 127;
constexpr uint8_t kOfStrings = 16;
constexpr uint8_t kOfArrays = 32;
constexpr uint8_t kOfObjects = 64;
constexpr Unenforced kUnenforced[] = {
    {"not", kAny},
    {"if", kAny},
    {"$dynamicRef", kAny},
    {"$recursiveRef", kAny},
    {"extends", kAny},
    {"disallow", kAny},
    {"contentEncoding", kOfStrings},  // draft 7 lets validators look at them
    {"contentMediaType", kOfStrings},
    {"contains", kOfArrays},
    {"unevaluatedItems", kOfArrays},
    {"propertyNames", kOfObjects},
    {"unevaluatedProperties", kOfObjects},
    {"dependentRequired", kOfObjects},
    {"dependentSchemas", kOfObjects},
    {"dependencies", kOfObjects},
};

bool IsOneOf(std::string_view key, std::initializer_list<std::string_view> keys) {
  return std::find(keys.begin(), keys.end(), key) != keys.end();
}

}  // namespace

std::string SchemaCompiler::PathOf(const Value& where) const {
  std::vector<std::pair<const Value*, std::string>> open = {{&document_, "#"}};
  while (!open.empty()) {
    const auto next = std::move(open.back());
    open.pop_back();
    if (next.first == &where) return next.second;
    if (const auto* array = next.first->if_array()) {
      for (size_t i = 0; i < array->size(); ++i) {
        open.emplace_back(&(*array)[i], fmt::format("{}/{}", next.second, i));
      }
    } else if (const auto* object = next.first->if_object()) {
      for (const auto& entry : *object) {
        open.emplace_back(&entry.value(), fmt::format("{}/{}", next.second, View(entry.key())));
      }
    }
  }
  return "#";
}

Status SchemaCompiler::Wrong(const Value& where, std::string_view what) const {
  return UsageError("the schema is wrong at {}: {}", Printable(PathOf(where)), what);
}

Status SchemaCompiler::Refused(const Value& where, std::string_view what) const {
  return Unsupported("the schema uses {} at {}, which cannot be enforced", what,
                     Printable(PathOf(where)));
}

Result<const SchemaCompiler::Value*> SchemaCompiler::Resolve(const Value& reference) {
  if (!reference.is_string()) return Wrong(reference, "$ref must be a string");
  const std::string_view text = View(reference.get_string());
  if (!text.starts_with('#') || (text.size() > 1 && text[1] != '/')) {
    return Refused(reference, "a $ref that does not begin with #/");
  }
  const Value* at = &document_;
  size_t begin = 1;
  while (begin < text.size()) {
    const size_t end = std::min(text.find('/', begin + 1), text.size());
    std::string key;
    for (size_t i = begin + 1; i < end; ++i) {
      const auto escape = text.substr(i, 2);
      if (escape == "~0" || escape == "~1") {
        key += escape == "~0" ? '~' : '/';
        ++i;
      } else if (text[i] == '%') {
        return Refused(reference, "a $ref with percent signs");
      } else {
        key += text[i];
      }
    }
    const Value* next = nullptr;
    if (const auto* object = at->if_object()) {
      const Value* id = object->if_contains("$id");
      if (at != &document_ && id != nullptr && id->is_string()) {
        return Refused(reference, "a $ref through a part with an $id of its own");
      }
      next = object->if_contains(key);
    } else if (const auto* array = at->if_array()) {
      size_t index = 0;
      for (const char c : key)
        index = c >= '0' && c <= '9' ? index * 10 + size_t(c - '0') : SIZE_MAX / 16;
      if (!key.empty() && index < array->size()) next = &(*array)[index];
    }
    if (next == nullptr) return Wrong(reference, "its $ref leads nowhere");
    at = next;
    begin = end;
  }
  return at;
}

Result<SchemaCompiler::Facts> SchemaCompiler::FactsOf(const Conjunction& conjunction) {
  Facts facts;
  std::vector<const Value*> path;
  for (const Member& member : conjunction) {
    TUTTI_RETURN_IF_ERROR(AddMember(facts, member, path));
  }
  if (facts.types == 0) facts.never = true;
  return facts;
}

Status SchemaCompiler::AddMember(Facts& facts, Member member, std::vector<const Value*>& path) {
  const Value& schema = *member.schema;
  if (schema.is_bool()) {
    if (!schema.get_bool()) facts.never = true;
    return {};
  }
  const Object* object = schema.if_object();
  if (object == nullptr) return Wrong(schema, "a schema is an object, true or false");
  if (std::find(path.begin(), path.end(), &schema) != path.end()) {
    return Wrong(schema, "it refers to itself before any value");
  }
  if (path.size() >= kChainMax) return Wrong(schema, "too many references in a row");
  for (Member& known : facts.members) {
    if (known.schema != member.schema) continue;
    known.any_done |= member.any_done;
    known.one_done |= member.one_done;
    return {};
  }
  TUTTI_RETURN_IF_ERROR(Step(1 + static_cast<int64_t>(object->size())));
  const Value* id = object->if_contains("$id");
  if (&schema != &document_ && id != nullptr && id->is_string()) {
    return Refused(schema, "an $id inside of the schema");
  }
  facts.members.push_back(member);
  facts.objects.push_back(object);
  path.push_back(&schema);
  for (const auto& entry : *object) {
    const std::string_view key = View(entry.key());
    TUTTI_RETURN_IF_ERROR(CheckShape(key, entry.value()));
    if (key == "$ref") {
      TUTTI_ASSIGN_OR_RETURN(const Value* target, Resolve(entry.value()));
      TUTTI_RETURN_IF_ERROR(AddMember(facts, {.schema = target}, path));
    } else if (key == "allOf") {
      for (const Value& part : entry.value().as_array()) {
        TUTTI_RETURN_IF_ERROR(AddMember(facts, {.schema = &part}, path));
      }
    } else {
      TUTTI_RETURN_IF_ERROR(AddKeyword(facts, key, entry.value(), schema));
    }
  }
  path.pop_back();
  return {};
}

Result<bool> SchemaCompiler::LeadsTo(const Value& from, const Value& to) {
  std::set<const Value*> met;
  std::vector<const Value*> open = {&from};
  while (!open.empty()) {
    const Value* at = open.back();
    open.pop_back();
    if (at == &to) return true;
    const Object* object = at->if_object();
    if (object == nullptr || !met.insert(at).second) continue;
    TUTTI_RETURN_IF_ERROR(Step(1));
    if (const Value* reference = object->if_contains("$ref"); reference != nullptr) {
      TUTTI_ASSIGN_OR_RETURN(const Value* target, Resolve(*reference));
      open.push_back(target);
    }
    for (const char* key : {"allOf", "anyOf", "oneOf"}) {
      const Value* list = object->if_contains(key);
      if (list == nullptr || !list->is_array()) continue;
      for (const Value& part : list->get_array()) open.push_back(&part);
    }
  }
  return false;
}

// What later code takes for granted.
Status SchemaCompiler::CheckShape(std::string_view key, const Value& value) {
  if (IsOneOf(key, {"allOf", "anyOf", "oneOf"})) {
    if (!value.is_array() || value.get_array().empty()) {
      return Wrong(value, fmt::format("{} must be a list of schemas", key));
    }
  } else if (IsOneOf(key, {"properties", "patternProperties"})) {
    if (!value.is_object()) return Wrong(value, fmt::format("{} must be an object", key));
  } else if (IsOneOf(key, {"prefixItems"})) {
    if (!value.is_array()) return Wrong(value, "prefixItems must be a list of schemas");
  } else if (IsOneOf(key, {"pattern", "format"})) {
    if (!value.is_string()) return Wrong(value, fmt::format("{} must be a string", key));
  } else if (key == "required") {
    const auto* names = value.if_array();
    const bool strings =
        names != nullptr &&
        std::all_of(names->begin(), names->end(), [](auto& name) { return name.is_string(); });
    if (!strings) return Wrong(value, "required must be a list of names");
  }
  return {};
}

Status SchemaCompiler::AddKeyword(Facts& facts, std::string_view key, const Value& value,
                                  const Value& schema) {
  for (const Unenforced& unenforced : kUnenforced) {
    if (key != unenforced.key) continue;
    facts.refusals.push_back({unenforced.types, std::string(key), &schema});
    facts.narrowed = true;
    return {};
  }
  if (key == "type") return AddType(facts, schema.get_object(), value);
  if (IsOneOf(key, {"enum", "const"})) return AddValues(facts, key, value);
  const bool is_number =
      IsOneOf(key, {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"});
  const bool is_count = IsOneOf(
      key, {"minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"});
  if (is_number || is_count) {
    facts.narrowed = true;
    return is_number ? AddNumber(facts, key, value) : AddCount(facts, key, value);
  }
  if (key == "pattern") {
    facts.narrowed = true;
    facts.patterns.emplace_back(View(value.get_string()));
  } else if (key == "format") {
    facts.narrowed = true;
    const std::string_view format = View(value.get_string());
    if (const char* pattern = PatternOfFormat(format); pattern != nullptr) {
      facts.patterns.emplace_back(pattern);
    } else {
      facts.refusals.push_back(
          {kString, fmt::format("the format \"{}\"", Printable(format)), &schema});
    }
  } else if (key == "uniqueItems") {
    if (!value.is_bool()) return Wrong(value, "uniqueItems must be true or false");
    facts.unique_items |= value.get_bool();
    facts.narrowed |= value.get_bool();
  } else if (IsOneOf(key, {"properties", "patternProperties", "required", "additionalProperties",
                           "items", "prefixItems", "additionalItems"})) {
    facts.narrowed = true;
  }
  return {};
}

Status SchemaCompiler::AddType(Facts& facts, const Object& object, const Value& value) {
  constexpr std::pair<std::string_view, uint8_t> kNames[] = {{"null", kNull},
                                                             {"boolean", kBoolean},
                                                             {"integer", kInteger},
                                                             {"string", kString},
                                                             {"array", kArray},
                                                             {"object", kObject},
                                                             {"number", kInteger | kFraction}};
  uint8_t types = 0;
  const auto add = [&](const Value& name) {
    for (const auto& known : kNames) {
      if (!name.is_string() || View(name.get_string()) != known.first) continue;
      types = static_cast<uint8_t>(types | known.second);
      return true;
    }
    return false;
  };
  bool known = true;
  if (const auto* names = value.if_array()) {
    for (const Value& name : *names) known = known && add(name);
  } else {
    known = add(value);
  }
  if (!known) return Wrong(value, "an unknown type");
  const Value* nullable = object.if_contains("nullable");
  if (nullable != nullptr && nullable->is_bool() && nullable->get_bool()) types |= kNull;
  facts.types &= types;
  return {};
}

Status SchemaCompiler::AddValues(Facts& facts, std::string_view key, const Value& value) {
  std::vector<const Value*> values;
  if (key == "const") {
    values = {&value};
  } else {
    const auto* list = value.if_array();
    if (list == nullptr) return Wrong(value, "enum must be a list");
    for (const Value& one : *list) values.push_back(&one);
  }
  TUTTI_RETURN_IF_ERROR(Step(std::ssize(values)));
  if (facts.values) {
    TUTTI_RETURN_IF_ERROR(Step(std::ssize(values) * std::ssize(*facts.values)));
    std::erase_if(values, [&](const Value* one) {
      return std::none_of(facts.values->begin(), facts.values->end(),
                          [&](const Value* other) { return *other == *one; });
    });
  }
  facts.values = std::move(values);
  return {};
}

Status SchemaCompiler::AddNumber(Facts& facts, std::string_view key, const Value& value) {
  if (!value.is_number()) return Wrong(value, fmt::format("{} must be a number", key));
  const Decimal number = DecimalOf(value);
  if (key == "multipleOf") {
    const bool is_one = number.digits == 1 && number.scale == 0;
    // Every integer is a multiple of 1; other multiples would have to be counted.
    const auto types = static_cast<uint8_t>(is_one ? kFraction : kInteger | kFraction);
    facts.refusals.push_back({types, "multipleOf", &value});
    return {};
  }
  facts.bounds.push_back({.value = number,
                          .lower = key == "minimum" || key == "exclusiveMinimum",
                          .exclusive = key.starts_with("exclusive")});
  return {};
}

Status SchemaCompiler::AddCount(Facts& facts, std::string_view key, const Value& value) {
  const Decimal number = value.is_number() ? DecimalOf(value) : Decimal{-1, 0};
  if (number.digits < 0 || number.scale > 0) {
    return Wrong(value, fmt::format("{} must be a whole number, not negative", key));
  }
  // In units of 1; far beyond what can be unrolled it does not matter how far.
  const int64_t count = InUnits({.value = number, .lower = true}, 0);
  const auto raise = [&](int64_t& least) { least = std::max(least, count); };
  const auto lower = [&](int64_t& most) { most = most < 0 ? count : std::min(most, count); };
  if (key == "minLength") raise(facts.min_length);
  if (key == "maxLength") lower(facts.max_length);
  if (key == "minItems") raise(facts.min_items);
  if (key == "maxItems") lower(facts.max_items);
  if (key == "minProperties") raise(facts.min_properties);
  if (key == "maxProperties") lower(facts.max_properties);
  return {};
}

}  // namespace tutti::text
