// One answer to a prompt as it grows: which token comes next, and whether it was the last.
//
// Whoever runs the engine feeds it: logits of the last token in, the next token out. Used by the
// single user's loop and by the scheduler.
//
// Ownership: a value. Threads: one at a time.
// Errors: Create as CheckPrompt and Sampler::Create; Next as Sampler::Sample.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "tutti/base/ids.h"
#include "tutti/base/status.h"
#include "tutti/engine.h"
#include "tutti/engine/sampler.h"
#include "tutti/spec/finish_reason.h"
#include "tutti/spec/sampling_spec.h"
#include "tutti/spec/token_constraint.h"

namespace tutti::engine {

// kUsage for an empty prompt, kData for tokens that the model has not, kResource for more than the
// context holds.
Status CheckPrompt(const Engine& engine, std::span<const TokenId> prompt);

struct AnswerSpec {
  SamplingSpec sampling;
  int32_t max_tokens = -1;    // -1: until the answer ends or the context is full
  TokenIds ends = {};         // of generation: kEndOfGeneration
  TokenIds stop_tokens = {};  // kStop
  // What the answer must obey; null: nothing. Where only its end may follow the answer ends, with
  // kStop and a last token that belongs to it.
  std::unique_ptr<TokenConstraint> constraint = nullptr;
};

class Answer {
 public:
  static Result<Answer> Create(const Engine& engine, TokenIds prompt, AnswerSpec spec);

  // The token after tokens(), by the logits of the last of them, [vocab_size]. Not after the end.
  Result<SampledToken> Next(std::span<const float> logits);

  const TokenIds& tokens() const { return tokens_; }  // the prompt's and the answer's
  int32_t generated() const { return static_cast<int32_t>(tokens_.size()) - prompt_size_; }
  int32_t prompt_size() const { return prompt_size_; }
  // Tokens that may still come.
  int32_t remaining() const;
  const Sampler& sampler() const { return sampler_; }
  // Set when no more tokens are wanted or possible.
  std::optional<FinishReason> finished() const { return finished_; }

 private:
  Answer(Sampler sampler, TokenIds prompt, AnswerSpec spec, int32_t context)
      : sampler_(std::move(sampler)),
        tokens_(std::move(prompt)),
        spec_(std::move(spec)),
        prompt_size_(static_cast<int32_t>(tokens_.size())),
        context_(context) {}
  std::optional<FinishReason> WhyFinished() const;

  Sampler sampler_;
  TokenIds tokens_;
  AnswerSpec spec_;
  int32_t prompt_size_ = 0;
  int32_t context_ = 0;
  std::optional<FinishReason> finished_;
};

}  // namespace tutti::engine
