// Grammars in the notation that llama.cpp's users know (GBNF), and what others have in common with
// it:
//
//   root  ::= item ("," item)*      # a comment
//   item  ::= "text" | 'text' | [a-z0-9_]+ | [^"\\] | . | ( root ){2,5} | name?
//
// Rules may be spread over lines. Escapes: \n \r \t \\ \" \' \[ \] \- \^ \/ \xHH \uHHHH \UHHHHHHHH.
#include <algorithm>
#include <map>
#include <string>
#include <utility>

#include "tutti/text/grammar.h"
#include "tutti/text/grammar_compiled.h"
#include "tutti/text/grammar_regex.h"
#include "tutti/text/grammar_scanner.h"

namespace tutti::text {
namespace {

using Expr = GrammarRules::Expr;

bool IsNameCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_';
}

class EbnfParser {
 public:
  explicit EbnfParser(std::string_view text) : in_(text, "grammar") {}

  Result<std::shared_ptr<const Grammar>> Parse();

 private:
  void SkipSpace();
  std::string Name();
  GrammarRules::Rule RuleOf(const std::string& name);
  bool AtRule();  // "name ::=" is next
  Result<Expr> Alternatives(int depth);
  Result<Expr> Sequence(int depth);
  Result<Expr> Item(int depth);
  Result<Expr> Repeated(Expr expr);
  Result<int64_t> Count();
  Result<Expr> Text(char quote);
  Result<Expr> Class();
  Result<uint32_t> ClassCharacter();
  Result<uint32_t> Escape();

