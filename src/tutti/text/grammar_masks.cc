#include <algorithm>
#include <mutex>
#include <utility>

#include "tutti/base/check.h"
#include "tutti/text/grammar.h"
#include "tutti/text/grammar_compiled.h"
#include "tutti/text/grammar_states.h"

namespace tutti::text {
namespace {

using Situation = GrammarStates::Situation;
using Mask = std::vector<uint32_t>;

// Of one mask. A tree of 300,000 nodes takes as many where few situations are met; what is not
// decided when they are used up is allowed as single bytes only. Counted alike whether something
// was known before or not: masks do not depend on what others asked.
constexpr int64_t kStepsMax = 4'000'000;
constexpr int64_t kStepsPerSituation = 64;
// What is remembered is thrown away beyond this.
constexpr size_t kMemoryMax = size_t{48} << 20;

void Set(Mask& mask, TokenId id) { mask[static_cast<size_t>(id) / 32] |= uint32_t{1} << (id % 32); }

// What is known; replaced as a whole when it has grown too large. Answers keep the one that their
// situation and mask are in.
struct Memory {
  explicit Memory(const GrammarAutomaton& automaton) : states(automaton) {}

  size_t size_bytes() const { return states.size_bytes() + mask_bytes; }

  GrammarStates states;
  std::vector<std::unique_ptr<Mask>> masks;  // [situations], null: not asked for yet
  size_t mask_bytes = 0;
  size_t max_bytes = kMemoryMax;
  std::vector<uint32_t> stamps;  // [situations] last walk that met it
  uint32_t walk = 0;
};

class Masks final : public GrammarMasks {
 public:
  Masks(GrammarAutomaton automaton, double share,
        std::shared_ptr<const GrammarVocabulary> vocabulary)
      : automaton_(std::move(automaton)),
        share_(share),
        vocabulary_(std::move(vocabulary)),
        memory_(std::make_shared<Memory>(automaton_)) {}

  size_t size_bytes() const override {
    const std::lock_guard lock(mutex_);
    return automaton_.size_bytes() + memory_->size_bytes();
  }
  double share() const override { return share_; }

  const GrammarVocabulary& vocabulary() const { return *vocabulary_; }

  // Where an answer is.
  struct Position {
    std::shared_ptr<Memory> memory;  // shared: the newest one may be another
    Situation situation = GrammarStates::kDead;
  };
  Position Start() const {
    const std::lock_guard lock(mutex_);
    return {memory_, memory_->states.start()};
  }
  const Mask& MaskOf(Position& position);
  // False where no text of the grammar goes on like that.
  bool AdvanceText(Position& position, std::string_view text) const;
  void Advance(Position& position, TokenId token);
  bool OnlyEnds(const Position& position) const {
    const std::lock_guard lock(mutex_);
    return !position.memory->states.GoesOn(position.situation);
  }

 private:
  Mask Compute(Memory& memory, Situation situation) const;
  // Characters of plain text that may follow in any case; INT32_MAX: any number.
  int32_t PlainRoom(Memory& memory, Situation situation, int64_t& steps) const;
  bool AddPlainNext(Memory& memory, Situation from, std::vector<Situation>& next,
                    int64_t& steps) const;
  bool Walk(Memory& memory, Situation from, const GrammarVocabulary::Tree& tree, Mask& mask,
            int64_t& steps) const;
  void Renew(Position& position);

