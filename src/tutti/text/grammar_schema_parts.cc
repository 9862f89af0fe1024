// Arrays and objects. Named properties are written in the order in which the schema names them.
#include <algorithm>
#include <map>

#include "tutti/base/json.h"
#include "tutti/text/grammar_schema.h"

namespace tutti::text {
namespace {

// Longer arrays are never written; a schema that allows them is obeyed all the same.
constexpr int64_t kItemsMax = 2'000;
constexpr size_t kPrefixMax = 250;
constexpr size_t kPropertiesMax = 10'000;

// Names by their characters, for telling all others from them.
struct NameNode {
  std::map<uint32_t, size_t> next;
  bool is_name = false;
};

std::vector<uint32_t> CharactersOf(std::string_view text) {
  std::vector<uint32_t> out;
  for (size_t i = 0; i < text.size();) {
    const auto byte = static_cast<uint8_t>(text[i++]);
    const int more = byte < 0xC0 ? 0 : byte < 0xE0 ? 1 : byte < 0xF0 ? 2 : 3;
    uint32_t c = more == 0 ? byte : byte & (0x3Fu >> more);
    for (int k = 0; k < more && i < text.size(); ++k) {
      c = (c << 6) | (static_cast<uint8_t>(text[i++]) & 0x3F);
    }
    out.push_back(c);
  }
  return out;
}

}  // namespace

// What holds for the item at an index; `prefix` becomes the number of items with schemas of their
// own.
SchemaCompiler::Conjunction SchemaCompiler::ItemOf(const Facts& facts, size_t index,
                                                   size_t& prefix) const {
  Conjunction item;
  prefix = 0;
  for (const Object* object : facts.objects) {
    const Value* first = object->if_contains("prefixItems");
    const Value* rest = object->if_contains("items");
    if (rest != nullptr && rest->is_array() && first == nullptr) {  // before draft 2020-12
      first = rest;
      rest = object->if_contains("additionalItems");
    }
    const size_t count = first == nullptr ? 0 : first->get_array().size();
    prefix = std::max(prefix, count);
    if (index < count) {
      item.push_back({.schema = &first->get_array()[index]});
    } else if (rest != nullptr) {
      item.push_back({.schema = rest});
    }
  }
  return item;
}

Result<SchemaCompiler::Expr> SchemaCompiler::WriteArray(const Facts& facts) {
  const int64_t min = facts.min_items;
  int64_t max = facts.max_items;
  if (max >= 0 && max < min) return rules_.Nothing();
  if (facts.unique_items && (max < 0 || max > 1)) {
    // Of one item no other is a copy; a longer list would have to remember all.
    return Refused(*facts.members.front().schema, "uniqueItems");
  }
  if (max > std::max(min, kItemsMax)) max = std::max(min, kItemsMax);
  size_t prefix = 0;
  const Conjunction rest = ItemOf(facts, SIZE_MAX, prefix);
  if (prefix > kPrefixMax) {
    return Refused(*facts.members.front().schema,
                   fmt::format("more than {} items with schemas of their own", kPrefixMax));
  }
  const auto item = [&](const Conjunction& schema, bool is_first) {
    const Expr one = rules_.Sequence({RuleOf(schema), json_.Space()});
    return is_first ? one : rules_.Sequence({rules_.Literal(","), json_.Space(), one});
  };
  // From the last item with a schema of its own to the first.
  const auto own = static_cast<int64_t>(prefix);
  Expr tail = rules_.Empty();
  if (max < 0 || max > own) {
    const bool from_start = own == 0;
    const int64_t least = std::max<int64_t>(min - own, 0);
    const int64_t most = max < 0 ? -1 : max - own;
    const Expr more = item(rest, false);
    if (from_start) {
      const Expr all =
          rules_.Sequence({item(rest, true), rules_.Repeat(more, std::max<int64_t>(least - 1, 0),
                                                           most < 0 ? -1 : most - 1)});
      tail = least == 0 ? rules_.Optional(all) : all;
    } else {
      tail = rules_.Repeat(more, least, most);
    }
  }
  for (int64_t i = own - 1; i >= 0; --i) {
    if (max >= 0 && i >= max) continue;
    size_t unused = 0;
    const Conjunction schema = ItemOf(facts, static_cast<size_t>(i), unused);
    const Expr from_here = rules_.Sequence({item(schema, i == 0), tail});
    tail = i >= min ? rules_.Optional(from_here) : from_here;
  }
  return rules_.Sequence({rules_.Literal("["), json_.Space(), tail, rules_.Literal("]")});
}

SchemaCompiler::Properties SchemaCompiler::PropertiesOf(const Facts& facts) const {
  Properties out;
  std::map<std::string_view, size_t> indices;
  const auto add = [&](std::string_view name, bool required) {
    const auto it = indices.find(name);
    if (it != indices.end()) {
      out.named[it->second].required |= required;
      return;
    }
    indices.emplace(name, out.named.size());
    out.named.push_back({.key = std::string(name), .schema = {}, .required = required});
  };
  bool others = false;
  for (const Object* object : facts.objects) {
    if (const Value* named = object->if_contains("properties")) {
      for (const auto& entry : named->get_object()) add(View(entry.key()), false);
    }
    if (const Value* required = object->if_contains("required")) {
      for (const Value& name : required->get_array()) add(View(name.get_string()), true);
    }
    const Value* more = object->if_contains("additionalProperties");
    others |= more != nullptr && !(more->is_bool() && !more->get_bool());
    if (more != nullptr) out.others.push_back({.schema = more});
  }
  for (Property& property : out.named) {
    for (const Object* object : facts.objects) {
      const Value* named = object->if_contains("properties");
      const Value* own = named == nullptr ? nullptr : named->get_object().if_contains(property.key);
      if (own == nullptr) own = object->if_contains("additionalProperties");
      if (own != nullptr) property.schema.push_back({.schema = own});
    }
  }
  // A schema that names properties and is silent about others gets none.
  out.has_others = others || (out.named.empty() && out.others.empty());
  return out;
}

SchemaCompiler::Expr SchemaCompiler::OtherName(const std::vector<Property>& named) {
  if (named.empty()) return json_.String();
  std::vector<NameNode> nodes(1);
  for (const Property& property : named) {
    size_t at = 0;
    for (const uint32_t c : CharactersOf(property.key)) {
      const auto it = nodes[at].next.find(c);
      if (it != nodes[at].next.end()) {
        at = it->second;
        continue;
      }
      nodes[at].next[c] = nodes.size();
      at = nodes.size();
      nodes.emplace_back();
    }
    nodes[at].is_name = true;
  }
  // Each character is written in one way only, so a name cannot hide behind an escape.
  const std::span<const CodePoints> any = AnyCharacter();
  const Expr quote = rules_.Literal("\"");
  const Expr rest = rules_.Sequence({rules_.Repeat(WriteClass(any), 0, -1), quote});
  std::vector<GrammarRules::Rule> rules;
  for (size_t i = 0; i < nodes.size(); ++i) rules.push_back(rules_.NewRule("another name"));
  for (size_t i = 0; i < nodes.size(); ++i) {
    std::vector<Expr> parts;
    std::vector<CodePoints> taken;
    for (const auto& [c, next] : nodes[i].next) {
      const CodePoints only[] = {{c, c}};
      taken.push_back(only[0]);
      parts.push_back(rules_.Sequence({WriteClass(only), rules_.Call(rules[next])}));
    }
    parts.push_back(rules_.Sequence({WriteClass(Normalized(std::move(taken), true)), rest}));
    if (!nodes[i].is_name) parts.push_back(quote);
    rules_.Define(rules[i], rules_.Choice(std::move(parts)));
  }
  return rules_.Sequence({quote, rules_.Call(rules[0])});
}

// A further property: with any name that is not taken or, where the schema says a pattern, with one
// that matches it.
Result<SchemaCompiler::Expr> SchemaCompiler::WriteOtherMember(const Properties& properties) {
  Expr name = -1;
  if (properties.pattern) {
    auto tree = RegexTree::Parse(*properties.pattern);
    if (!tree.ok()) return tree.status().WithContext("patternProperties");
    const auto write = [&](std::span<const CodePoints> set) { return WriteClass(set); };
    TUTTI_ASSIGN_OR_RETURN(const Expr body, tree->Write(rules_, write, true));
    name = rules_.Sequence({rules_.Literal("\""), body, rules_.Literal("\"")});
  } else {
    name = OtherName(properties.named);
  }
  return rules_.Sequence({name, json_.Space(), rules_.Literal(":"), json_.Space(),
                          RuleOf(properties.others), json_.Space()});
}

Status SchemaCompiler::AddPatterns(const Facts& facts, Properties& properties) const {
  const auto speaking =
      std::count_if(facts.objects.begin(), facts.objects.end(), [](const Object* object) {
        return object->contains("additionalProperties") || object->contains("patternProperties");
      });
  for (const Object* object : facts.objects) {
    const Value* patterns = object->if_contains("patternProperties");
    if (patterns == nullptr || patterns->get_object().empty()) continue;
    // Names that match get its schema alone: no other name may be written, and none is given.
    const bool is_only = patterns->get_object().size() == 1 && properties.named.empty() &&
                         !properties.pattern && speaking == 1 &&
                         !(properties.has_others && object->contains("additionalProperties"));
    if (!is_only) {
      return Refused(*patterns, "patternProperties beside other properties");
    }
    const auto& entry = *patterns->get_object().begin();
    properties.pattern = std::string(View(entry.key()));
    properties.others = {{.schema = &entry.value()}};
    properties.has_others = true;
  }
  return {};
}

Result<SchemaCompiler::Expr> SchemaCompiler::WriteObject(const Facts& facts) {
  Properties properties = PropertiesOf(facts);
  TUTTI_RETURN_IF_ERROR(AddPatterns(facts, properties));
  const std::vector<Property>& named = properties.named;
  const int64_t max = facts.max_properties;
  if (max >= 0 && max < facts.min_properties) return rules_.Nothing();
  const auto required = std::count_if(named.begin(), named.end(),
                                      [](const Property& property) { return property.required; });
  const int64_t min = facts.min_properties > required ? facts.min_properties : 0;
  if (min > std::max<int64_t>(std::ssize(named), 1)) {
    return Refused(*facts.members.front().schema, "minProperties beyond the named properties");
  }
  if (named.size() > kPropertiesMax) {
    return Refused(*facts.members.front().schema, "so many properties");
  }
  // Members written so far count up to where it makes no difference any more.
  const int64_t top = std::max<int64_t>({1, min, max});
  const auto counts = static_cast<size_t>(std::min<int64_t>(top, std::ssize(named) + 1)) + 1;
  TUTTI_RETURN_IF_ERROR(Step(std::ssize(named) * static_cast<int64_t>(counts)));
  const auto comma = [&](size_t count) {
    return count == 0 ? rules_.Empty() : rules_.Sequence({rules_.Literal(","), json_.Space()});
  };
  // After the last named property: `tails[n]` follows n members.
  std::vector<Expr> tails;
  Expr other = -1;
  if (properties.has_others) {
    TUTTI_ASSIGN_OR_RETURN(other, WriteOtherMember(properties));
    const GrammarRules::Rule rule = rules_.NewRule("another property");
    rules_.Define(rule, other);
    other = rules_.Call(rule);
  }
  for (size_t n = 0; n < counts; ++n) {
    const auto count = static_cast<int64_t>(n);
    std::vector<Expr> parts;
    if (count >= min) parts.push_back(rules_.Empty());
    // Further members may have the same name: only the first is sure to be one more.
    if (other >= 0 && count + 1 >= min && (max < 0 || count < max)) {
      const int64_t room = max < 0 ? -1 : max - count - 1;
      parts.push_back(rules_.Sequence(
          {comma(n), other, rules_.Repeat(rules_.Sequence({comma(1), other}), 0, room)}));
    }
    tails.push_back(rules_.Choice(std::move(parts)));
  }
  for (size_t i = named.size(); i-- > 0;) {
    const Expr member = rules_.Sequence(
        {rules_.Literal("\"" + JsonRules::Escaped(named[i].key) + "\""), json_.Space(),
         rules_.Literal(":"), json_.Space(), RuleOf(named[i].schema), json_.Space()});
    const GrammarRules::Rule rule = rules_.NewRule("a property");
    rules_.Define(rule, member);
    std::vector<Expr> before;
    for (size_t n = 0; n < counts; ++n) {
      std::vector<Expr> parts;
      const size_t next = std::min(n + 1, counts - 1);
      if (max < 0 || static_cast<int64_t>(n) < max) {
        parts.push_back(rules_.Sequence({comma(n), rules_.Call(rule), tails[next]}));
      }
      if (!named[i].required) parts.push_back(tails[n]);
      const GrammarRules::Rule state = rules_.NewRule("the rest of an object");
      rules_.Define(state, rules_.Choice(std::move(parts)));
      before.push_back(rules_.Call(state));
    }
    tails = std::move(before);
  }
  return rules_.Sequence({rules_.Literal("{"), json_.Space(), tails[0], rules_.Literal("}")});
}

}  // namespace tutti::text
