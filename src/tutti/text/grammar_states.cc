#include "tutti/text/grammar_states.h"

#include <algorithm>
#include <utility>

namespace tutti::text {
namespace {

uint64_t Mix(uint64_t hash, uint64_t value) {
  hash = (hash ^ value) * 0x9e3779b97f4a7c15ull;
  return hash ^ (hash >> 29);
}

}  // namespace

void GrammarStates::Table::Insert(uint64_t hash, int32_t id) {
  if (2 * ++used_ > slots_.size()) {
    std::vector<Slot> old(slots_.size() * 2);
    old.swap(slots_);
    for (const Slot& slot : old) {
      if (slot.id < 0) continue;
      size_t i = slot.hash & (slots_.size() - 1);
      while (slots_[i].id >= 0) i = (i + 1) & (slots_.size() - 1);
      slots_[i] = slot;
    }
  }
  size_t i = hash & (slots_.size() - 1);
  while (slots_[i].id >= 0) i = (i + 1) & (slots_.size() - 1);
  slots_[i] = {hash, id};
}

void GrammarStates::Met::Clear() {
  used_ = 0;
  if (++stamp_ == 0) {
    slots_.assign(slots_.size(), {});
    stamp_ = 1;
  }
}

bool GrammarStates::Met::Insert(Place place) {
  if (2 * (used_ + 1) > slots_.size()) {
    std::vector<Slot> old(slots_.size() * 2);
    old.swap(slots_);
    used_ = 0;
    for (const Slot& slot : old) {
      if (slot.stamp == stamp_) Insert(slot.place);
    }
  }
  const uint64_t key = (static_cast<uint64_t>(static_cast<uint32_t>(place.node)) << 32) |
                       static_cast<uint32_t>(place.frame);
  size_t i = Mix(0, key) & (slots_.size() - 1);
  while (slots_[i].stamp == stamp_) {
    if (slots_[i].place == place) return false;
    i = (i + 1) & (slots_.size() - 1);
  }
  slots_[i] = {place, stamp_};
  ++used_;
  return true;
}

GrammarStates::GrammarStates(const GrammarAutomaton& automaton) : automaton_(&automaton) {
  frames_.push_back({.first = 0, .count = 0, .hash = 1});  // kBottom
  SituationOf({}, false);                                  // kDead
  open_ = {{automaton.start(automaton.root()), kBottom}};
  start_ = Close();
}

void GrammarStates::Order(std::vector<Place>& places) const {
  const auto hash = [&](const Place& p) { return frames_[static_cast<size_t>(p.frame)].hash; };
  std::sort(places.begin(), places.end(), [&](const Place& a, const Place& b) {
    if (a.node != b.node) return a.node < b.node;
    if (a.frame == b.frame) return false;
    const uint64_t x = hash(a);
    const uint64_t y = hash(b);
    return x != y ? x < y : a.frame < b.frame;
  });
  places.erase(std::unique(places.begin(), places.end()), places.end());
  if (places.size() > kPlacesMax) places.resize(kPlacesMax);
}

// Of the content, all the way down: the same in every table.
uint64_t GrammarStates::HashOf(std::span<const Place> places) const {
  uint64_t hash = 0x51ed270b;
  for (const Place& place : places) {
    hash = Mix(hash, static_cast<uint32_t>(place.node));
    hash = Mix(hash, frames_[static_cast<size_t>(place.frame)].hash);
  }
  return hash;
}

int32_t GrammarStates::FrameOf(std::vector<Place>& places) {
  Order(places);
  if (places.size() == 1 && places.front().node == kEnd) return kBottom;
  const uint64_t hash = HashOf(places);
  const int32_t known = frame_table_.Find(hash, [&](int32_t id) {
    return std::ranges::equal(PlacesOf(frames_[static_cast<size_t>(id)]), places);
  });
  if (known >= 0) return known;
  const auto id = static_cast<int32_t>(frames_.size());
  frames_.push_back({.first = std::ssize(frame_places_),
                     .count = static_cast<int32_t>(places.size()),
                     .hash = hash});
  frame_places_.insert(frame_places_.end(), places.begin(), places.end());
  frame_table_.Insert(hash, id);
  return id;
}

GrammarStates::Situation GrammarStates::SituationOf(std::span<const Place> places, bool accepts) {
  const uint64_t hash = Mix(HashOf(places), accepts ? 1 : 0);
  const int32_t known = situation_table_.Find(hash, [&](int32_t id) {
    const Known& other = situations_[static_cast<size_t>(id)];
    return other.accepts == accepts && std::ranges::equal(PlacesOf(other), places);
  });
  if (known >= 0) return known;
  const auto id = static_cast<Situation>(situations_.size());
  Known added{.first = std::ssize(places_),
              .count = static_cast<int32_t>(places.size()),
              .accepts = accepts,
              .work = 1,
              .hash = hash,
              .next = {}};
  for (const Place& place : places) {
    added.work += automaton_->node(place.node).moves;
    added.work += frames_[static_cast<size_t>(place.frame)].count;
  }
  situations_.push_back(std::move(added));
  places_.insert(places_.end(), places.begin(), places.end());
  situation_table_.Insert(hash, id);
  return id;
}

void GrammarStates::Visit(Place place) {
  if (!met_.Insert(place)) return;
  const GrammarAutomaton::Node& node = automaton_->node(place.node);
  if (node.moves > 0) found_.push_back(place);
  if (node.final) {
    if (place.frame == kBottom) {
      accepts_ = true;
    } else {
      for (const Place& back : PlacesOf(frames_[static_cast<size_t>(place.frame)])) {
        if (back.node == kEnd) {
          accepts_ = true;
        } else {
          open_.push_back(back);
        }
      }
    }
  }
  for (const GrammarAutomaton::Call& call : automaton_->calls(node)) {
    pending_.push_back({automaton_->rank(call.rule), call.rule, {call.back, place.frame}});
    std::push_heap(pending_.begin(), pending_.end(),
                   [](const Pending& a, const Pending& b) { return a.rank > b.rank; });
  }
}

void GrammarStates::AddReturn(Place back) {
  if (!automaton_->node(back.node).only_final()) {
    returns_.push_back(back);
  } else if (back.frame == kBottom) {
    returns_.push_back({kEnd, kBottom});
  } else {
    const auto places = PlacesOf(frames_[static_cast<size_t>(back.frame)]);
    if (places.size() > kTailMax) {  // copied from frame to frame they would become ever more
      returns_.push_back(back);
    } else {
      returns_.insert(returns_.end(), places.begin(), places.end());
    }
  }
}

// Enters the called rule of the smallest rank: nobody else at this place can call it any more.
void GrammarStates::EnterNext() {
  returns_.clear();
  const int32_t rule = pending_.front().rule;
  while (!pending_.empty() && pending_.front().rule == rule) {
    AddReturn(pending_.front().back);
    std::pop_heap(pending_.begin(), pending_.end(),
                  [](const Pending& a, const Pending& b) { return a.rank > b.rank; });
    pending_.pop_back();
  }
  open_.push_back({automaton_->start(rule), FrameOf(returns_)});
}

GrammarStates::Situation GrammarStates::Close() {
  met_.Clear();
  found_.clear();
  accepts_ = false;
  size_t visits = 0;
  while (!open_.empty() || !pending_.empty()) {
    if (++visits > kPlacesMax && !found_.empty()) break;
    if (open_.empty()) EnterNext();
    const Place place = open_.back();
    open_.pop_back();
    Visit(place);
  }
  pending_.clear();
  Order(found_);
  return SituationOf(found_, accepts_);
}

GrammarStates::Situation GrammarStates::Compute(Situation from, uint8_t byte_class) {
  const auto index = static_cast<size_t>(from);
  if (from == kDead) return kDead;
  if (situations_[index].next.empty()) {
    const auto classes = static_cast<size_t>(automaton_->class_count());
    situations_[index].next.assign(classes, -1);
    next_bytes_ += classes * sizeof(Situation);
  }
  open_.clear();
  for (const Place& place : PlacesOf(situations_[index])) {
    for (const auto& move : automaton_->moves(automaton_->node(place.node))) {
      if (automaton_->Contains(move.set, byte_class)) open_.push_back({move.to, place.frame});
    }
  }
  const Situation to = open_.empty() ? kDead : Close();
  situations_[index].next[byte_class] = to;
  return to;
}

GrammarStates::Situation GrammarStates::Import(const GrammarStates& other, Situation s) {
  const Known& known = other.situations_[static_cast<size_t>(s)];
  // All frames below it; a frame's number is larger than those it returns to.
  std::vector<int32_t> numbers(other.frames_.size(), -1);
  std::vector<int32_t> wanted;
  const auto want = [&](std::span<const Place> places) {
    for (const Place& place : places) {
      int32_t& number = numbers[static_cast<size_t>(place.frame)];
      if (number < 0) wanted.push_back(place.frame);
      number = 0;
    }
  };
  want(other.PlacesOf(known));
  for (size_t i = 0; i < wanted.size(); ++i) {
    want(other.PlacesOf(other.frames_[static_cast<size_t>(wanted[i])]));
  }
  std::sort(wanted.begin(), wanted.end());
  std::vector<Place> places;
  const auto translate = [&](std::span<const Place> from) {
    places.assign(from.begin(), from.end());
    for (Place& place : places) place.frame = numbers[static_cast<size_t>(place.frame)];
  };
  for (const int32_t frame : wanted) {
    translate(other.PlacesOf(other.frames_[static_cast<size_t>(frame)]));
    numbers[static_cast<size_t>(frame)] = frame == kBottom ? kBottom : FrameOf(places);
  }
  translate(other.PlacesOf(known));
  return SituationOf(places, known.accepts);
}

size_t GrammarStates::size_bytes() const {
  return frames_.capacity() * sizeof(Frame) + frame_places_.capacity() * sizeof(Place) +
         situations_.capacity() * sizeof(Known) + places_.capacity() * sizeof(Place) +
         frame_table_.size_bytes() + situation_table_.size_bytes() + next_bytes_;
}

}  // namespace tutti::text
