// Can a value obey two alternatives at once? What is not looked at here only makes the sets larger,
// so "no" is always right.
#include <algorithm>

#include "tutti/text/grammar_schema.h"

namespace tutti::text {
namespace {

namespace json = boost::json;

constexpr int kDepthMax = 6;

// True where it is not sure.
bool MayBeEqual(const json::value& a, const json::value& b) {
  if (a.is_number() && b.is_number()) return a.to_number<double>() == b.to_number<double>();
  if (a.is_structured() && a.kind() == b.kind()) return true;
  return a == b;
}

}  // namespace

Result<bool> SchemaCompiler::ObjectsAreDisjoint(const Facts& a, const Facts& b, int depth) {
  const Properties left = PropertiesOf(a);
  const Properties right = PropertiesOf(b);
  const auto schema_of = [](const Properties& properties, const Property& property) {
    for (const Property& own : properties.named) {
      if (own.key == property.key) return own.schema;
    }
    return properties.others;
  };
  // Whoever obeys both has what either requires, as both want it. Patterns of names are not looked
  // at, and would be one more reason.
  for (const Properties* side : {&left, &right}) {
    for (const Property& property : side->named) {
      if (!property.required) continue;
      TUTTI_ASSIGN_OR_RETURN(
          const bool disjoint,
          AreDisjoint(schema_of(left, property), schema_of(right, property), depth + 1));
      if (disjoint) return true;
    }
  }
  return false;
}

Result<bool> SchemaCompiler::AreDisjoint(const Conjunction& a, const Conjunction& b, int depth) {
  if (depth > kDepthMax) return false;
  TUTTI_ASSIGN_OR_RETURN(const Facts left, FactsOf(a));
  TUTTI_ASSIGN_OR_RETURN(const Facts right, FactsOf(b));
  if (left.never || right.never) return true;
  const auto types = static_cast<uint8_t>(left.types & right.types);
  if (types == 0) return true;
  const auto fits = [](const Facts& facts, const Value* value) {
    if ((TypeOfValue(*value) & facts.types) == 0) return false;
    return !facts.values || std::any_of(facts.values->begin(), facts.values->end(),
                                        [&](const Value* own) { return MayBeEqual(*own, *value); });
  };
  for (const auto& sides : {std::pair(&left, &right), std::pair(&right, &left)}) {
    if (!sides.first->values) continue;
    const auto& values = *sides.first->values;
    TUTTI_RETURN_IF_ERROR(Step(std::ssize(values)));
    const bool any = std::any_of(values.begin(), values.end(), [&](const Value* value) {
      return (TypeOfValue(*value) & sides.first->types) != 0 && fits(*sides.second, value);
    });
    return !any;
  }
  if (types == kObject) return ObjectsAreDisjoint(left, right, depth);
  const bool numbers = (types & ~(kInteger | kFraction)) == 0;
  if (!numbers) return false;
  constexpr int kScale = 9;
  int64_t first = INT64_MIN;
  int64_t last = INT64_MAX;
  for (const Facts* side : {&left, &right}) {
    for (const Bound& bound : side->bounds) {
      if (bound.value.scale > kScale) return false;
      // As if all bounds were inclusive.
      const int64_t units = InUnits({.value = bound.value, .lower = bound.lower}, kScale);
      if (bound.lower) {
        first = std::max(first, units);
      } else {
        last = std::min(last, units);
      }
    }
  }
  return first > last;
}

}  // namespace tutti::text
