#include "tutti/text/grammar_json.h"

#include <fmt/format.h>

#include "tutti/text/grammar.h"
#include "tutti/text/grammar_compiled.h"

namespace tutti::text {
namespace {

ByteSet Range(char first, char last) {
  ByteSet set;
  for (int c = first; c <= last; ++c) set.set(static_cast<size_t>(c));
  return set;
}

}  // namespace

JsonRules::Expr JsonRules::Digits(char first, char last, int64_t min, int64_t max) {
  return rules_.Repeat(rules_.Bytes(Range(first, last)), min, max);
}

JsonRules::Expr JsonRules::Space() {
  return Once(space_, "space", [&] {
    ByteSet blank;
    blank.set(' ');
    blank.set('\t');
    const Expr line =
        rules_.Sequence({Lit("\n"), rules_.Repeat(rules_.Bytes(blank), 0, kIndentMax)});
    return rules_.Choice({rules_.Empty(), Lit(" "), line});
  });
}

JsonRules::Expr JsonRules::Character() {
  return Once(character_, "character", [&] {
    const std::vector<CodePoints> plain = Normalized({{0, 0x1F}, {'"', '"'}, {'\\', '\\'}}, true);
    const ByteSet hex = Range('0', '9') | Range('a', 'f') | Range('A', 'F');
    const auto hexes = [&](int64_t count) {
      return rules_.Repeat(rules_.Bytes(hex), count, count);
    };
    ByteSet d;
    d.set('d');
    d.set('D');
    const Expr surrogate_high = rules_.Sequence(
        {rules_.Bytes(d), rules_.Bytes(Range('8', '9') | Range('a', 'b') | Range('A', 'B')),
         hexes(2)});
    const Expr surrogate_low = rules_.Sequence(
        {rules_.Bytes(d), rules_.Bytes(Range('c', 'f') | Range('C', 'F')), hexes(2)});
    const Expr code =
        rules_.Choice({rules_.Sequence({rules_.Bytes(hex & ~d), hexes(3)}),
                       rules_.Sequence({rules_.Bytes(d), rules_.Bytes(Range('0', '7')), hexes(2)}),
                       rules_.Sequence({surrogate_high, Lit("\\u"), surrogate_low})});
    ByteSet letters;
    for (const char c : std::string_view("\"\\/bfnrt")) letters.set(static_cast<size_t>(c));
    const Expr escape = rules_.Choice({rules_.Bytes(letters), rules_.Sequence({Lit("u"), code})});
    return rules_.Choice({rules_.Characters(plain), rules_.Sequence({Lit("\\"), escape})});
  });
}

JsonRules::Expr JsonRules::String() {
  return Once(string_, "string", [&] {
    return rules_.Sequence({Lit("\""), rules_.Repeat(Character(), 0, -1), Lit("\"")});
  });
}

JsonRules::Expr JsonRules::Integer() {
  return Once(integer_, "integer", [&] {
    const Expr many =
        rules_.Sequence({Digits('1', '9', 1, 1), Digits('0', '9', 0, kIntegerDigitsMax - 1)});
    return rules_.Sequence({rules_.Optional(Lit("-")), rules_.Choice({Lit("0"), many})});
  });
}

JsonRules::Expr JsonRules::Number() {
  return Once(number_, "number", [&] {
    const Expr fraction = rules_.Sequence({Lit("."), Digits('0', '9', 1, kFractionDigitsMax)});
    const Expr sign = rules_.Choice({rules_.Empty(), Lit("+"), Lit("-")});
    const Expr exponent = rules_.Sequence(
        {rules_.Choice({Lit("e"), Lit("E")}), sign, Digits('0', '9', 1, kExponentDigitsMax)});
    return rules_.Sequence({Integer(), rules_.Optional(fraction), rules_.Optional(exponent)});
  });
}

JsonRules::Expr JsonRules::List(std::string_view open, Expr part, std::string_view close) {
  const Expr more = rules_.Sequence({Lit(","), Space(), part, Space()});
  const Expr parts = rules_.Sequence({part, Space(), rules_.Repeat(more, 0, -1)});
  return rules_.Sequence({Lit(open), Space(), rules_.Optional(parts), Lit(close)});
}

JsonRules::Expr JsonRules::Object() {
  return Once(object_, "object", [&] {
    const Expr member = rules_.Sequence({String(), Space(), Lit(":"), Space(), Value()});
    return List("{", member, "}");
  });
}

JsonRules::Expr JsonRules::Array() {
  return Once(array_, "array", [&] { return List("[", Value(), "]"); });
}

JsonRules::Expr JsonRules::Value() {
  return Once(value_, "value", [&] {
    return rules_.Choice(
        {Object(), Array(), String(), Number(), Lit("true"), Lit("false"), Lit("null")});
  });
}

std::string JsonRules::Escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<uint8_t>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte >= 0x20) {
      out += c;
    } else if (const size_t i = std::string_view("\b\f\n\r\t").find(c);
               i != std::string_view::npos) {
      out += '\\';
      out += "bfnrt"[i];
    } else {
      out += fmt::format("\\u{:04x}", byte);
    }
  }
  return out;
}

Result<std::shared_ptr<const Grammar>> CompileJson(JsonRoot root) {
  GrammarRules rules;
  JsonRules json(rules);
  const GrammarRules::Rule rule = rules.NewRule("root");
  rules.Define(rule, root == JsonRoot::kObject ? json.Object() : json.Value());
  return Grammar::Create(std::move(rules), rule);
}

}  // namespace tutti::text
