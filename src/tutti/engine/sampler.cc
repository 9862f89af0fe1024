#include "tutti/engine/sampler.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <string_view>
#include <utility>

namespace tutti::engine {
namespace {

Status CheckRange(std::string_view name, double value, double low, double high) {
  if (value >= low && value <= high) return {};  // false for NaN
  return UsageError("{} is {}, it must be between {} and {}", name, value, low, high);
}

bool IsAllowed(std::span<const uint32_t> mask, size_t id) {
  return id / 32 < mask.size() && (mask[id / 32] >> (id % 32) & 1) != 0;
}

Status CheckSpec(const SamplingSpec& spec, int32_t vocab_size) {
  // Wide bounds: they keep the arithmetic finite, not the taste good.
  constexpr double kLargestPenalty = 100;
  TUTTI_RETURN_IF_ERROR(CheckRange("temperature", spec.temperature, 0, 100));
  TUTTI_RETURN_IF_ERROR(CheckRange("top_k", spec.top_k, 0, INT32_MAX));
  TUTTI_RETURN_IF_ERROR(CheckRange("top_p", spec.top_p, 0, 1));
  TUTTI_RETURN_IF_ERROR(CheckRange("min_p", spec.min_p, 0, 1));
  TUTTI_RETURN_IF_ERROR(
      CheckRange("repetition_penalty", spec.repetition_penalty, 0.01, kLargestPenalty));
  TUTTI_RETURN_IF_ERROR(
      CheckRange("presence_penalty", spec.presence_penalty, -kLargestPenalty, kLargestPenalty));
  TUTTI_RETURN_IF_ERROR(
      CheckRange("frequency_penalty", spec.frequency_penalty, -kLargestPenalty, kLargestPenalty));
  TUTTI_RETURN_IF_ERROR(CheckRange("penalty_window", spec.penalty_window, -1, INT32_MAX));
  TUTTI_RETURN_IF_ERROR(CheckRange("logprobs", spec.logprobs, -1, vocab_size));
  for (const auto& [id, bias] : spec.logit_bias) {
    if (id < 0 || id >= vocab_size) {
      return UsageError("logit_bias names token {}, the vocabulary has 0 to {}", id,
                        vocab_size - 1);
    }
    // -infinity is the usual way to forbid a token.
    if (std::isnan(bias) || bias == INFINITY) {
      return UsageError("logit_bias of token {} is {}, it must be a number", id, bias);
    }
  }
  return {};
}

}  // namespace

Result<Sampler> Sampler::Create(SamplingSpec spec, int32_t vocab_size) {
  if (vocab_size <= 0) return UsageError("a sampler needs a vocabulary, not {} tokens", vocab_size);
  TUTTI_RETURN_IF_ERROR(CheckSpec(spec, vocab_size));
  return Sampler(std::move(spec), vocab_size);
}

void Sampler::ApplyPenalties(std::span<const TokenId> history) {
  const bool repetition = spec_.repetition_penalty != 1;
  if (!repetition && spec_.presence_penalty == 0 && spec_.frequency_penalty == 0) return;
  if (spec_.penalty_window >= 0 && history.size() > static_cast<size_t>(spec_.penalty_window)) {
    history = history.last(static_cast<size_t>(spec_.penalty_window));
  }
  std::map<TokenId, int64_t> counts;
  for (const TokenId id : history) {
    if (id >= 0 && id < vocab_size_) ++counts[id];
  }
  for (const auto& [id, count] : counts) {
    double& logit = candidates_[static_cast<size_t>(id)].value;
    if (repetition) {
      logit = logit > 0 ? logit / spec_.repetition_penalty : logit * spec_.repetition_penalty;
    }
    logit -= spec_.presence_penalty + static_cast<double>(count) * spec_.frequency_penalty;
  }
}

// Puts the `count` best candidates to the front, in order; those that already are stay.
void Sampler::SortBest(size_t count) {
  count = std::min(count, candidates_.size());
  if (count <= sorted_) return;
  const auto better = [](const Candidate& a, const Candidate& b) {
    return a.value != b.value ? a.value > b.value : a.id < b.id;
  };
  const auto begin = candidates_.begin() + static_cast<ptrdiff_t>(sorted_);
  const auto end = candidates_.begin() + static_cast<ptrdiff_t>(count);
  if (end != candidates_.end()) std::nth_element(begin, end, candidates_.end(), better);
  std::sort(begin, end, better);
  sorted_ = count;
}

// Steps 3 and 4: turns logits into weights (1 for the best) and drops the unlikely ones.
void Sampler::KeepLikely() {
  if (spec_.top_k > 0 && static_cast<size_t>(spec_.top_k) < candidates_.size()) {
    SortBest(static_cast<size_t>(spec_.top_k));
    candidates_.resize(static_cast<size_t>(spec_.top_k));
  }
  double largest = -INFINITY;
  for (const Candidate& candidate : candidates_) largest = std::max(largest, candidate.value);
  double total = 0;
  for (Candidate& candidate : candidates_) {
    candidate.value = std::exp((candidate.value - largest) / spec_.temperature);
    total += candidate.value;
  }
  if (spec_.top_p < 1) {
    // Usually a few dozen tokens are enough; sorting all 150,000 would take longer than the draw.
    double sum = 0;
    size_t kept = 0;
    while (kept < candidates_.size() && (kept == 0 || sum < spec_.top_p * total)) {
      if (kept == sorted_) SortBest(std::max<size_t>(64, 2 * sorted_));
      sum += candidates_[kept++].value;
    }
    candidates_.resize(kept);
  }
  if (spec_.min_p > 0) {
    std::erase_if(candidates_, [&](const Candidate& c) { return c.value < spec_.min_p; });
  }
}

TokenId Sampler::Draw() {
  double total = 0;
  for (const Candidate& candidate : candidates_) total += candidate.value;
  const double target = rng_.NextDouble() * total;
  double sum = 0;
  TokenId last = kNoToken;
  for (const Candidate& candidate : candidates_) {
    if (candidate.value <= 0) continue;
    last = candidate.id;
    sum += candidate.value;
    if (target < sum) break;
  }
  return last;
}

void Sampler::AddLogprobs(std::span<const float> logits, SampledToken& token) const {
  if (spec_.logprobs < 0) return;
  const double largest = *std::max_element(logits.begin(), logits.end());
  double total = 0;
  for (const float logit : logits) total += std::exp(logit - largest);
  const double log_total = largest + std::log(total);
  const auto logprob = [&](TokenId id) {
    return static_cast<float>(logits[static_cast<size_t>(id)] - log_total);
  };
  token.logprob = logprob(token.id);
  const auto count = static_cast<size_t>(spec_.logprobs);
  if (count == 0) return;
  std::vector<TokenId> ids(logits.size());
  for (size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<TokenId>(i);
  std::partial_sort(ids.begin(), ids.begin() + static_cast<ptrdiff_t>(count), ids.end(),
                    [&](TokenId a, TokenId b) {
                      const float x = logits[static_cast<size_t>(a)];
                      const float y = logits[static_cast<size_t>(b)];
                      return x != y ? x > y : a < b;
                    });
  for (size_t i = 0; i < count; ++i) token.best.push_back({ids[i], logprob(ids[i])});
}

void Sampler::SkipDraw() {
  if (spec_.temperature > 0) rng_.NextDouble();
}

Result<SampledToken> Sampler::Sample(std::span<const float> logits,
                                     std::span<const TokenId> history,
                                     std::optional<std::span<const uint32_t>> allowed) {
  if (logits.size() != static_cast<size_t>(vocab_size_)) {
    return Error(StatusCode::kInternal, "{} logits for a vocabulary of {} tokens", logits.size(),
                 vocab_size_);
  }
  candidates_.resize(logits.size());
  sorted_ = 0;
  for (size_t i = 0; i < logits.size(); ++i) {
    if (std::isnan(logits[i]) || logits[i] == INFINITY) {
      return DataError(
          "the model gave token {} the logit {}: its weights are damaged, or too large for this "
          "arithmetic; try --exact",
          i, logits[i]);
    }
    const bool is_possible = !allowed || IsAllowed(*allowed, i);
    candidates_[i] = {is_possible ? logits[i] : -INFINITY, static_cast<TokenId>(i)};
  }
  for (const auto& [id, bias] : spec_.logit_bias) {
    candidates_[static_cast<size_t>(id)].value += bias;
  }
  ApplyPenalties(history);
  const auto best = std::max_element(
      candidates_.begin(), candidates_.end(),
      [](const Candidate& a, const Candidate& b) { return a.value < b.value; });  // first: lower id
  if (best->value == -INFINITY) {
    return DataError("no token is possible: {} logit is -infinity",
                     allowed ? "every allowed token's" : "every");
  }
  SampledToken token;
  token.id = best->id;
  if (spec_.temperature > 0) {
    KeepLikely();
    token.id = Draw();
  }
  AddLogprobs(logits, token);
  return token;
}

}  // namespace tutti::engine
