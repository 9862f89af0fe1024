#include "tutti/scheduler/draft_model.h"

#include <algorithm>
#include <set>
#include <utility>

#include "tutti/base/check.h"

namespace tutti::scheduler {
namespace {

// Of a step's time, for prompts that the draft model has to read as well.
constexpr double kCatchUpShare = 0.25;
constexpr int64_t kLeastCatchUpTokens = 16;

}  // namespace

DraftModel::Place DraftModel::PlaceOf(const Sequence& sequence) {
  return {sequence.request->order, sequence.choice};
}

bool DraftModel::HasRoom(SequenceId id, int32_t tokens, int64_t& pages) const {
  if (engine_->Length(id) + tokens > engine_->context()) return false;
  const int64_t missing = engine_->PagesMissing(id, tokens);
  if (pages + missing > engine_->pages().available()) return false;
  pages += missing;
  return true;
}

// One step; a row of logits for each job, from which its next draft is sampled.
bool DraftModel::Forward(const Batch& batch, std::span<DraftJob* const> jobs) {
  if (batch.entries.empty()) return false;
  int64_t tokens = 0;
  for (const BatchEntry& entry : batch.entries) tokens += std::ssize(entry.tokens);
  const double begin_s = options_.now_s();
  const Result<StepResult> result = engine_->Forward(batch);
  if (!result.ok()) {
    error_ = result.status().message();
    return false;
  }
  times_.Measured(tokens, options_.now_s() - begin_s);
  const auto vocab = static_cast<size_t>(engine_->spec().vocab_size);
  size_t row = 0;
  for (DraftJob* job : jobs) {
    const std::span<const float> logits(result->logits.data() + row++ * vocab, vocab);
    const engine::Answer& answer = job->sequence->answer;
    TokenIds history = answer.tokens();
    history.insert(history.end(), job->drafts.begin(), job->drafts.end());
    engine::Sampler sampler = answer.sampler();
    // Each draft takes one number from the sampler, as each token of the answer will.
    for (size_t i = 0; i < job->drafts.size(); ++i) sampler.SkipDraw();
    const Result<engine::SampledToken> token = sampler.Sample(logits, history);
    if (!token.ok()) {
      job->wanted = 0;  // the draft model says nothing here
      continue;
    }
    job->drafts.push_back(token->id);
  }
  return true;
}

void DraftModel::Open(const Sequence& sequence) {
  if (sequences_.contains(PlaceOf(sequence))) return;
  const Result<SequenceId> id = engine_->NewSequence();
  if (!id.ok()) return;
  sequences_[PlaceOf(sequence)] = *id;
  const std::span<const TokenId> tokens = sequence.answer.tokens();
  engine_->Recall(*id, sequence.request->tenant, tokens.first(tokens.size() - 1));
}

void DraftModel::CatchUp(std::span<DraftJob> jobs) {
  int64_t tokens_left =
      times_.TokensWithin(options_.step_ms / 1000 * kCatchUpShare,
                          kLeastCatchUpTokens + std::ssize(jobs), options_.max_step_tokens);
  Batch batch;
  std::vector<DraftJob*> complete;
  int64_t pages = 0;
  for (DraftJob& job : jobs) {
    const auto it = sequences_.find(PlaceOf(*job.sequence));
    if (it == sequences_.end()) continue;
    const TokenIds& tokens = job.sequence->answer.tokens();
    const SequenceId id = it->second;
    const auto missing = std::span(tokens).subspan(static_cast<size_t>(engine_->Length(id)));
    const auto count = static_cast<int32_t>(std::min<int64_t>(std::ssize(missing), tokens_left));
    if (count == 0 || !HasRoom(id, count, pages)) continue;
    tokens_left -= count;
    const bool all = count == std::ssize(missing);
    if (all) complete.push_back(&job);
    batch.entries.push_back({.sequence = id,
                             .tokens = missing.first(static_cast<size_t>(count)),
                             .logits = all ? LogitsWanted::kLast : LogitsWanted::kNone});
  }
  Forward(batch, complete);
}

bool DraftModel::GoOn(std::span<DraftJob> jobs) {
  Batch batch;
  std::vector<DraftJob*> more;
  int64_t pages = 0;
  for (DraftJob& job : jobs) {
    if (job.drafts.empty() || std::ssize(job.drafts) >= job.wanted) continue;
    const SequenceId id = sequences_.at(PlaceOf(*job.sequence));
    if (!HasRoom(id, 1, pages)) continue;
    more.push_back(&job);
    batch.entries.push_back({.sequence = id, .tokens = std::span(job.drafts).last(1), .drafts = 1});
  }
  return Forward(batch, more);
}

void DraftModel::Draft(std::span<DraftJob> jobs) {
  if (!usable() || jobs.empty()) return;
  // All of them first: what one finds, another one cannot have.
  for (const DraftJob& job : jobs) Open(*job.sequence);
  CatchUp(jobs);
  while (usable() && GoOn(jobs)) {
  }
}

void DraftModel::Follow(const Sequence& sequence) {
  if (engine_ == nullptr) return;
  const auto it = sequences_.find(PlaceOf(sequence));
  if (it == sequences_.end()) return;
  // All but the last token of the answer, which neither model has computed.
  const auto certain = static_cast<int32_t>(sequence.answer.tokens().size()) - 1;
  engine_->Truncate(it->second, std::min(engine_->Length(it->second), certain));
}

void DraftModel::Forget(std::span<Sequence* const> running) {
  if (sequences_.empty()) return;
  std::set<Place> places;
  for (const Sequence* sequence : running) places.insert(PlaceOf(*sequence));
  std::erase_if(sequences_, [&](const auto& entry) {
    if (places.contains(entry.first)) return false;
    engine_->EndSequence(entry.second);
    return true;
  });
}

}  // namespace tutti::scheduler
