// Strings: lengths, patterns and formats. A pattern's characters are written as JSON writes them.
#include <algorithm>

#include "tutti/base/json.h"
#include "tutti/text/grammar_schema.h"

namespace tutti::text {
namespace {

// Longer strings are never written; a schema that allows them is obeyed all the same.
constexpr int64_t kLengthMax = 20'000;

struct Format {
  std::string_view name;
  const char* pattern;
};
// Each matches only what RFC 3339, 4122, 1123, 5321, 4291 and 3986 allow, but not all of it.
#define TUTTI_DATE                                                                            \
  "([0-9]{4}-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|"   \
  "02-(0[1-9]|1[0-9]|2[0-8]))|([0-9]{2}(0[48]|[2468][048]|[13579][26])|([02468][048]|[13579]" \
  "[26])00)-02-29)"
#define TUTTI_TIME \
  "([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,9})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])"
#define TUTTI_LABEL "[a-z0-9]{1,20}(-[a-z0-9]{1,12}){0,3}"
#define TUTTI_BYTE "(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
#define TUTTI_PATH "(/[A-Za-z0-9_.~-]{0,200}){0,20}"
constexpr Format kFormats[] = {
    {"date", "^" TUTTI_DATE "$"},
    {"time", "^" TUTTI_TIME "$"},
    {"date-time", "^" TUTTI_DATE "T" TUTTI_TIME "$"},
    {"duration",
     "^P([0-9]{1,9}W|[0-9]{1,9}D(T[0-9]{1,9}[HMS])?|T([0-9]{1,9}H([0-9]{1,9}M([0-9]{1,9}S)?)?|"
     "[0-9]{1,9}M([0-9]{1,9}S)?|[0-9]{1,9}S)|[0-9]{1,9}Y([0-9]{1,9}M([0-9]{1,9}D)?)?|[0-9]{1,9}M("
     "[0-9]{1,9}D)?)$"},
    {"uuid", "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"},
    {"ipv4", "^(" TUTTI_BYTE "\\.){3}" TUTTI_BYTE "$"},
    {"ipv6", "^([0-9a-f]{1,4}:){7}[0-9a-f]{1,4}$|^::$|^::[0-9a-f]{1,4}$"},
    {"hostname", "^(" TUTTI_LABEL "\\.){0,3}[a-z]{1,20}$"},
    {"email",
     "^[A-Za-z0-9_]{1,20}([.+-][A-Za-z0-9_]{1,10}){0,3}@(" TUTTI_LABEL "\\.){1,3}[a-z]{2,10}$"},
    {"uri", "^https?://(" TUTTI_LABEL "\\.){0,3}[a-z]{1,30}(:[1-9][0-9]{0,3})?" TUTTI_PATH
            "(\\?[A-Za-z0-9_.~=&-]{0,500})?(#[A-Za-z0-9_.~-]{0,100})?$"},
};
#undef TUTTI_DATE
#undef TUTTI_TIME
#undef TUTTI_LABEL
#undef TUTTI_BYTE
#undef TUTTI_PATH

}  // namespace

const char* SchemaCompiler::PatternOfFormat(std::string_view format) {
  for (const Format& known : kFormats) {
    if (known.name == format) return known.pattern;
  }
  return nullptr;
}

SchemaCompiler::Expr SchemaCompiler::WriteClass(std::span<const CodePoints> set) {
  const std::vector<CodePoints> plain = Normalized({{0, 0x1F}, {'"', '"'}, {'\\', '\\'}}, true);
  std::vector<Expr> parts = {rules_.Characters(Intersection(set, plain))};
  const auto contains = [&](uint32_t c) {
    return std::any_of(set.begin(), set.end(),
                       [&](const CodePoints& r) { return r.first <= c && c <= r.last; });
  };
  for (uint32_t c = 0; c <= '\\'; ++c) {
    const bool is_escaped = c < 0x20 || c == '"' || c == '\\';
    if (!is_escaped || !contains(c)) continue;
    const auto byte = static_cast<char>(c);
    parts.push_back(rules_.Literal(JsonRules::Escaped({&byte, 1})));
  }
  return rules_.Choice(std::move(parts));
}

Result<SchemaCompiler::Expr> SchemaCompiler::WriteString(const Facts& facts) {
  const int64_t min = facts.min_length;
  if (facts.max_length >= 0 && facts.max_length < min) return rules_.Nothing();
  int64_t max = facts.max_length;
  if (max > std::max(min, kLengthMax)) max = std::max(min, kLengthMax);
  const Expr quote = rules_.Literal("\"");
  if (facts.patterns.empty()) {
    if (min == 0 && max < 0) return json_.String();
    const auto it = lengths_.find({min, max});
    if (it != lengths_.end()) return rules_.Call(it->second);
    const GrammarRules::Rule rule = rules_.NewRule("a string of some length");
    lengths_[{min, max}] = rule;
    rules_.Define(rule,
                  rules_.Sequence({quote, rules_.Repeat(json_.Character(), min, max), quote}));
    return rules_.Call(rule);
  }
  const Value& schema = *facts.members.front().schema;
  const auto& patterns = facts.patterns;
  if (std::any_of(patterns.begin(), patterns.end(),
                  [&](const std::string& other) { return other != patterns.front(); })) {
    return Refused(schema, "several patterns or formats for one string");
  }
  auto tree = RegexTree::Parse(patterns.front());
  if (!tree.ok()) return tree.status().WithContext("pattern");
  TUTTI_RETURN_IF_ERROR(Step(static_cast<int64_t>(patterns.front().size())));
  if (!tree->LimitLength(min, facts.max_length)) {
    return Refused(schema,
                   "minLength or maxLength beside a pattern or format that does not imply "
                   "them (write the counts into the pattern)");
  }
  const auto write = [&](std::span<const CodePoints> set) { return WriteClass(set); };
  TUTTI_ASSIGN_OR_RETURN(const Expr body, tree->Write(rules_, write, true));
  return rules_.Sequence({quote, body, quote});
}

}  // namespace tutti::text
