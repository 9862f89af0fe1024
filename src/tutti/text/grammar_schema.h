// JSON schemas (draft 2020-12, and what earlier drafts write differently) as rules of a grammar.
//
// A conjunction is a set of places in the document that hold for one value: allOf and $ref add to
// it, anyOf and oneOf are alternatives of it, and each is one rule. Its facts are what its keywords
// say together. Keywords that assert something that the rules cannot express are refused where they
// could matter; all others are annotations.
//
// Ownership: refers to the document. Threads: one.
// Errors: kUsage for what is no schema or too large, kUnsupported for what cannot be enforced.
#pragma once
#include <boost/json.hpp>
#include <compare>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tutti/base/status.h"
#include "tutti/text/grammar_json.h"
#include "tutti/text/grammar_regex.h"
#include "tutti/text/grammar_rules.h"

namespace tutti::text {

class SchemaCompiler {
 public:
  using Expr = GrammarRules::Expr;

  SchemaCompiler(const boost::json::value& document, GrammarRules& rules)
      : document_(document), rules_(rules), json_(rules) {}

  // The rule of the whole document.
  Result<GrammarRules::Rule> Compile();

 private:
  using Value = boost::json::value;
  using Object = boost::json::object;

  enum Type : uint8_t {
    kNull = 1,
    kBoolean = 2,
    kInteger = 4,
    kFraction = 8,  // numbers that are no integers
    kString = 16,
    kArray = 32,
    kObject = 64,
    kAllTypes = 127,
  };
  struct Member {
    const Value* schema = nullptr;
    bool any_done = false;  // its anyOf is looked after
    bool one_done = false;  // its oneOf likewise
    auto operator<=>(const Member&) const = default;
  };
  using Conjunction = std::vector<Member>;  // sorted

  // digits / 10^scale
  struct Decimal {
    int64_t digits = 0;
    int scale = 0;
  };
  struct Bound {
    Decimal value;
    bool lower = false;
    bool exclusive = false;
  };
  struct Refusal {
    uint8_t types = 0;  // of values for which the keyword matters
    std::string what;
    const Value* where = nullptr;
  };
  struct Facts {
    bool never = false;
    uint8_t types = kAllTypes;
    std::optional<std::vector<const Value*>> values;  // enum and const
    std::vector<Member> members;                      // objects that hold, allOf and $ref resolved
    std::vector<Bound> bounds;
    int64_t min_length = 0;
    int64_t max_length = -1;
    std::vector<std::string> patterns;   // and formats
    std::vector<const Object*> objects;  // of members, for properties and items
    int64_t min_items = 0;
    int64_t max_items = -1;
    bool unique_items = false;
    int64_t min_properties = 0;
    int64_t max_properties = -1;
    std::vector<Refusal> refusals;
    bool narrowed = false;  // by more than types and values
  };
  struct Property {
    std::string key;
    Conjunction schema;
    bool required = false;
  };
  struct Properties {
    std::vector<Property> named;
    Conjunction others;                  // of further ones
    bool has_others = false;             // further ones are written
    std::optional<std::string> pattern;  // that their names match
  };

  // grammar_schema.cc
  Expr RuleOf(Conjunction conjunction);
  Result<Expr> Write(const Conjunction& conjunction);
  Result<Expr> WriteAlternatives(const Facts& facts, size_t member, bool one);
  Result<Expr> WriteTypes(const Facts& facts);
  Status Step(int64_t steps);

  // grammar_schema_facts.cc
  Result<Facts> FactsOf(const Conjunction& conjunction);
  Status AddMember(Facts& facts, Member member, std::vector<const Value*>& path);
  Status AddKeyword(Facts& facts, std::string_view key, const Value& value, const Value& schema);
  Status AddType(Facts& facts, const Object& object, const Value& value);
  Status AddValues(Facts& facts, std::string_view key, const Value& value);
  Status AddNumber(Facts& facts, std::string_view key, const Value& value);
  Status AddCount(Facts& facts, std::string_view key, const Value& value);
  Status CheckShape(std::string_view key, const Value& value);
  // By $ref, allOf, anyOf and oneOf alone.
  Result<bool> LeadsTo(const Value& from, const Value& to);
  Result<const Value*> Resolve(const Value& reference);
  Status Wrong(const Value& where, std::string_view what) const;
  Status Refused(const Value& where, std::string_view what) const;
  // "#/properties/name", for messages.
  std::string PathOf(const Value& where) const;

  // grammar_schema_values.cc
  Expr WriteValue(const Value& value);
  Result<Expr> WriteValues(const Facts& facts);
  static uint8_t TypeOfValue(const Value& value);
  static Decimal DecimalOf(const Value& number);
  // The bound in units of 10^-scale: the smallest or largest value that is inside.
  static int64_t InUnits(const Bound& bound, int scale);
  Result<Expr> WriteNumber(const Facts& facts, bool integer);
  Expr WriteRange(int64_t first, int64_t last, int scale);
  Expr WriteDigits(std::string_view first, std::string_view last, size_t at, size_t whole, bool low,
                   bool high);
  Expr FreeDigits(size_t whole, size_t fraction);

  // grammar_schema_strings.cc
  Result<Expr> WriteString(const Facts& facts);
  Expr WriteClass(std::span<const CodePoints> set);
  // nullptr where the format is not known.
  static const char* PatternOfFormat(std::string_view format);

  // grammar_schema_parts.cc
  Properties PropertiesOf(const Facts& facts) const;
  Status AddPatterns(const Facts& facts, Properties& properties) const;
  Conjunction ItemOf(const Facts& facts, size_t index, size_t& prefix) const;
  Result<Expr> WriteArray(const Facts& facts);
  Result<Expr> WriteObject(const Facts& facts);
  Result<Expr> WriteOtherMember(const Properties& properties);
  // A string with its quotes that is none of the names.
  Expr OtherName(const std::vector<Property>& named);

  // grammar_schema_disjoint.cc
  // No value obeys both. False where that cannot be seen.
  Result<bool> AreDisjoint(const Conjunction& a, const Conjunction& b, int depth);
  Result<bool> ObjectsAreDisjoint(const Facts& a, const Facts& b, int depth);

  const Value& document_;
  GrammarRules& rules_;
  JsonRules json_;
  std::map<Conjunction, GrammarRules::Rule> known_;
  std::deque<std::pair<Conjunction, GrammarRules::Rule>> open_;
  std::map<std::pair<int64_t, int64_t>, GrammarRules::Rule> lengths_;  // strings by length
  std::map<std::pair<size_t, size_t>, GrammarRules::Rule> digits_;
  int64_t steps_ = 0;
};

}  // namespace tutti::text
