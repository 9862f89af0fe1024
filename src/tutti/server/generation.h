// Carries out one GenerationRequest: prompts to the scheduler, tokens back as text, text through
// the API's writer to the client.
//
//   Generation::Start(parts)       a refusal, or it runs
//   ... the scheduler wakes it, workers turn what is there into bytes ...
//   parts.finished(outcome)        once, when the bill is known
//
// The client sees the beginning of a stream as soon as the request is accepted. While prompts are
// computed it gets a sign of life every few seconds (Tick): a comment with the progress in streams,
// white space before a document.
//
// A client that goes away cancels the request; what was computed until then is its bill. A stop
// string ends its choice; tokens computed behind it are nobody's.
//
// Ownership: it lives until the bill is known; the workers and the model must outlive it.
// Threads: Start and Tick from any; the rest happens on the workers, one at a time.
#pragma once
#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "tutti/server/answer_event.h"
#include "tutti/server/choice_text.h"
#include "tutti/server/generation_request.h"
#include "tutti/server/http.h"
#include "tutti/server/prompt_feed.h"
#include "tutti/server/workers.h"

namespace tutti::server {

enum class OutcomeKind : uint8_t { kComplete, kAbandoned, kFailed };

struct Outcome {
  OutcomeKind kind = OutcomeKind::kComplete;
  AnswerUsage usage;
  std::vector<FinishReason> reasons;  // [choices] that ended
  // Seconds since the start, negative where it has not happened.
  double queue_s = -1;
  double first_token_s = -1;
  double total_s = 0;
};

struct GenerationParts {
  std::shared_ptr<ModelHost> host;
  GenerationRequest request;
  std::unique_ptr<AnswerWriter> writer;
  std::shared_ptr<Exchange> exchange;
  Workers* workers = nullptr;
  TenantId tenant{};
  std::string id;
  std::string fingerprint;      // of server and model
  std::vector<Header> headers;  // of a good response
  std::string_view route;       // errors have the shape of its API; outlives the generation
  std::function<void(const Outcome&)> finished;
};

class Generation : public std::enable_shared_from_this<Generation> {
  struct Private {};

 public:
  Generation(Private, GenerationParts parts) : parts_(std::move(parts)) {}
  // An ApiError where it cannot begin; the exchange and `finished` are then untouched.
  static std::optional<ApiError> Start(GenerationParts parts, std::shared_ptr<Generation>* started);
  Generation(const Generation&) = delete;
  Generation& operator=(const Generation&) = delete;

  // Sends a sign of life where the client has heard nothing for `quiet_s`.
  void Tick(double quiet_s);
  // Ends it, as if the client had gone.
  void Cancel();

  // Ends it without a bill or an answer: the server goes.
  void Release();
  // The bill is known; `finished` has been called or is about to be.
  bool ended() const { return ended_; }

 private:
  using Clock = std::chrono::steady_clock;
  std::optional<ApiError> Encode(std::vector<TokenIds>& prompts);
  // Whether a grammar forces the whole answer to be a tool call, in a form of no family.
  bool OnlyCalls() const;
  text::AnswerPartsOptions PartsOptions() const;  // of a conversation's answer
  std::optional<ApiError> AddChoice();
  std::optional<ApiError> Constrain(std::shared_ptr<const TokenConstraint>& constraint) const;
  std::optional<ApiError> Submit(std::vector<TokenIds> prompts);
  void Begin();
  void Wake();
  // All that follows under the mutex.
  void Attempt();
  void Fail(std::string_view why);
  void Process();
  void Handle(size_t prompt, const scheduler::Event& event, std::string& bytes);
  void FinishChoice(ChoiceText& choice, FinishReason reason, std::string& bytes);
  void Emit(std::vector<AnswerEvent> events, std::string& bytes);
  void Send(std::string bytes);
  void End();
  void LetGo();  // of what it used; nothing happens any more
  Outcome Bill() const;

  GenerationParts parts_;
  const Clock::time_point start_ = Clock::now();

  std::mutex mutex_;
  PromptFeed feed_;
  std::vector<ChoiceText> choices_;  // [prompts * choices]
  std::vector<std::string> echoes_;  // [prompts] or empty
  bool in_reasoning_ = false;        // the conversation's prompt ends there
  std::string begun_;                // of the answer's text, by the prompt
  bool head_sent_ = false;           // of the response
  bool abandoned_ = false;
  std::atomic<bool> ended_ = false;
  Status error_;  // the first
  std::vector<FinishReason> reasons_;
  Clock::time_point last_sent_ = start_;
};

// What the engine or the scheduler said, for a client.
ApiError ErrorOf(const Status& status);
// The same error, of the client's field.
ApiError WithParam(ApiError error, std::string param);

}  // namespace tutti::server