  const GrammarAutomaton automaton_;
  const double share_;
  const std::shared_ptr<const GrammarVocabulary> vocabulary_;
  mutable std::mutex mutex_;  // of memory_ and of all memories that answers still hold
  std::shared_ptr<Memory> memory_;
};

// Brings the answer to the newest memory; begins a new one where that has grown too large.
void Masks::Renew(Position& position) {
  if (memory_->size_bytes() > memory_->max_bytes) {
    memory_ = std::make_shared<Memory>(automaton_);
    memory_->max_bytes = 0;
  }
  if (position.memory == memory_) return;
  const bool is_new = memory_->max_bytes == 0;
  position.situation = memory_->states.Import(position.memory->states, position.situation);
  position.memory = memory_;
  if (is_new) memory_->max_bytes = std::max(kMemoryMax, 4 * memory_->size_bytes());
}

const Mask& Masks::MaskOf(Position& position) {
  const std::lock_guard lock(mutex_);
  Renew(position);
  Memory& memory = *position.memory;
  const auto index = static_cast<size_t>(position.situation);
  if (memory.masks.size() <= index) memory.masks.resize(memory.states.situations());
  if (!memory.masks[index]) {
    auto mask = std::make_unique<Mask>(Compute(memory, position.situation));
    memory.mask_bytes += mask->size() * sizeof(uint32_t);
    memory.masks.resize(memory.states.situations());
    memory.masks[index] = std::move(mask);
  }
  return *memory.masks[index];
}

bool Masks::AdvanceText(Position& position, std::string_view text) const {
  const std::lock_guard lock(mutex_);
  for (const char c : text) {
    position.situation = position.memory->states.Next(position.situation,
                                                      automaton_.ClassOf(static_cast<uint8_t>(c)));
  }
  return position.situation != GrammarStates::kDead;
}

void Masks::Advance(Position& position, TokenId token) {
  const std::string_view bytes = vocabulary_->Bytes(token);
  TUTTI_CHECK(!bytes.empty() && AdvanceText(position, bytes), "a token that was not allowed");
}

// The situations after each plain character from `from`; false where one is not possible.
bool Masks::AddPlainNext(Memory& memory, Situation from, std::vector<Situation>& next,
                         int64_t& steps) const {
  // First byte, last byte and how many follow, by the table of well-formed UTF-8.
  struct Lead {
    int first;
    int last;
    int second_first;
    int second_last;
    int more;
  };
  constexpr Lead kLeads[] = {{0xC2, 0xDF, 0, 0, 1}, {0xE0, 0xE0, 0xA0, 0xBF, 1},
                             {0xE1, 0xEC, 0, 0, 2}, {0xED, 0xED, 0x80, 0x9F, 1},
                             {0xEE, 0xEF, 0, 0, 2}, {0xF0, 0xF0, 0x90, 0xBF, 2},
                             {0xF1, 0xF3, 0, 0, 3}, {0xF4, 0xF4, 0x80, 0x8F, 2}};
  const auto step = [&](std::vector<Situation>& all, int first, int last) {
    std::vector<Situation> after;
    for (const Situation s : all) {
      std::bitset<256> done;
      for (int byte = first; byte <= last; ++byte) {
        if (byte < 0x80 && !IsPlainByte(static_cast<uint8_t>(byte))) continue;
        const uint8_t byte_class = automaton_.ClassOf(static_cast<uint8_t>(byte));
        if (done.test(byte_class)) continue;
        done.set(byte_class);
        steps += 1 + memory.states.Work(s) / 4;
        after.push_back(memory.states.Next(s, byte_class));
        if (after.back() == GrammarStates::kDead) return false;
      }
    }
    std::sort(after.begin(), after.end());
    after.erase(std::unique(after.begin(), after.end()), after.end());
    all = std::move(after);
    return true;
  };
  std::vector<Situation> open = {from};
  if (!step(open, 0x20, 0x7F)) return false;
  next.insert(next.end(), open.begin(), open.end());
  for (const Lead& lead : kLeads) {
    open = {from};
    if (!step(open, lead.first, lead.last)) return false;
    if (lead.second_first != 0 && !step(open, lead.second_first, lead.second_last)) return false;
    for (int i = 0; i < lead.more; ++i) {
      if (!step(open, 0x80, 0xBF)) return false;
    }
    next.insert(next.end(), open.begin(), open.end());
  }
  return true;
}

int32_t Masks::PlainRoom(Memory& memory, Situation situation, int64_t& steps) const {
  constexpr size_t kSituationsMax = 64;
  std::vector<Situation> met = {situation};  // sorted
  std::vector<Situation> level = {situation};
  for (int32_t room = 0; room < GrammarVocabulary::kPlainLengths[1]; ++room) {
    std::vector<Situation> next;
    for (const Situation s : level) {
      if (!AddPlainNext(memory, s, next, steps)) return room;
    }
    std::sort(next.begin(), next.end());
    next.erase(std::unique(next.begin(), next.end()), next.end());
    level.clear();
    std::set_difference(next.begin(), next.end(), met.begin(), met.end(),
                        std::back_inserter(level));
    if (level.empty()) return INT32_MAX;
    if (met.size() + level.size() > kSituationsMax) return room + 1;
    std::vector<Situation> both;
    std::merge(met.begin(), met.end(), level.begin(), level.end(), std::back_inserter(both));
    met = std::move(both);
    level = std::move(next);
  }
  return GrammarVocabulary::kPlainLengths[1];
}

// False where the steps were used up.
bool Masks::Walk(Memory& memory, Situation from, const GrammarVocabulary::Tree& tree, Mask& mask,
                 int64_t& steps) const {
  GrammarStates& states = memory.states;
  std::vector<Situation> path(static_cast<size_t>(vocabulary_->depth()) + 1);
  path[0] = from;
  const uint32_t walk = ++memory.walk;
  const std::array<uint8_t, 256>& classes = automaton_.classes();
  for (size_t i = 0; i < tree.size();) {
    const GrammarVocabulary::TreeNode& node = tree[i];
    const Situation at = path[node.depth];
    const auto index = static_cast<size_t>(at);
    if (memory.stamps.size() <= index) memory.stamps.resize(states.situations(), 0);
    const int64_t work = states.Work(at);
    steps += 1 + work / 4;
    if (std::exchange(memory.stamps[index], walk) != walk) steps += kStepsPerSituation + work;
    if (steps > kStepsMax) return false;
    const Situation to = states.Next(at, classes[node.byte]);
    if (to == GrammarStates::kDead) {
      i = node.next;
      continue;
    }
    path[node.depth + size_t{1}] = to;
    for (TokenId id = node.token; id >= 0; id = vocabulary_->Twin(id)) Set(mask, id);
    ++i;
  }
  return true;
}

Mask Masks::Compute(Memory& memory, Situation situation) const {
  int64_t steps = 0;
  const int32_t room = PlainRoom(memory, situation, steps);
  const GrammarVocabulary::Tree* tree = &vocabulary_->tree();
  Mask mask;
  for (size_t i = 0; i < GrammarVocabulary::kPlainLengths.size(); ++i) {
    const int32_t length =
        std::min(GrammarVocabulary::kPlainLengths[i], vocabulary_->plain_length());
    if (room < length) continue;
    mask = vocabulary_->rest(i).plain;
    tree = &vocabulary_->rest(i).tree;
  }
  mask.resize(vocabulary_->mask_words(), 0);
  if (!Walk(memory, situation, *tree, mask, steps)) {
    for (int byte = 0; byte < 256; ++byte) {
      const auto value = static_cast<uint8_t>(byte);
      const TokenId id = vocabulary_->single_byte(value);
      if (id >= 0 && memory.states.Next(situation, automaton_.ClassOf(value)) != 0) Set(mask, id);
    }
  }
  if (memory.states.Accepts(situation)) {
    for (const TokenId id : vocabulary_->ends()) Set(mask, id);
  }
  return mask;
}

class GrammarConstraint final : public TokenConstraint {
 public:
  GrammarConstraint(std::shared_ptr<Masks> masks, Masks::Position position)
      : masks_(std::move(masks)), position_(std::move(position)) {}

