// A grammar that has been accepted: its rules, and the machine for vocabularies that have every
// byte as a token. For the sources of text/ that make and use grammars.
//
// Ownership: shared. Immutable; any thread.
#pragma once
#include <memory>
#include <utility>

#include "tutti/text/grammar.h"
#include "tutti/text/grammar_automaton.h"
#include "tutti/text/grammar_rules.h"

namespace tutti::text {

class Grammar {
 public:
  // Errors as GrammarAutomaton::Create, and those of the rules.
  static Result<std::shared_ptr<const Grammar>> Create(GrammarRules rules,
                                                       GrammarRules::Rule root) {
    TUTTI_ASSIGN_OR_RETURN(GrammarAutomaton automaton,
                           GrammarAutomaton::Create(rules, root, ByteSet().set()));
    return std::shared_ptr<const Grammar>(
        std::make_shared<Grammar>(std::move(rules), root, std::move(automaton)));
  }
  Grammar(GrammarRules rules, GrammarRules::Rule root, GrammarAutomaton automaton)
      : rules_(std::move(rules)), root_(root), automaton_(std::move(automaton)) {}

  const GrammarRules& rules() const { return rules_; }
  GrammarRules::Rule root() const { return root_; }
  const GrammarAutomaton& automaton() const { return automaton_; }

 private:
  GrammarRules rules_;
  GrammarRules::Rule root_;
  GrammarAutomaton automaton_;
};

}  // namespace tutti::text
