// From logits to the next token.
//
// Where a mask says which tokens may come, the others are as if their logits were -infinity, in all
// steps. The steps, each over what the one before left:
//   1. logit_bias is added
//   2. repetition penalty (Keskar et al., CTRL, arXiv 1909.05858), then presence and frequency
//      penalty, for the tokens in the last `penalty_window` of the history (prompt included)
//   3. temperature 0: the largest logit is taken (greedy). Otherwise logits are divided by it.
//   4. top_k largest; top_p: the fewest whose probabilities sum to at least top_p (Holtzman et al.,
//      arXiv 1904.09751); min_p: those with at least min_p times the largest probability
//      (arXiv 2407.01082)
//   5. one draw from what is left
// Equal logits are ordered by id, so every step is deterministic: the same seed and logits give the
// same token. A sampler draws one number per sampled token and none for greedy.
//
// Threads: one sampler per sequence, one call at a time.
// Errors: kUsage from Create for a spec out of range. Sample answers kData for NaN and +infinity
// and where no token is left whose logit is more than -infinity; the sampler is then as before.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "tutti/base/ids.h"
#include "tutti/base/rng.h"
#include "tutti/base/status.h"
#include "tutti/spec/sampling_spec.h"

namespace tutti::engine {

struct TokenLogprob {
  TokenId id = kNoToken;
  float logprob = 0;  // natural logarithm, of the model's own distribution: before step 1
};

struct SampledToken {
  TokenId id = kNoToken;
  // Only with spec.logprobs >= 0: of the chosen token, and of that many best, descending.
  float logprob = 0;
  std::vector<TokenLogprob> best;
};

class Sampler {
 public:
  static Result<Sampler> Create(SamplingSpec spec, int32_t vocab_size);

  // `logits` is [vocab_size]; `history` is the sequence so far, oldest first. Ids outside the
  // vocabulary in it are ignored. `allowed` is a mask as TokenConstraint::Allowed has it; tokens
  // beyond it are not allowed. Logprobs are those of the model, whatever is allowed.
  Result<SampledToken> Sample(std::span<const float> logits, std::span<const TokenId> history,
                              std::optional<std::span<const uint32_t>> allowed = std::nullopt);

  // As if a token had been sampled: the next one is drawn with the number after.
  void SkipDraw();

  const SamplingSpec& spec() const { return spec_; }

 private:
  struct Candidate {
    double value = 0;  // logit, later probability (not normalised)
    TokenId id = kNoToken;
  };
  explicit Sampler(SamplingSpec spec, int32_t vocab_size)
      : spec_(std::move(spec)), vocab_size_(vocab_size), rng_(spec_.seed) {}

  void ApplyPenalties(std::span<const TokenId> history);
  void SortBest(size_t count);
  void KeepLikely();
  TokenId Draw();
  void AddLogprobs(std::span<const float> logits, SampledToken& token) const;

  SamplingSpec spec_;
  int32_t vocab_size_ = 0;
  Rng rng_;
  std::vector<Candidate> candidates_;  // scratch; [vocab_size], ids ascending, when a step begins
  size_t sorted_ = 0;                  // this many of them are the best, in order
};

}  // namespace tutti::engine
