// The rules of a grammar while it is built: expressions over bytes, with calls between rules.
//
// Everything that describes texts (JSON schemas, expressions, EBNF) is brought into this form;
// grammar_automaton.h makes the machine of it. Sizes are charged before anything is unrolled:
// `Repeat(e, 0, 1000000000)` costs nothing here and is refused by status().
//
// Ownership: a value. Threads: one. Errors: latched; the first one is in status(), after it
// expressions may be anything.
#pragma once
#include <algorithm>
#include <bitset>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tutti/base/status.h"

namespace tutti::text {

using ByteSet = std::bitset<256>;

// Unicode scalar values, both included.
struct CodePoints {
  uint32_t first = 0;
  uint32_t last = 0;
};
inline constexpr uint32_t kLastCodePoint = 0x10FFFF;

// Sorted, without overlaps, without surrogates; `negated` takes all the others.
std::vector<CodePoints> Normalized(std::vector<CodePoints> ranges, bool negated = false);
// Of two normalised lists: what is in both.
std::vector<CodePoints> Intersection(std::span<const CodePoints> a, std::span<const CodePoints> b);

class GrammarRules {
 public:
  // Handles; valid for these rules only.
  using Expr = int32_t;
  using Rule = int32_t;
  static constexpr int64_t kNodesMax = 400'000;  // of all rules, unrolled
  static constexpr int32_t kDepthMax = 1'000;    // of expressions inside each other

  enum class Op : uint8_t { kNothing, kLiteral, kBytes, kSequence, kChoice, kRepeat, kCall };
  struct Node {
    Op op = Op::kNothing;
    int32_t depth = 1;
    int64_t size = 1;          // nodes of the automaton, saturated
    int64_t min = 0;           // kRepeat
    int64_t max = 0;           // kRepeat; -1: no end. kCall: the rule. kBytes: index in sets()
    std::string literal = {};  // kLiteral; empty: the empty text
    std::vector<Expr> parts = {};
  };

  Expr Nothing();  // no text at all, not even the empty one
  Expr Empty() { return Literal({}); }
  Expr Literal(std::string_view bytes);
  Expr Bytes(const ByteSet& set);
  Expr Characters(std::span<const CodePoints> normalized);  // one of them, in UTF-8
  Expr Sequence(std::vector<Expr> parts);
  Expr Choice(std::vector<Expr> parts);
  Expr Repeat(Expr part, int64_t min, int64_t max);  // max -1: as often as one likes
  Expr Optional(Expr part) { return Repeat(part, 0, 1); }

  Rule NewRule(std::string name);
  void Define(Rule rule, Expr body);
  Expr Call(Rule rule);

  const Status& status() const { return status_; }
  // What has been used up of the limits of one grammar, 0 to 1: of nodes, or of what else is noted.
  double share() const {
    return std::max(share_, static_cast<double>(total_size_) / static_cast<double>(kNodesMax));
  }
  void NoteShare(double share) { share_ = std::max(share_, share); }
  void Fail(Status status);

  const std::vector<Node>& nodes() const { return nodes_; }
  const std::vector<ByteSet>& sets() const { return sets_; }
  size_t rules() const { return bodies_.size(); }
  Expr body(Rule rule) const { return bodies_[static_cast<size_t>(rule)]; }  // -1: not defined
  const std::string& name(Rule rule) const { return names_[static_cast<size_t>(rule)]; }

 private:
  Expr Add(Node node);

  std::vector<Node> nodes_;
  std::vector<ByteSet> sets_;
  std::vector<Expr> bodies_;
  std::vector<std::string> names_;
  int64_t total_size_ = 0;
  double share_ = 0;
  Status status_;
};

}  // namespace tutti::text
