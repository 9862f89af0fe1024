// A model that is served: its engine, its tokenizer and chat template, and the scheduler's loop on
// a thread of its own.
//
// Ownership: owns all of them; the last user frees it, which ends what still runs.
// Threads: any. Errors: Create as Scheduler::Create and ChatTemplate::Parse; Render kUsage for what
// the template refuses, kResource where rendering takes too much; Prompt and CheckPrompt what the
// client gets, but for the field's name.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "tutti/engine.h"
#include "tutti/scheduler/scheduler.h"
#include "tutti/server/api_error.h"
#include "tutti/server/constraints.h"
#include "tutti/spec/sampling_spec.h"
#include "tutti/text/answer_parts.h"
#include "tutti/text/chat_template.h"
#include "tutti/text/conversation.h"
#include "tutti/text/tokenizer.h"

namespace tutti::server {

// What the composition root loads.
struct HostedModel {
  std::unique_ptr<Engine> engine;
  std::unique_ptr<text::Tokenizer> tokenizer;
  SamplingSpec sampling;  // where a request says nothing
  // Guesses the other's tokens (speculative decoding): of the same vocabulary; null: none.
  std::unique_ptr<Engine> draft;
};

struct ConversationPrompt {
  TokenIds ids;
  bool in_reasoning = false;  // the answer begins inside of reasoning
  std::string begun = {};     // of the answer's text, before its first token
};

// How much of one client's request may wait and run at once.
struct QueueWindow {
  int64_t answers = 0;
  int64_t prompt_tokens = 0;
};

class ModelHost {
  struct Private {};

 public:
  ModelHost(Private, std::string name, HostedModel model);
  static Result<std::shared_ptr<ModelHost>> Create(std::string name, HostedModel model,
                                                   scheduler::SchedulerOptions options);
  ModelHost(const ModelHost&) = delete;
  ModelHost& operator=(const ModelHost&) = delete;
  ~ModelHost();

  const std::string& name() const { return name_; }
  const text::Tokenizer& tokenizer() const { return *model_.tokenizer; }
  const SamplingSpec& sampling() const { return model_.sampling; }
  // Of all that the model says about itself.
  uint64_t fingerprint() const { return fingerprint_; }
  int32_t context() const { return context_; }
  int32_t vocab_size() const { return model_.engine->spec().vocab_size; }
  int64_t width() const { return model_.engine->spec().dim; }  // of hidden states
  EngineCosts costs() const { return model_.engine->costs(); }
  // [layers][experts], see Engine.
  std::vector<std::vector<int64_t>> expert_tokens() const { return model_.engine->expert_tokens(); }
  // False: the model continues text and knows no roles; conversations become plain text.
  bool has_template() const { return has_template_; }
  // Jinja; of models that have none, the plain one that stands in for it.
  const std::string& template_source() const { return template_source_; }
  scheduler::Scheduler& scheduler() { return *scheduler_; }
  const scheduler::Scheduler& scheduler() const { return *scheduler_; }
  // Half of the queue: the other half is for others.
  QueueWindow window() const { return window_; }
  // Whether the token ends an answer.
  bool IsEnd(TokenId id) const;

  Result<text::RenderResult> Render(const text::Conversation& conversation, bool goes_on) const;
  // The ids of a text that goes on, or of a conversation: one whose next turn is the assistant's,
  // or, where `goes_on`, whose last message is to be continued. A text that has more tokens than
  // the context however long they are is refused before it is tokenized.
  ApiResult<TokenIds> Prompt(std::string_view text) const;
  // The same, or the ids that were given.
  ApiResult<TokenIds> Prompt(const std::variant<std::string, TokenIds>& prompt) const;
  // The answer begins with `begun`, behind reasoning that the template has begun.
  ApiResult<ConversationPrompt> Prompt(const text::Conversation& conversation, bool goes_on = false,
                                       std::string begun = {}) const;
  // Whether they are the model's.
  std::optional<ApiError> CheckTokens(std::span<const TokenId> tokens) const;
  // Whether it can be computed, and a token of an answer behind it where there is to be one.
  std::optional<ApiError> CheckPrompt(std::span<const TokenId> prompt, bool answered) const;

  // What its answers to conversations look like.
  const text::AnswerFormat& answer_format() const { return answer_format_; }
  // Whether a token is part of the text of an answer: control tokens are only where they mark
  // reasoning or tool calls.
  bool IsText(TokenId id) const {
    return static_cast<size_t>(id) < is_text_.size() && is_text_[static_cast<size_t>(id)];
  }
  Result<Constraints::Masks> Masks(const OutputFormat& format) {
    return constraints_.MasksOf(format);
  }
  // What its answers must obey; null for free text.
  Result<std::shared_ptr<const TokenConstraint>> Constraint(const OutputFormat& format) {
    return constraints_.For(format);
  }

 private:
  // With the vocabulary's tokens that templates want.
  text::Conversation Complete(text::Conversation conversation) const;
  std::optional<ApiError> CheckFits(std::string_view text) const;

  const std::string name_;
  HostedModel model_;
  int32_t context_ = 0;
  uint64_t fingerprint_ = 0;
  TokenIds ends_;
  bool has_template_ = false;
  std::string template_source_;
  std::optional<text::ChatTemplate> template_;
  Constraints constraints_;
  text::AnswerFormat answer_format_;
  std::vector<bool> is_text_;  // [vocab]
  size_t longest_token_ = 0;   // in bytes
  QueueWindow window_;
  std::unique_ptr<scheduler::Scheduler> scheduler_;
  std::thread loop_;
};

}  // namespace tutti::server
