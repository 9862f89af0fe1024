// The rules of JSON texts, for grammars that are made of them.
//
// Between the parts of a text one space may stand, or a line break with up to kIndentMax blanks and
// tabs; a model that may write any amount of white space sometimes writes nothing else.
//
// Ownership: refers to rules that must live as long. Threads: one. Errors: those of the rules.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "tutti/text/grammar_rules.h"

namespace tutti::text {

class JsonRules {
 public:
  using Expr = GrammarRules::Expr;
  static constexpr int64_t kIndentMax = 40;
  static constexpr int64_t kIntegerDigitsMax = 20;
  static constexpr int64_t kFractionDigitsMax = 20;
  static constexpr int64_t kExponentDigitsMax = 2;  // a double holds what can be written

  explicit JsonRules(GrammarRules& rules) : rules_(rules) {}

  Expr Space();
  Expr Value();      // any
  Expr Object();     // any
  Expr Array();      // any
  Expr String();     // any, with its quotes
  Expr Character();  // one of a string, escaped where it must be or may be
  Expr Integer();
  Expr Number();
  // `text` (UTF-8) as a string writes it, without quotes.
  static std::string Escaped(std::string_view text);

 private:
  // A rule that is defined when it is first called.
  template <typename Body>
  Expr Once(GrammarRules::Rule& rule, const char* name, const Body& body) {
    if (rule < 0) {
      rule = rules_.NewRule(name);
      rules_.Define(rule, body());
    }
    return rules_.Call(rule);
  }
  Expr Lit(std::string_view text) { return rules_.Literal(text); }
  Expr Digits(char first, char last, int64_t min, int64_t max);
  // "[" part ("," part)* "]" and the like.
  Expr List(std::string_view open, Expr part, std::string_view close);

  GrammarRules& rules_;
  GrammarRules::Rule space_ = -1;
  GrammarRules::Rule value_ = -1;
  GrammarRules::Rule object_ = -1;
  GrammarRules::Rule array_ = -1;
  GrammarRules::Rule string_ = -1;
  GrammarRules::Rule character_ = -1;
  GrammarRules::Rule integer_ = -1;
  GrammarRules::Rule number_ = -1;
};

}  // namespace tutti::text
