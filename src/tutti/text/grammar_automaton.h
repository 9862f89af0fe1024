// A grammar as a machine: nodes with moves by a byte and calls of rules, no empty moves.
//
// Made from GrammarRules so that every node that can be reached can also be left towards the end of
// its rule: whoever walks it never comes to a dead end. Moves may be limited to some bytes (those
// that a vocabulary has as single tokens); what then cannot be completed is cut away.
//
// Ownership: a value, immutable. Threads: any.
// Errors: kUsage where the grammar is too large, left-recursive, calls a rule that is not defined
// or has no text at all.
#pragma once
#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "tutti/base/status.h"
#include "tutti/text/grammar_rules.h"

namespace tutti::text {

class GrammarAutomaton {
 public:
  struct Move {
    int32_t set = 0;  // of byte classes
    int32_t to = 0;
    bool operator==(const Move&) const = default;
    auto operator<=>(const Move&) const = default;
  };
  struct Call {
    int32_t rule = 0;
    int32_t back = 0;  // where it goes on afterwards
    bool operator==(const Call&) const = default;
    auto operator<=>(const Call&) const = default;
  };
  struct Node {
    int32_t first_move = 0;
    int32_t moves = 0;
    int32_t first_call = 0;
    int32_t calls = 0;
    bool final = false;  // the rule may end here
    // Nothing but the rule's end follows.
    bool only_final() const { return final && moves == 0 && calls == 0; }
  };

  static Result<GrammarAutomaton> Create(const GrammarRules& rules, GrammarRules::Rule root,
                                         const ByteSet& bytes);

  int32_t root() const { return root_; }  // the rule
  const Node& node(int32_t n) const { return nodes_[static_cast<size_t>(n)]; }
  std::span<const Move> moves(const Node& n) const {
    return std::span(moves_).subspan(static_cast<size_t>(n.first_move),
                                     static_cast<size_t>(n.moves));
  }
  std::span<const Call> calls(const Node& n) const {
    return std::span(calls_).subspan(static_cast<size_t>(n.first_call),
                                     static_cast<size_t>(n.calls));
  }
  int32_t start(int32_t rule) const { return starts_[static_cast<size_t>(rule)]; }
  // A rule that calls another one before any byte has the smaller rank.
  int32_t rank(int32_t rule) const { return ranks_[static_cast<size_t>(rule)]; }

  // Bytes that no move tells apart are one class.
  uint8_t ClassOf(uint8_t byte) const { return classes_[byte]; }
  const std::array<uint8_t, 256>& classes() const { return classes_; }
  int32_t class_count() const { return class_count_; }
  bool Contains(int32_t set, uint8_t byte_class) const {
    return sets_[static_cast<size_t>(set)].test(byte_class);
  }
  size_t size_bytes() const;

 private:
  friend class GrammarAutomatonBuilder;

  std::vector<Node> nodes_;
  std::vector<Move> moves_;
  std::vector<Call> calls_;
  std::vector<int32_t> starts_;  // [rules], -1: never called
  std::vector<int32_t> ranks_;   // [rules]
  std::vector<ByteSet> sets_;    // of classes
  std::array<uint8_t, 256> classes_ = {};
  int32_t class_count_ = 1;
  int32_t root_ = 0;
};

}  // namespace tutti::text
