// Where a text can be in a grammar, found as it is asked for and remembered.
//
// A situation is a set of (node, frame): where the text may stand, and in which frame to go on when
// that node's rule ends. A frame is the set of such returns of all calls of one rule at one place,
// so ambiguous grammars need no more of them than rules times bytes (the graph-structured stack of
// Tomita's and Earley's parsers). Equal frames and situations are one; what follows a situation by
// a byte is computed once. A return to where nothing but its own rule's end follows is replaced by
// what comes after, so lists written by recursion do not grow.
//
// More than kPlacesMax places at once are not followed: the first ones, in an order that depends on
// the grammar and the text only, are kept, at least one. What is then allowed still obeys the
// grammar and can be completed.
//
// Ownership: a value; the automaton must live as long. Threads: one at a time. Errors: none.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "tutti/text/grammar_automaton.h"

namespace tutti::text {

class GrammarStates {
 public:
  using Situation = int32_t;
  static constexpr Situation kDead = 0;  // no text of the grammar goes on like this
  static constexpr size_t kPlacesMax = 4096;

  explicit GrammarStates(const GrammarAutomaton& automaton);

  Situation start() const { return start_; }
  Situation Next(Situation from, uint8_t byte_class) {
    const Known& known = situations_[static_cast<size_t>(from)];
    if (!known.next.empty()) {
      const Situation to = known.next[byte_class];
      if (to >= 0) return to;
    }
    return Compute(from, byte_class);
  }
  // The text so far is one of the grammar's.
  bool Accepts(Situation s) const { return situations_[static_cast<size_t>(s)].accepts; }
  // More text may follow.
  bool GoesOn(Situation s) const { return situations_[static_cast<size_t>(s)].count > 0; }
  // What computing the next situation takes, in moves and returns to look at.
  int64_t Work(Situation s) const { return situations_[static_cast<size_t>(s)].work; }
  size_t situations() const { return situations_.size(); }
  size_t size_bytes() const;

  // The same situation of another table for the same automaton.
  Situation Import(const GrammarStates& other, Situation s);

 private:
  // kEnd in kBottom: the whole text may end.
  static constexpr int32_t kEnd = -1;
  static constexpr int32_t kBottom = 0;
  static constexpr size_t kTailMax = 16;
  struct Place {
    int32_t node = 0;
    int32_t frame = 0;
    bool operator==(const Place&) const = default;
  };
  struct Frame {
    int64_t first = 0;  // in frame_places_
    int32_t count = 0;
    uint64_t hash = 0;
  };
  struct Known {
    int64_t first = 0;  // in places_
    int32_t count = 0;
    bool accepts = false;
    int64_t work = 0;
    uint64_t hash = 0;
    std::vector<Situation> next;  // [classes], -1: not known; empty until asked
  };
  struct Pending {
    int32_t rank = 0;
    int32_t rule = 0;
    Place back;
  };
  // Numbers of things with a hash, in a table with open addressing.
  class Table {
   public:
    template <typename IsEqual>
    int32_t Find(uint64_t hash, const IsEqual& is_equal) const {
      for (size_t i = hash & (slots_.size() - 1);; i = (i + 1) & (slots_.size() - 1)) {
        if (slots_[i].id < 0) return -1;
        if (slots_[i].hash == hash && is_equal(slots_[i].id)) return slots_[i].id;
      }
    }
    void Insert(uint64_t hash, int32_t id);
    size_t size_bytes() const { return slots_.size() * sizeof(Slot); }

   private:
    struct Slot {
      uint64_t hash = 0;
      int32_t id = -1;
    };
    std::vector<Slot> slots_ = std::vector<Slot>(64);
    size_t used_ = 0;
  };
  // Places already met, forgotten by Clear at once.
  class Met {
   public:
    void Clear();
    bool Insert(Place place);  // false where it had been met

   private:
    struct Slot {
      Place place;
      uint32_t stamp = 0;
    };
    std::vector<Slot> slots_ = std::vector<Slot>(64);
    size_t used_ = 0;
    uint32_t stamp_ = 1;
  };

  Situation Compute(Situation from, uint8_t byte_class);
  // The situation of `open_` and what it leads to without a byte.
  Situation Close();
  void Visit(Place place);
  void EnterNext();
  void AddReturn(Place back);
  void Order(std::vector<Place>& places) const;
  uint64_t HashOf(std::span<const Place> places) const;
  int32_t FrameOf(std::vector<Place>& places);
  Situation SituationOf(std::span<const Place> places, bool accepts);
  std::span<const Place> PlacesOf(const Frame& frame) const {
    return std::span(frame_places_)
        .subspan(static_cast<size_t>(frame.first), static_cast<size_t>(frame.count));
  }
  std::span<const Place> PlacesOf(const Known& known) const {
    return std::span(places_).subspan(static_cast<size_t>(known.first),
                                      static_cast<size_t>(known.count));
  }

  const GrammarAutomaton* automaton_;
  std::vector<Frame> frames_;
  std::vector<Place> frame_places_;
  std::vector<Known> situations_;
  std::vector<Place> places_;
  Table frame_table_;
  Table situation_table_;
  size_t next_bytes_ = 0;
  Situation start_ = kDead;

  // Of Close.
  std::vector<Place> open_;
  std::vector<Place> found_;
  std::vector<Pending> pending_;  // a heap, smallest rank first
  std::vector<Place> returns_;
  bool accepts_ = false;
  Met met_;
};

}  // namespace tutti::text
