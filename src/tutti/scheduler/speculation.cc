#include "tutti/scheduler/speculation.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "tutti/base/check.h"

namespace tutti::scheduler {
namespace {

// Weight of the newest draft in how many are right: of a sequence, and of all.
constexpr double kNewest = 0.1;
constexpr double kNewestOfAll = 0.05;
// Of what is known about a sequence, in each step without drafts: it may be like the others again.
constexpr double kForgotten = 0.002;
// No source is so good or so bad that it need not be asked again.
constexpr double kLeastAccepted = 0.02;
constexpr double kMostAccepted = 0.98;
// Speed that must be gained, in expectation: predictions are not exact.
constexpr double kWorthwhile = 1.05;
// Steps without any drafts, after which some are verified whatever they cost.
constexpr int64_t kTryAgainSteps = 64;

double Weighted(double average, double weight, bool right) {
  average += weight * ((right ? 1 : 0) - average);
  return std::clamp(average, kLeastAccepted, kMostAccepted);
}

}  // namespace

double Speculation::Accepted(const Sequence& sequence, DraftSource source) const {
  const double own = sequence.accepted[static_cast<size_t>(source)];
  return own < 0 ? accepted_[static_cast<size_t>(source)] : own;
}

std::vector<Speculation::Candidate> Speculation::Candidates(std::span<const Share> plan) {
  std::vector<Candidate> candidates;
  for (size_t i = 0; i < plan.size(); ++i) {
    Sequence& sequence = *plan[i].sequence;
    sequence.drafts.clear();
    if (sequence.pending() != 1 || !sequence.request->prompt_done) continue;
    // The step gives one token more than there are drafts.
    const int32_t most = std::min(options_.max_drafts, sequence.answer.remaining() - 1);
    if (most <= 0) continue;
    const double by_model =
        model_.usable() ? Accepted(sequence, DraftSource::kModel) : kLeastAccepted;
    if (options_.prompt_lookup && Accepted(sequence, DraftSource::kLookup) >= by_model) {
      sequence.drafts = sequence.lookup.Draft(sequence.answer.tokens(), most);
    }
    const bool found = !sequence.drafts.empty();
    if (!found && !model_.usable()) continue;
    sequence.source = found ? DraftSource::kLookup : DraftSource::kModel;
    candidates.push_back({.share = i, .source = sequence.source, .most = most});
  }
  return candidates;
}

// The number of drafts with the highest speed: the likely ones first, whosoever they are.
void Speculation::Choose(std::span<Candidate> candidates, const Planner& planner) {
  struct Item {
    double chance;  // that this draft and those before it are right
    int32_t number;
    Candidate* candidate;
  };
  std::vector<Item> items;
  for (Candidate& candidate : candidates) {
    const Sequence& sequence = *planner.plan()[candidate.share].sequence;
    double chance = 1;
    for (int32_t number = 1; number <= candidate.most; ++number) {
      chance *= Accepted(sequence, candidate.source);
      items.push_back({chance, number, &candidate});
    }
  }
  std::stable_sort(items.begin(), items.end(),
                   [](const Item& a, const Item& b) { return a.chance > b.chance; });

  const int64_t tokens = planner.planned_tokens();
  const StepTimes& times = planner.times();
  const double without_s = times.Predict(tokens);
  if (without_s <= 0) return;  // nothing was measured yet
  const double most_s = std::max(options_.prompt_step_ms / 1000, 2 * without_s);
  const double value = planner.planned_value();
  const bool try_again = steps_without_ >= kTryAgainSteps;
  double best_speed = try_again ? 0 : value / without_s * kWorthwhile;
  double gain = 0;
  int64_t by_model = 0;  // sequences
  int32_t model_steps = 0;
  size_t chosen = 0;
  for (size_t i = 0; i < items.size(); ++i) {
    const int64_t with = tokens + static_cast<int64_t>(i) + 1;
    if (with > options_.max_step_tokens) break;
    gain += items[i].chance * kGeneratedWeight;
    if (items[i].candidate->source == DraftSource::kModel) {
      by_model += items[i].number == 1 ? 1 : 0;
      model_steps = std::max(model_steps, items[i].number);
    }
    const double seconds = times.Predict(with) + model_.Predict(by_model, model_steps);
    if (seconds > most_s) break;
    const double speed = (value + gain) / seconds;
    if (speed <= best_speed) continue;
    best_speed = speed;
    chosen = i + 1;
  }
  for (size_t i = 0; i < chosen; ++i) ++items[i].candidate->chosen;
  steps_without_ = chosen > 0 ? 0 : steps_without_ + 1;
}

void Speculation::AskModel(std::span<Candidate> candidates, std::span<const Share> plan) {
  std::vector<DraftJob> jobs;
  for (const Candidate& candidate : candidates) {
    if (candidate.source != DraftSource::kModel || candidate.chosen == 0) continue;
    jobs.push_back({.sequence = plan[candidate.share].sequence, .wanted = candidate.chosen});
  }
  model_.Draft(jobs);
  for (DraftJob& job : jobs) job.sequence->drafts = std::move(job.drafts);
}

void Speculation::Draft(Planner& planner) {
  std::vector<Candidate> candidates = Candidates(planner.plan());
  if (candidates.empty()) return;
  Choose(candidates, planner);
  AskModel(candidates, planner.plan());
  for (const Candidate& candidate : candidates) {
    const Sequence& sequence = *planner.plan()[candidate.share].sequence;
    const auto drafts = static_cast<int32_t>(sequence.drafts.size());
    planner.AddDrafts(candidate.share, std::min(candidate.chosen, drafts));
  }
}

void Speculation::Learn(Sequence& sequence, size_t size, int32_t verified, int32_t accepted) {
  const auto source = static_cast<size_t>(sequence.source);
  counts_[source].drafted += verified;
  counts_[source].accepted += accepted;
  // Whether or not they were verified.
  const auto answered = std::span(sequence.answer.tokens()).subspan(size);
  double& own = sequence.accepted[source];
  if (own < 0) own = accepted_[source];
  if (sequence.drafts.empty()) own += kForgotten * (accepted_[source] - own);
  for (size_t i = 0; i < std::min(answered.size(), sequence.drafts.size()); ++i) {
    const bool right = answered[i] == sequence.drafts[i];
    own = Weighted(own, kNewest, right);
    accepted_[source] = Weighted(accepted_[source], kNewestOfAll, right);
    if (!right) break;
  }
  sequence.drafts.clear();
  model_.Follow(sequence);
}

}  // namespace tutti::scheduler
