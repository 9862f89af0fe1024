// A model that is served: its engine, its tokenizer and chat template, and the scheduler's loop on
// a thread of its own.
//
// Ownership: owns all of them; the last user frees it, which ends what still runs.
// Threads: any. Errors: Create as Scheduler::Create and ChatTemplate::Parse; Prompt kUsage for what
// the template refuses, kResource where rendering takes too much.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "tutti/engine.h"
#include "tutti/scheduler/scheduler.h"
#include "tutti/server/constraints.h"
#include "tutti/spec/sampling_spec.h"
#include "tutti/text/chat_template.h"
#include "tutti/text/conversation.h"
#include "tutti/text/tokenizer.h"

namespace tutti::server {

// What the composition root loads.
struct HostedModel {
  std::unique_ptr<Engine> engine;
  std::unique_ptr<text::Tokenizer> tokenizer;
  SamplingSpec sampling;  // where a request says nothing
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
  int32_t context() const { return context_; }
  EngineCosts costs() const { return model_.engine->costs(); }
  // [layers][experts], see Engine.
  std::vector<std::vector<int64_t>> expert_tokens() const { return model_.engine->expert_tokens(); }
  // False: the model continues text and knows no roles; conversations become plain text.
  bool has_template() const { return has_template_; }
  // Jinja; of models that have none, the plain one that stands in for it.
  const std::string& template_source() const { return template_source_; }
  scheduler::Scheduler& scheduler() { return *scheduler_; }
  // Whether the token ends an answer.
  bool IsEnd(TokenId id) const;

  Result<text::RenderResult> Render(const text::Conversation& conversation) const;
  // The ids of a conversation or of a text that goes on.
  Result<TokenIds> Prompt(const text::Conversation& conversation) const;
  TokenIds Prompt(std::string_view text) const;
  // What its answers must obey; null for free text.
  Result<std::shared_ptr<const TokenConstraint>> Constraint(const OutputFormat& format) {
    return constraints_.For(format);
  }

 private:
  const std::string name_;
  HostedModel model_;
  int32_t context_ = 0;
  TokenIds ends_;
  bool has_template_ = false;
  std::string template_source_;
  std::optional<text::ChatTemplate> template_;
  Constraints constraints_;
  std::unique_ptr<scheduler::Scheduler> scheduler_;
  std::thread loop_;
};

}  // namespace tutti::server
