// Values that a schema lists, and numbers within bounds.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "tutti/base/json.h"
#include "tutti/text/grammar_schema.h"

namespace tutti::text {
namespace {

// Digits of a number with bounds; a double tells all numbers of so many apart.
constexpr int kDigitsMax = 15;
constexpr int kIntegerDigitsMax = 18;  // of an integer with bounds
constexpr int kFractionDigits = 6;     // where the bounds have fewer
constexpr int64_t kUnitsMax = 1'000'000'000'000'000'000;
constexpr double kExactMax = 9007199254740992.0;  // 2^53: doubles beyond may stand for others

int64_t PowerOf10(int exponent) {
  int64_t power = 1;
  for (int i = 0; i < exponent; ++i) power *= 10;
  return power;
}

std::string Padded(int64_t value, size_t width) { return fmt::format("{:0{}}", value, width); }

ByteSet DigitSet(char first, char last) {
  ByteSet set;
  for (char c = first; c <= last; ++c) set.set(static_cast<size_t>(c));
  return set;
}

}  // namespace

uint8_t SchemaCompiler::TypeOfValue(const Value& value) {
  switch (value.kind()) {
    case boost::json::kind::null:
      return kNull;
    case boost::json::kind::bool_:
      return kBoolean;
    case boost::json::kind::string:
      return kString;
    case boost::json::kind::array:
      return kArray;
    case boost::json::kind::object:
      return kObject;
    case boost::json::kind::double_:
      return std::trunc(value.get_double()) == value.get_double() ? kInteger : kFraction;
    default:
      return kInteger;
  }
}

SchemaCompiler::Decimal SchemaCompiler::DecimalOf(const Value& number) {
  if (number.is_int64()) return {number.get_int64(), 0};
  if (number.is_uint64()) return {INT64_MAX, 0};  // more than that
  // The fewest digits that mean this double: at most 17.
  const std::string shortest = fmt::format("{}", number.get_double());
  Decimal out;
  int exponent = 0;
  bool point = false;
  bool in_exponent = false;
  for (size_t i = 0; i < shortest.size(); ++i) {
    const char c = shortest[i];
    if (c == 'e') {
      exponent = static_cast<int>(std::strtol(shortest.c_str() + i + 1, nullptr, 10));
      in_exponent = true;
    } else if (c == '.') {
      point = true;
    } else if (c >= '0' && c <= '9' && !in_exponent) {
      if (out.digits >= kUnitsMax / 10) {
        if (!point) --out.scale;
        continue;
      }
      out.digits = out.digits * 10 + (c - '0');
      if (point) ++out.scale;
    }
  }
  out.scale -= exponent;
  if (shortest.front() == '-') out.digits = -out.digits;
  while (out.scale > 0 && out.digits % 10 == 0) {
    out.digits /= 10;
    --out.scale;
  }
  if (out.digits == 0) out.scale = 0;
  return out;
}

int64_t SchemaCompiler::InUnits(const Bound& bound, int scale) {
  int64_t units = bound.value.digits;
  bool is_exact = true;
  for (int i = bound.value.scale; i < scale && units != 0; ++i) {
    units = std::abs(units) >= kUnitsMax / 10 ? (units < 0 ? -kUnitsMax : kUnitsMax) : units * 10;
  }
  for (int i = scale; i < bound.value.scale && units != 0; ++i) {
    is_exact = is_exact && units % 10 == 0;
    // Rounded down; what is left is -1 or 0 in the end.
    units = units / 10 - (units % 10 < 0 ? 1 : 0);
  }
  if (units == 0 && bound.value.digits != 0) is_exact = false;
  units = std::clamp(units, -kUnitsMax, kUnitsMax);
  if (bound.lower) return units + (bound.exclusive || !is_exact ? 1 : 0);
  return units - (bound.exclusive && is_exact ? 1 : 0);
}

// Any digits: so many before the point, up to so many behind it.
SchemaCompiler::Expr SchemaCompiler::FreeDigits(size_t whole, size_t fraction) {
  const auto it = digits_.find({whole, fraction});
  if (it != digits_.end()) return rules_.Call(it->second);
  const GrammarRules::Rule rule = rules_.NewRule("digits");
  digits_[{whole, fraction}] = rule;
  const Expr digit = rules_.Bytes(DigitSet('0', '9'));
  std::vector<Expr> parts = {
      rules_.Repeat(digit, static_cast<int64_t>(whole), static_cast<int64_t>(whole))};
  if (fraction > 0) {
    parts.push_back(rules_.Optional(rules_.Sequence(
        {rules_.Literal("."), rules_.Repeat(digit, 1, static_cast<int64_t>(fraction))})));
  }
  rules_.Define(rule, rules_.Sequence(std::move(parts)));
  return rules_.Call(rule);
}

// The digits from `at` on of the numbers from `first` to `last`, which have as many; the point
// stands after `whole` of them, zeros at the end may be left out behind it. `low`: so far they are
// those of `first`; `high`: those of `last`.
SchemaCompiler::Expr SchemaCompiler::WriteDigits(std::string_view first, std::string_view last,
                                                 size_t at, size_t whole, bool low, bool high) {
  const size_t fraction = first.size() - std::max(at, whole);
  if (!low && !high) {
    if (at < whole || (at == whole && fraction > 0)) return FreeDigits(whole - at, fraction);
    return rules_.Repeat(rules_.Bytes(DigitSet('0', '9')), 0, static_cast<int64_t>(fraction));
  }
  std::vector<Expr> parts;
  const bool may_end =
      at >= whole && (!low || first.find_first_not_of('0', at) == std::string_view::npos);
  if (may_end) parts.push_back(rules_.Empty());
  if (at < first.size()) {
    std::vector<Expr> digits;
    const char smallest = low ? first[at] : '0';
    const char largest = high ? last[at] : '9';
    const auto add = [&](char from, char to, bool is_low, bool is_high) {
      if (from > to) return;
      digits.push_back(rules_.Sequence({rules_.Bytes(DigitSet(from, to)),
                                        WriteDigits(first, last, at + 1, whole, is_low, is_high)}));
    };
    if (low && high && smallest == largest) {
      add(smallest, smallest, true, true);
    } else {
      if (low) add(smallest, smallest, true, false);
      add(low ? static_cast<char>(smallest + 1) : smallest,
          high ? static_cast<char>(largest - 1) : largest, false, false);
      if (high) add(largest, largest, false, true);
    }
    const Expr digit = rules_.Choice(std::move(digits));
    parts.push_back(at == whole ? rules_.Sequence({rules_.Literal("."), digit}) : digit);
  }
  return rules_.Choice(std::move(parts));
}

// Numbers from `first` to `last`, neither negative, in units of 10^-scale.
SchemaCompiler::Expr SchemaCompiler::WriteRange(int64_t first, int64_t last, int scale) {
  std::vector<Expr> parts;
  const int digits_max = scale == 0 ? kIntegerDigitsMax : kDigitsMax;
  for (int whole = 1; whole + scale <= digits_max; ++whole) {
    const int64_t low = std::max(first, whole == 1 ? 0 : PowerOf10(whole - 1 + scale));
    const int64_t high = std::min(last, PowerOf10(whole + scale) - 1);
    if (low > high) continue;
    const auto width = static_cast<size_t>(whole + scale);
    parts.push_back(WriteDigits(Padded(low, width), Padded(high, width), 0,
                                static_cast<size_t>(whole), true, true));
  }
  return rules_.Choice(std::move(parts));
}

Result<SchemaCompiler::Expr> SchemaCompiler::WriteNumber(const Facts& facts, bool integer) {
  if (facts.bounds.empty()) return integer ? json_.Integer() : json_.Number();
  int scale = integer ? 0 : kFractionDigits;
  for (const Bound& bound : facts.bounds) {
    if (!integer) scale = std::max(scale, bound.value.scale);
  }
  if (scale >= kDigitsMax) {
    return Refused(*facts.members.front().schema, "a bound of so many digits behind the point");
  }
  int64_t first = -kUnitsMax;
  int64_t last = kUnitsMax;
  for (const Bound& bound : facts.bounds) {
    if (bound.lower) {
      first = std::max(first, InUnits(bound, scale));
    } else {
      last = std::min(last, InUnits(bound, scale));
    }
  }
  std::vector<Expr> parts;
  if (last >= 0) parts.push_back(WriteRange(std::max<int64_t>(first, 0), last, scale));
  if (first < 0) {
    parts.push_back(rules_.Sequence(
        {rules_.Literal("-"), WriteRange(std::max<int64_t>(1, -last), -first, scale)}));
  }
  return rules_.Choice(std::move(parts));
}

// As it stands, with white space where JSON has it. The depth is the document's.
SchemaCompiler::Expr SchemaCompiler::WriteValue(const Value& value) {
  const auto quoted = [&](std::string_view text) {
    return rules_.Literal("\"" + JsonRules::Escaped(text) + "\"");
  };
  std::vector<Expr> parts;
  if (const auto* array = value.if_array()) {
    for (const Value& part : *array) {
      parts.push_back(rules_.Literal(parts.empty() ? "[" : ","));
      parts.insert(parts.end(), {json_.Space(), WriteValue(part), json_.Space()});
    }
    parts.push_back(rules_.Literal(parts.empty() ? "[]" : "]"));
    return rules_.Sequence(std::move(parts));
  }
  if (const auto* object = value.if_object()) {
    for (const auto& entry : *object) {
      parts.push_back(rules_.Literal(parts.empty() ? "{" : ","));
      parts.insert(parts.end(),
                   {json_.Space(), quoted(View(entry.key())), json_.Space(), rules_.Literal(":"),
                    json_.Space(), WriteValue(entry.value()), json_.Space()});
    }
    parts.push_back(rules_.Literal(parts.empty() ? "{}" : "}"));
    return rules_.Sequence(std::move(parts));
  }
  switch (value.kind()) {
    case boost::json::kind::string:
      return quoted(View(value.get_string()));
    case boost::json::kind::bool_:
      return rules_.Literal(value.get_bool() ? "true" : "false");
    case boost::json::kind::int64:
      return rules_.Literal(fmt::format("{}", value.get_int64()));
    case boost::json::kind::uint64:
      return rules_.Literal(fmt::format("{}", value.get_uint64()));
    case boost::json::kind::double_:
      if (std::abs(value.get_double()) >= kExactMax) {
        rules_.Fail(
            Unsupported("the schema lists the number {}, which has more digits than a "
                        "double; it cannot be enforced",
                        value.get_double()));
      }
      return rules_.Literal(fmt::format("{}", value.get_double()));
    default:
      return rules_.Literal("null");
  }
}

Result<SchemaCompiler::Expr> SchemaCompiler::WriteValues(const Facts& facts) {
  std::vector<Expr> parts;
  for (const Value* value : *facts.values) {
    if ((TypeOfValue(*value) & facts.types) == 0) continue;
    if (facts.narrowed) {
      // Which of the values the other keywords leave is not worked out.
      return Refused(*facts.members.front().schema,
                     "enum or const beside other keywords than type");
    }
    parts.push_back(WriteValue(*value));
  }
  return rules_.Choice(std::move(parts));
}

}  // namespace tutti::text