  GrammarScanner in_;
  GrammarRules rules_;
  std::map<std::string, GrammarRules::Rule> names_;
};

void EbnfParser::SkipSpace() {
  while (!in_.AtEnd()) {
    if (in_.Peek() == '#') {
      while (!in_.AtEnd() && in_.Peek() != '\n') in_.Next();
    } else if (std::string_view(" \t\r\n").find(in_.Peek()) != std::string_view::npos) {
      in_.Next();
    } else {
      return;
    }
  }
}

std::string EbnfParser::Name() {
  std::string name;
  while (!in_.AtEnd() && IsNameCharacter(in_.Peek())) name += in_.Next();
  return name;
}

GrammarRules::Rule EbnfParser::RuleOf(const std::string& name) {
  const auto it = names_.find(name);
  if (it != names_.end()) return it->second;
  return names_[name] = rules_.NewRule(name);
}

bool EbnfParser::AtRule() {
  const size_t begin = in_.position();
  const bool has_name = !Name().empty();
  SkipSpace();
  const bool is_rule = has_name && in_.Starts("::=");
  in_.Return(begin);
  return is_rule;
}

Result<Expr> EbnfParser::Alternatives(int depth) {
  if (depth > kGrammarNestingMax) return in_.TooDeep();
  std::vector<Expr> parts;
  do {
    SkipSpace();
    TUTTI_ASSIGN_OR_RETURN(const Expr part, Sequence(depth));
    parts.push_back(part);
  } while (in_.Take("|"));
  return rules_.Choice(std::move(parts));
}

Result<Expr> EbnfParser::Sequence(int depth) {
  std::vector<Expr> parts;
  while (true) {
    SkipSpace();
    if (in_.AtEnd() || in_.Peek() == '|' || in_.Peek() == ')' || AtRule()) break;
    TUTTI_ASSIGN_OR_RETURN(const Expr item, Item(depth));
    TUTTI_ASSIGN_OR_RETURN(const Expr part, Repeated(item));
    parts.push_back(part);
  }
  return rules_.Sequence(std::move(parts));
}

Result<Expr> EbnfParser::Item(int depth) {
  const char c = in_.Peek();
  if (c == '"' || c == '\'') {
    in_.Next();
    return Text(c);
  }
  if (in_.Take("[")) return Class();
  if (in_.Take(".")) return rules_.Characters(AnyCharacter());
  if (in_.Starts("(=") || c == '/' || c == '<') {
    return in_.Refused("look-ahead, embedded expressions or tokens by name");
  }
  if (in_.Take("(")) {
    TUTTI_ASSIGN_OR_RETURN(const Expr inner, Alternatives(depth + 1));
    if (!in_.Take(")")) return in_.Wrong("'(' without ')'");
    return inner;
  }
  const std::string name = Name();
  if (name.empty()) return in_.Wrong("a text, a class, a group or the name of a rule is missing");
  return rules_.Call(RuleOf(name));
}

Result<int64_t> EbnfParser::Count() {
  SkipSpace();
  int64_t value = -1;
  while (!in_.AtEnd() && in_.Peek() >= '0' && in_.Peek() <= '9') {
    value = std::min<int64_t>(std::max<int64_t>(value, 0) * 10 + (in_.Next() - '0'), INT32_MAX);
  }
  SkipSpace();
  return value;
}

Result<Expr> EbnfParser::Repeated(Expr expr) {
  // Every repetition of a repetition is one level of the tree.
  for (int depth = 0;; ++depth) {
    if (depth > kGrammarNestingMax) return in_.TooDeep();
    if (in_.Take("*")) {
      expr = rules_.Repeat(expr, 0, -1);
    } else if (in_.Take("+")) {
      expr = rules_.Repeat(expr, 1, -1);
    } else if (in_.Take("?")) {
      expr = rules_.Optional(expr);
    } else if (in_.Take("{")) {
      TUTTI_ASSIGN_OR_RETURN(int64_t min, Count());
      int64_t max = min;
      if (in_.Take(",")) {
        TUTTI_ASSIGN_OR_RETURN(max, Count());
        min = std::max<int64_t>(min, 0);
      }
      if (!in_.Take("}")) return in_.Wrong("a repetition's '{' without '}'");
      if (min < 0 || (max >= 0 && max < min)) return in_.Wrong("a repetition's numbers");
      expr = rules_.Repeat(expr, min, max);
    } else {
      return expr;
    }
  }
}

Result<uint32_t> EbnfParser::Escape() {
  if (in_.AtEnd()) return in_.Wrong("'\\' at the end");
  const char c = in_.Next();
  uint32_t character = static_cast<uint8_t>(c);
  switch (c) {
    case 'n':
      return uint32_t{'\n'};
    case 'r':
      return uint32_t{'\r'};
    case 't':
      return uint32_t{'\t'};
    case 'x':
    case 'u':
    case 'U': {
      TUTTI_ASSIGN_OR_RETURN(character, in_.Hex(c == 'x' ? 2 : c == 'u' ? 4 : 8));
      if (character > kLastCodePoint || (character >= 0xD800 && character <= 0xDFFF)) {
        return in_.Wrong("an escape that is no character");
      }
      return character;
    }
    default:
      if (std::string_view("\\\"'[]-^/").find(c) != std::string_view::npos) return character;
      return in_.Wrong("an unknown escape");
  }
}

Result<Expr> EbnfParser::Text(char quote) {
  std::vector<Expr> parts;
  std::string plain;
  while (!in_.AtEnd() && in_.Peek() != quote) {
    if (!in_.Take("\\")) {
      plain += in_.Next();
      continue;
    }
    TUTTI_ASSIGN_OR_RETURN(const uint32_t c, Escape());
    const CodePoints only[] = {{c, c}};
    parts.push_back(rules_.Literal(std::exchange(plain, {})));
    parts.push_back(rules_.Characters(only));
  }
  if (in_.AtEnd()) return in_.Wrong("a text does not end");
  in_.Next();
  if (parts.empty()) return rules_.Literal(plain);
  parts.push_back(rules_.Literal(plain));
  return rules_.Sequence(std::move(parts));
}

Result<uint32_t> EbnfParser::ClassCharacter() {
  if (in_.Take("\\")) return Escape();
  return in_.Character();
}

Result<Expr> EbnfParser::Class() {
  const bool negated = in_.Take("^");
  std::vector<CodePoints> ranges;
  while (!in_.AtEnd() && in_.Peek() != ']') {
    TUTTI_ASSIGN_OR_RETURN(const uint32_t first, ClassCharacter());
    uint32_t last = first;
    if (in_.Starts("-") && !in_.Starts("-]")) {
      in_.Take("-");
      if (in_.AtEnd()) break;
      TUTTI_ASSIGN_OR_RETURN(last, ClassCharacter());
      if (last < first) return in_.Wrong("a range is reversed");
    }
    ranges.push_back({first, last});
  }
  if (!in_.Take("]")) return in_.Wrong("'[' without ']'");
  return rules_.Characters(Normalized(std::move(ranges), negated));
}

Result<std::shared_ptr<const Grammar>> EbnfParser::Parse() {
  TUTTI_RETURN_IF_ERROR(in_.CheckSource());
  while (true) {
    SkipSpace();
    if (in_.AtEnd()) break;
    if (!AtRule()) return in_.Wrong("a rule, name ::= ..., should begin here");
    const std::string name = Name();
    SkipSpace();
    in_.Take("::=");
    const GrammarRules::Rule rule = RuleOf(name);
    if (rules_.body(rule) >= 0) return UsageError("the grammar defines \"{}\" twice", name);
    TUTTI_ASSIGN_OR_RETURN(const Expr body, Alternatives(0));
    rules_.Define(rule, body);
  }
  const auto root = names_.find("root");
  if (root == names_.end() || rules_.body(root->second) < 0) {
    return UsageError("the grammar has no rule \"root\": answers begin with it");
  }
  return Grammar::Create(std::move(rules_), root->second);
}

}  // namespace

Result<std::shared_ptr<const Grammar>> CompileEbnf(std::string_view grammar) {
  return EbnfParser(grammar).Parse();
}

}  // namespace tutti::text
