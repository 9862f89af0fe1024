#include "tutti/scheduler/planner.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "tutti/base/check.h"

namespace tutti::scheduler {
namespace {

// The last token of a prompt gives a generated one, as every later one does.
double ValueOf(const Share& share) {
  const bool generates = share.tokens == share.sequence->pending();
  return share.tokens - 1 + (generates ? kGeneratedWeight : 1);
}

// Tokens that may be found: of the last one the logits are wanted, so it is computed.
std::span<const TokenId> Findable(const Sequence& sequence) {
  const auto pending = sequence.PendingTokens();
  return pending.first(pending.size() - 1);
}

}  // namespace

void Planner::Join(Sequence& sequence, SequenceId id, int32_t held) {
  sequence.id = id;
  sequence.held = held;
  running_.push_back(&sequence);
  tenants_.Started(sequence.request->tenant);
}

void Planner::Release(Sequence& sequence) {
  engine_.EndSequence(sequence.id);
  sequence.id = -1;
  sequence.held = 0;
  std::erase(running_, &sequence);
  std::erase(started_, &sequence);
  const auto share = std::find_if(plan_.begin(), plan_.end(), [&](const Share& candidate) {
    return candidate.sequence == &sequence;
  });
  if (share != plan_.end()) {
    tokens_left_ += share->tokens;
    planned_pages_ -= share->pages;
    plan_.erase(share);
  }
}

// A tenant with this sequence only is there all the time: it waits before it has stopped running.
void Planner::GiveBack(Sequence& sequence) {
  Release(sequence);
  tenants_.Wait(sequence);
  tenants_.Stopped(sequence.request->tenant);
}

void Planner::Drop(Sequence& sequence) {
  if (sequence.waiting) tenants_.StopWaiting(sequence);
  if (!sequence.running()) return;
  Release(sequence);
  tenants_.Stopped(sequence.request->tenant);
}

void Planner::Preempt(Sequence& sequence) {
  ++preemptions_;
  GiveBack(sequence);
}

const std::vector<Share>& Planner::Plan(double now_s) {
  now_s_ = now_s;
  plan_.clear();
  started_.clear();
  planned_pages_ = 0;
  memory_is_short_ = false;
  CatchUp();
  PlanGeneration();
  const int64_t generating = std::ssize(plan_);
  const double time_s = (generating > 0 ? options_.step_ms : options_.prompt_step_ms) / 1000;
  tokens_left_ = times_.TokensWithin(time_s, generating + options_.least_prompt_tokens,
                                     options_.max_step_tokens) -
                 generating;
  PlanPrompts();
  StartSome();
  TUTTI_CHECK(!plan_.empty() || (running_.empty() && waiting() == 0), "a step without work");
  return plan_;
}

void Planner::Computed(double seconds) {
  for (const Share& share : plan_) tenants_.Serve(share.sequence->request->tenant, ValueOf(share));
  times_.Measured(planned_tokens(), seconds);
}

void Planner::Accepted(const Sequence& sequence, int32_t drafts) {
  tenants_.Serve(sequence.request->tenant, drafts * kGeneratedWeight);
}

int64_t Planner::planned_tokens() const {
  int64_t tokens = 0;
  for (const Share& share : plan_) tokens += share.tokens + share.drafts;
  return tokens;
}

double Planner::planned_value() const {
  double value = 0;
  for (const Share& share : plan_) value += ValueOf(share);
  return value;
}

void Planner::AddDrafts(size_t index, int32_t drafts) {
  Share& share = plan_[index];
  planned_pages_ -= share.pages;
  while (drafts > 0 && PagesMissing(*share.sequence, share.tokens + drafts) > PagesLeft()) --drafts;
  share.drafts = drafts;
  share.pages = PagesMissing(*share.sequence, share.tokens + drafts);
  planned_pages_ += share.pages;
}

// What others have computed since the last step need not be computed again.
void Planner::CatchUp() {
  for (Sequence* sequence : running_) {
    if (sequence->pending() <= 1) continue;
    const int32_t found =
        engine_.Recall(sequence->id, sequence->request->tenant, Findable(*sequence));
    Bill(*sequence, found, false, total_);
  }
}

void Planner::Add(Sequence& sequence, int32_t tokens) {
  const int64_t pages = PagesMissing(sequence, tokens);
  planned_pages_ += pages;
  tokens_left_ -= tokens;
  plan_.push_back({&sequence, tokens, pages});
}

void Planner::PlanGeneration() {
  std::vector<Sequence*> order = running_;
  std::erase_if(order, [](const Sequence* s) { return s->pending() != 1; });
  const auto rank = [&](const Sequence* s) {
    return std::tuple(!Interactive(*s), s->request->order, s->choice);
  };
  std::sort(order.begin(), order.end(),
            [&](const Sequence* a, const Sequence* b) { return rank(a) < rank(b); });
  for (Sequence* sequence : order) {
    if (std::ssize(plan_) == options_.max_step_tokens) return;
    if (sequence->running() && MakeRoom(*sequence, 1)) Add(*sequence, 1);
  }
}

void Planner::PlanPrompts() {
  std::vector<Sequence*> order = running_;
  std::erase_if(order, [](const Sequence* s) { return s->pending() == 1; });
  const auto rank = [&](const Sequence* s) {
    return std::tuple(!Interactive(*s), tenants_.Served(s->request->tenant), s->request->order,
                      s->choice);
  };
  std::sort(order.begin(), order.end(),
            [&](const Sequence* a, const Sequence* b) { return rank(a) < rank(b); });
  for (Sequence* sequence : order) {
    if (sequence->running()) AddPrompt(*sequence);
  }
}

void Planner::AddPrompt(Sequence& sequence) {
  if (tokens_left_ <= 0 || AnotherComputesItsPage(sequence)) return;
  auto tokens = static_cast<int32_t>(std::min<int64_t>(sequence.pending(), tokens_left_));
  while (PagesMissing(sequence, tokens) > PagesLeft()) {
    // Alone, it lacks a page at most: the one of which it has found a part, until that is copied.
    Sequence* victim = running_.size() > 1 ? Victim() : &sequence;
    if (victim != &sequence) {
      memory_is_short_ = true;
      Preempt(*victim);
      continue;
    }
    // To the end of the page before.
    const int32_t page = engine_.pages().page_tokens;
    tokens = (sequence.held + tokens - 1) / page * page - sequence.held;
    if (tokens > 0) continue;
    if (running_.size() > 1) return;
    tokens = 1;  // the engine will say what is wrong
    break;
  }
  Add(sequence, tokens);
}

bool Planner::AnotherComputesItsPage(const Sequence& sequence) const {
  const int32_t page = engine_.pages().page_tokens;
  const auto end = static_cast<size_t>((sequence.held / page + 1) * page);
  const TokenIds& tokens = sequence.answer.tokens();
  if (end >= tokens.size()) return false;
  return std::any_of(plan_.begin(), plan_.end(), [&](const Share& share) {
    const Sequence& other = *share.sequence;
    const TokenIds& others = other.answer.tokens();
    return &other != &sequence && other.request->tenant == sequence.request->tenant &&
           other.held >= sequence.held && other.held < static_cast<int32_t>(end) &&
           others.size() >= end &&
           std::equal(tokens.begin(), tokens.begin() + static_cast<ptrdiff_t>(end), others.begin());
  });
}

Sequence* Planner::Victim(const Sequence* spared) const {
  const auto rank = [&](const Sequence* s) {
    return std::tuple(s != spared, !Interactive(*s), tenants_.Running(s->request->tenant),
                      s->request->order, s->choice);
  };
  const auto it =
      std::max_element(running_.begin(), running_.end(),
                       [&](const Sequence* a, const Sequence* b) { return rank(a) < rank(b); });
  return it == running_.end() || *it == spared ? nullptr : *it;
}

bool Planner::MakeRoom(Sequence& sequence, int32_t tokens) {
  while (PagesMissing(sequence, tokens) > PagesLeft() && running_.size() > 1) {
    memory_is_short_ = true;
    Sequence* victim = Victim();
    Preempt(*victim);
    if (victim == &sequence) return false;
  }
  return true;
}

bool Planner::MakeOthersGiveWay(const Sequence& candidate, bool for_memory) {
  Sequence* victim = Victim(&candidate);
  if (victim == nullptr) return false;
  const bool before = Interactive(candidate) && !Interactive(*victim);
  const bool equal = Interactive(candidate) == Interactive(*victim);
  const bool fairer =
      tenants_.Running(victim->request->tenant) > tenants_.Running(candidate.request->tenant);
  if (!before && !(equal && fairer && !for_memory)) return false;
  Preempt(*victim);
  return true;
}

bool Planner::Start(Sequence& sequence) {
  const Result<SequenceId> id = engine_.NewSequence();
  if (!id.ok()) return false;
  Join(sequence, *id, 0);
  tenants_.StopWaiting(sequence);  // afterwards: its tenant never leaves
  sequence.held = engine_.Recall(*id, sequence.request->tenant, Findable(sequence));
  return true;
}

bool Planner::AllFit() const {
  if (running_.size() == 1) return true;
  int64_t missing = 0;
  for (const Sequence* other : running_) missing += PagesMissing(*other, other->pending());
  return missing <= engine_.pages().available();
}

void Planner::StartSome() {
  bool somebody_gave_way = false;
  while (tokens_left_ > 0 && !memory_is_short_ && !somebody_gave_way) {
    Sequence* sequence = tenants_.Next(now_s_);
    if (sequence == nullptr || !Start(*sequence)) return;
    while (!AllFit() || std::ssize(running_) > options_.max_running) {
      if (!MakeOthersGiveWay(*sequence, !AllFit())) {
        GiveBack(*sequence);
        return;
      }
      somebody_gave_way = true;  // and does not come back in the same step
    }
    const int32_t found = std::exchange(sequence->held, 0);
    Bill(*sequence, found, false, total_);
    started_.push_back(sequence);
    AddPrompt(*sequence);
  }
}

}  // namespace tutti::scheduler
