// The text-generation loop: a prompt of token ids in, text out as it comes.
//
// A Generator holds one sequence of an engine. Its next prompt usually begins like the last one (a
// chat grows at the end), so only what differs is computed: the keys and values of the common
// beginning stay.
//
// Ownership: the engine and the tokenizer must outlive the Generator. Threads: one.
// Errors: kResource where the prompt does not fit the context; those of the engine and the sampler.
#pragma once
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "tutti/engine.h"
#include "tutti/engine/answer.h"
#include "tutti/engine/sampler.h"
#include "tutti/spec/finish_reason.h"
#include "tutti/spec/sampling_spec.h"
#include "tutti/spec/token_constraint.h"
#include "tutti/text/tokenizer.h"

namespace tutti::cli {

struct GenerateOptions {
  SamplingSpec sampling;
  int32_t max_tokens = -1;        // -1: until the answer ends or the context is full
  bool ignore_eos = false;        // go on after an end-of-generation token
  std::vector<std::string> stop;  // texts that end the answer; they need a tokenizer
  bool show_special = false;      // control tokens appear in the text
  // What each answer must obey, cloned for it; null: nothing. Shared with whoever made it.
  std::shared_ptr<const TokenConstraint> constraint = nullptr;
};

struct Generated {
  std::vector<engine::SampledToken> tokens;  // the token that ended the answer included
  std::string text;                          // what was shown
  FinishReason reason = FinishReason::kEndOfGeneration;
  int64_t prompt_tokens = 0;
  int64_t computed_prompt_tokens = 0;  // without those that were still there from the last prompt
  double prompt_seconds = 0;
  double decode_seconds = 0;
};

// Called with each new piece of text, never half a character.
using ShowText = std::function<void(std::string_view)>;

class Generator {
 public:
  // `tokenizer` may be null: then there is no text, only ids.
  Generator(Engine& engine, const text::Tokenizer* tokenizer)
      : engine_(engine), tokenizer_(tokenizer) {}
  Generator(const Generator&) = delete;
  Generator& operator=(const Generator&) = delete;
  ~Generator();

  // Looks at Interrupted() (cli/console.h) after every token and every chunk of the prompt.
  Result<Generated> Generate(const TokenIds& prompt, const GenerateOptions& options,
                             const ShowText& show);

 private:
  // The logits after the last prompt token; empty where the user interrupted.
  Result<std::vector<float>> ComputePrompt(const TokenIds& prompt, Generated& generated);
  Result<std::vector<float>> Forward(std::span<const TokenId> tokens, LogitsWanted wanted);
  TokenIds Ends() const;

  Engine& engine_;
  const text::Tokenizer* tokenizer_;
  SequenceId sequence_ = -1;
  int32_t prompt_length_ = 0;
  TokenIds held_;  // tokens whose keys and values the sequence holds
};

// Where a base model stops that was not told when, because it has no end of its own: after 256
// tokens, or before the end of the context becomes a surprise.
int32_t ContinuationTokens(const Engine& engine, size_t prompt_tokens);

}  // namespace tutti::cli