  std::unique_ptr<TokenConstraint> Clone() const override {
    return std::make_unique<GrammarConstraint>(*this);
  }
  std::span<const uint32_t> Allowed() override { return masks_->MaskOf(position_); }
  void Accept(TokenId token) override {
    if (masks_->vocabulary().IsEnd(token)) {
      ended_ = true;
    } else {
      masks_->Advance(position_, token);
    }
  }
  bool Ended() const override { return ended_ || masks_->OnlyEnds(position_); }

 private:
  std::shared_ptr<Masks> masks_;  // shared by all answers of the grammar
  Masks::Position position_;
  bool ended_ = false;
};

}  // namespace

Result<std::shared_ptr<GrammarMasks>> GrammarMasks::Create(
    std::shared_ptr<const Grammar> grammar, std::shared_ptr<const GrammarVocabulary> vocabulary) {
  auto automaton =
      GrammarAutomaton::Create(grammar->rules(), grammar->root(), vocabulary->single_bytes());
  if (!automaton.ok()) {
    return Unsupported(
        "the model's vocabulary has too few single bytes for this grammar; models with byte "
        "tokens can follow it");
  }
  return std::shared_ptr<GrammarMasks>(std::make_shared<Masks>(
      std::move(automaton).value(), grammar->rules().share(), std::move(vocabulary)));
}

std::unique_ptr<TokenConstraint> Constrain(std::shared_ptr<GrammarMasks> grammar_masks,
                                           std::string_view text) {
  // There is no other kind.
  auto masks = std::static_pointer_cast<Masks>(std::move(grammar_masks));
  Masks::Position position = masks->Start();
  if (!masks->AdvanceText(position, text)) return nullptr;
  return std::make_unique<GrammarConstraint>(std::move(masks), std::move(position));
}

}  // namespace tutti::text
