// Regular expressions, read into a tree and written as rules of a grammar.
//
// The common part of ECMA-262, RE2 and Python, each class as the strictest of them has it:
// characters, classes, groups, alternatives, greedy and lazy repetitions (the same texts), anchors
// at the ends. Look-around, back references, word boundaries, Unicode properties, flags and
// possessive repetitions are refused.
//
// Ownership: a value. Threads: any, once parsed.
// Errors: kUsage for what is malformed or too large, kUnsupported for what is refused.
#pragma once
#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "tutti/base/status.h"
#include "tutti/text/grammar_rules.h"

namespace tutti::text {

class RegexTree {
 public:
  enum class Op : uint8_t { kEmpty, kClass, kSequence, kChoice, kRepeat, kBegin, kEnd };
  struct Node {
    Op op = Op::kEmpty;
    int64_t min = 0;                          // kRepeat
    int64_t max = 0;                          // kRepeat, -1: no end
    std::vector<CodePoints> characters = {};  // kClass, normalised
    std::vector<int32_t> parts = {};
  };
  // Characters of a text, -1: no end.
  struct Lengths {
    int64_t min = 0;
    int64_t max = 0;
  };

  static Result<RegexTree> Parse(std::string_view pattern);

  // Writes one character of a class as the grammar's texts have it.
  using WriteClass = std::function<GrammarRules::Expr(std::span<const CodePoints>)>;
  // The texts that match as a whole or, with `search`, that contain a match.
  Result<GrammarRules::Expr> Write(GrammarRules& rules, const WriteClass& write, bool search) const;
  // Of those texts. Of a text that is searched only the minimum, or of one anchored at both ends.
  Lengths LengthsOf(bool search) const;
  // Leaves of the texts that contain a match those with so many characters (max -1: any number).
  // False where the tree cannot say that: its length varies in more than one place.
  bool LimitLength(int64_t min, int64_t max);

 private:
  friend class RegexParser;
  struct Anchored {
    std::vector<int32_t> parts;
    bool begin = false;
    bool end = false;
  };

  const Node& at(int32_t node) const { return nodes_[static_cast<size_t>(node)]; }
  // A sequence without the anchors at its ends.
  Anchored WithoutAnchors(int32_t node) const;
  bool HasAnchor(int32_t node) const;
  Result<GrammarRules::Expr> WriteTop(GrammarRules& rules, const WriteClass& write, bool search,
                                      int32_t node) const;
  GrammarRules::Expr WriteNode(GrammarRules& rules, const WriteClass& write, int32_t node) const;
  Lengths LengthsOfNode(int32_t node) const;

  std::vector<Node> nodes_;
  int32_t root_ = 0;
};

// Every scalar value.
std::span<const CodePoints> AnyCharacter();

}  // namespace tutti::text
