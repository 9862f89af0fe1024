// Speculative decoding: tokens are guessed cheaply, and verified many at a time.
//
// A step computes a sequence's next token and, behind it, some that are guessed to follow
// (Leviathan et al., "Fast Inference from Transformers via Speculative Decoding", arXiv
// 2211.17192). The answer then takes its tokens as ever, by its own sampler from the model's own
// logits, and goes on as long as they equal the guesses: whatever is guessed, the tokens are those
// that it would have without, only sooner.
//
// Guesses come from the text itself (PromptLookup) or from a small model (DraftModel). How many are
// verified is decided anew in each step, by the most tokens per second: what they are expected to
// gain, by how many were right lately, of this sequence and source; against what they cost, by the
// measured times of steps. With experts, every token reads others, so a step of five can cost three
// times that of one; then nothing is verified. Now and then it is tried all the same, since times
// and texts change.
//
// Ownership: the draft model's engine must outlive it. Threads: the loop's. Errors: none; see
// DraftModel.
#pragma once
#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "tutti/scheduler/draft_model.h"
#include "tutti/scheduler/planner.h"

namespace tutti::scheduler {

class Speculation {
 public:
  explicit Speculation(const SchedulerOptions& options)
      : options_(options), model_(options.draft, options) {}

  // Adds drafts to the plan's sequences that generate.
  void Draft(Planner& planner);
  // The answer had `size` tokens when its drafts were made and has gone on; of those that were
  // verified, `accepted` are in it.
  void Learn(Sequence& sequence, size_t size, int32_t verified, int32_t accepted);
  // Those that run; of all others nothing need be kept.
  void Forget(std::span<Sequence* const> running) { model_.Forget(running); }

  const std::array<DraftCount, kDraftSources>& counts() const { return counts_; }
  const std::string& model_error() const { return model_.error(); }

 private:
  // A sequence that could be drafted.
  struct Candidate {
    size_t share = 0;  // of the plan
    DraftSource source = DraftSource::kLookup;
    int32_t most = 0;
    int32_t chosen = 0;
  };
  std::vector<Candidate> Candidates(std::span<const Share> plan);
  void Choose(std::span<Candidate> candidates, const Planner& planner);
  void AskModel(std::span<Candidate> candidates, std::span<const Share> plan);
  double Accepted(const Sequence& sequence, DraftSource source) const;

  const SchedulerOptions& options_;
  DraftModel model_;
  // How often a draft is right, lately, over all sequences.
  std::array<double, kDraftSources> accepted_ = {0.5, 0.5};
  std::array<DraftCount, kDraftSources> counts_;
  int64_t steps_without_ = 0;  // that drafts were possible in, and too dear
};

}  // namespace tutti::scheduler
