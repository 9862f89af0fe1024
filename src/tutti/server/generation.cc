#include "tutti/server/generation.h"

#include <algorithm>
#include <utility>

#include "tutti/server/error_response.h"
#include "tutti/server/tool_constraint.h"

namespace tutti::server {
namespace {

ApiError BadRequest(std::string message, std::string param, std::string code = {}) {
  return {.status = 400,
          .type = "invalid_request_error",
          .message = std::move(message),
          .param = std::move(param),
          .code = std::move(code)};
}

}  // namespace

ApiError ErrorOf(const Status& status) {
  switch (status.code()) {
    case StatusCode::kUsage:
    case StatusCode::kData:
    case StatusCode::kUnsupported:
      return BadRequest(status.message(), {});
    case StatusCode::kNotFound:
      return {.status = 404,
              .type = "invalid_request_error",
              .message = status.message(),
              .param = {},
              .code = "not_found"};
    case StatusCode::kResource:
      return {.status = 429,
              .type = "rate_limit_error",
              .message = status.message(),
              .param = {},
              .code = "rate_limit_exceeded",
              .retry_after_s = 1};
    case StatusCode::kCancelled:
      return {.status = 503,
              .type = "server_error",
              .message = status.message(),
              .param = {},
              .code = "shutting_down",
              .retry_after_s = 5};
    default:
      return {.status = 500,
              .type = "server_error",
              .message = status.message(),
              .param = {},
              .code = "internal_error"};
  }
}

ApiError WithParam(ApiError error, std::string param) {
  error.param = std::move(param);
  return error;
}

std::optional<ApiError> Generation::Start(GenerationParts parts,
                                          std::shared_ptr<Generation>* started) {
  auto generation = std::make_shared<Generation>(Private(), std::move(parts));
  std::vector<TokenIds> prompts;
  if (auto error = generation->Encode(prompts)) return error;
  const std::lock_guard lock(generation->mutex_);  // it may be woken before all is there
  if (auto error = generation->Submit(std::move(prompts))) {
    generation->LetGo();  // prompts that began may have woken it: it must not answer too
    return error;
  }
  generation->Begin();
  *started = std::move(generation);
  return std::nullopt;
}

std::optional<ApiError> Generation::Encode(std::vector<TokenIds>& prompts) {
  const GenerationRequest& request = parts_.request;
  const ModelHost& host = *parts_.host;
  const char* field = request.conversation ? "messages" : "prompt";
  if (request.conversation) {
    auto prompt = PromptOf(host, request);
    if (!prompt.ok()) return WithParam(prompt.error(), field);
    in_reasoning_ = prompt->in_reasoning;
    begun_ = std::move(prompt->begun);
    prompts.push_back(std::move(prompt->ids));
  }
  for (const auto& prompt : request.prompts) {
    auto ids = host.Prompt(prompt);
    if (!ids.ok()) return WithParam(ids.error(), field);
    prompts.push_back(std::move(*ids));
  }
  for (const TokenIds& prompt : prompts) {
    if (auto error = host.CheckPrompt(prompt, true)) return WithParam(*std::move(error), field);
  }
  return std::nullopt;
}

bool Generation::OnlyCalls() const { return MustCall(parts_.request) && begun_.empty(); }

text::AnswerPartsOptions Generation::PartsOptions() const {
  const GenerationRequest& wanted = parts_.request;
  // A grammar has no place for reasoning.
  const bool free = wanted.format.kind == OutputKind::kFree && !OnlyCalls();
  text::AnswerPartsOptions options{
      .reasoning = free, .in_reasoning = free && in_reasoning_, .only_calls = OnlyCalls()};
  if (wanted.tool_choice != ToolChoice::kNone) options.tools = ToolSchemas(wanted);
  return options;
}

std::optional<ApiError> Generation::AddChoice() {
  const GenerationRequest& wanted = parts_.request;
  ChoiceOptions options{.choice = static_cast<int32_t>(choices_.size()),
                        .stop = MustCall(wanted) ? std::vector<std::string>() : wanted.stop,
                        .logprobs = wanted.sampling.logprobs >= 0};
  options.call_id_prefix = fmt::format("call_{}_{}_", parts_.id, options.choice);
  options.one_call = !wanted.parallel_tool_calls || wanted.tool_choice == ToolChoice::kNamed;
  if (wanted.conversation) {
    options.parts = text::MakeAnswerParts(parts_.host->answer_format(), PartsOptions());
    options.parts->Push(begun_);
    const text::CallSyntax* form = parts_.host->answer_format().form.syntax;
    if (!begun_.empty()) options.begun_call = begun_.substr(begun_.find(form->open));
  }
  auto choice = ChoiceText::Create(*parts_.host, std::move(options));
  if (!choice.ok()) return BadRequest(choice.status().message(), "stop");
  choices_.push_back(std::move(choice).value());
  return std::nullopt;
}

std::optional<ApiError> Generation::Constrain(
    std::shared_ptr<const TokenConstraint>& constraint) const {
  const GenerationRequest& wanted = parts_.request;
  auto made = OnlyCalls()           ? ConstrainBareCall(*parts_.host, wanted)
              : wanted.conversation ? ConstrainTools(*parts_.host, wanted, PartsOptions(), begun_)
                                    : parts_.host->Constraint(wanted.format);
  if (!made.ok()) {
    const bool format = !OnlyCalls() && wanted.format.kind != OutputKind::kFree &&
                        !parts_.host->Constraint(wanted.format).ok();
    return BadRequest(made.status().message(), format ? wanted.format_field : "tools");
  }
  constraint = std::move(made).value();
  return std::nullopt;
}

std::optional<ApiError> Generation::Submit(std::vector<TokenIds> prompts) {
  const GenerationRequest& wanted = parts_.request;
  std::shared_ptr<const TokenConstraint> constraint;
  if (auto error = Constrain(constraint)) return error;
  std::vector<scheduler::Request> requests;
  for (TokenIds& prompt : prompts) {
    if (wanted.echo) echoes_.push_back(parts_.host->tokenizer().Decode(prompt, false));
    // Prompt and answer together fit the context, the last token too.
    const int32_t room = parts_.host->context() - static_cast<int32_t>(prompt.size());
    for (int32_t i = 0; i < wanted.choices; ++i) {
      if (auto error = AddChoice()) return error;
    }
    requests.push_back(
        {.prompt = std::move(prompt),
         .sampling = wanted.sampling,
         .max_tokens = wanted.max_tokens < 0 ? room : std::min(wanted.max_tokens, room),
         .choices = wanted.choices,
         .ignore_eos = wanted.ignore_eos,
         .stop_tokens = wanted.stop_tokens,
         .constraint = constraint,
         .priority = wanted.batch_priority ? scheduler::Priority::kBatch
                                           : scheduler::Priority::kInteractive,
         .tenant = parts_.tenant});
  }
  const Status started = feed_.Start(*parts_.host, std::move(requests), [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->Wake();
  });
  if (started.ok()) return std::nullopt;
  ApiError error = ErrorOf(started);
  if (error.status == 429) {
    error.retry_after_s =
        std::clamp(parts_.host->scheduler().statistics().retry_after_s, 1.0, 60.0);
  }
  return error;
}

void Generation::Begin() {
  const std::string& model = parts_.request.model;
  const AnswerHead head{.id = parts_.id,
                        .created_s = std::chrono::duration_cast<std::chrono::seconds>(
                                         std::chrono::system_clock::now().time_since_epoch())
                                         .count(),
                        .model = model.empty() ? parts_.host->name() : model,
                        .fingerprint = parts_.fingerprint,
                        .sampling = parts_.request.sampling,
                        .prompt_tokens = feed_.prompt_tokens()};
  std::string bytes = parts_.writer->Begin(head);
  for (size_t i = 0; i < echoes_.size() * static_cast<size_t>(parts_.request.choices); ++i) {
    AnswerEvent echo{.kind = AnswerEventKind::kText, .choice = static_cast<int32_t>(i)};
    echo.text = echoes_[i / static_cast<size_t>(parts_.request.choices)];
    bytes += parts_.writer->Write(echo);
  }
  if (parts_.request.stream) Send(std::move(bytes));
  parts_.exchange->OnAbandoned([weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->Cancel();
  });
}

void Generation::Wake() {
  parts_.workers->Post([self = shared_from_this()] {
    const std::lock_guard lock(self->mutex_);
    self->Attempt();
  });
}

void Generation::Cancel() {
  parts_.workers->Post([self = shared_from_this()] {
    const std::lock_guard lock(self->mutex_);
    self->abandoned_ = true;
    self->feed_.Cancel();
    self->Attempt();
  });
}

void Generation::Release() {
  const std::lock_guard lock(mutex_);
  LetGo();
}

// Memory can run out anywhere; then this answer ends and no other.
void Generation::Attempt() {
  try {
    Process();
  } catch (const std::exception& failure) {
    Fail(failure.what());
  }
}

void Generation::Fail(std::string_view why) {
  try {
    if (!ended_) {
      error_ = Error(StatusCode::kInternal, "the answer cannot go on: {}", why);
      return End();
    }
  } catch (const std::exception&) {
    // Not even that was possible.
  }
  const auto finished = std::move(parts_.finished);
  LetGo();  // the exchange says 500, or breaks the answer off
  Outcome outcome;
  outcome.kind = OutcomeKind::kFailed;
  if (finished) finished(outcome);
}

void Generation::Process() {
  if (ended_) return;
  std::string bytes;
  const Status status = feed_.Read(
      [&](size_t prompt, const scheduler::Event& event) { Handle(prompt, event, bytes); });
  if (error_.ok()) error_ = status;
  Send(std::move(bytes));
  const bool all = std::all_of(choices_.begin(), choices_.end(),
                               [](const ChoiceText& choice) { return choice.finished(); });
  if (feed_.ended() || (all && !abandoned_)) End();
}

void Generation::Handle(size_t prompt, const scheduler::Event& event, std::string& bytes) {
  const int32_t index = static_cast<int32_t>(prompt) * parts_.request.choices + event.choice;
  ChoiceText& choice = choices_[static_cast<size_t>(index)];
  if (choice.finished()) return;
  if (event.finished) {
    if (*event.finished == FinishReason::kFailed && error_.ok()) error_ = event.error;
    return FinishChoice(choice, *event.finished, bytes);
  }
  const TokenIds& stops = parts_.request.stop_tokens;
  const bool ends = !parts_.request.ignore_eos || parts_.request.format.kind != OutputKind::kFree;
  const bool silent = (ends && parts_.host->IsEnd(event.token.id)) ||
                      std::find(stops.begin(), stops.end(), event.token.id) != stops.end();
  Emit(choice.Push(event, silent), bytes);
  if (!choice.stopped()) return;
  feed_.Cancel(prompt, event.choice);
  FinishChoice(choice, FinishReason::kStop, bytes);
}

void Generation::FinishChoice(ChoiceText& choice, FinishReason reason, std::string& bytes) {
  std::vector<AnswerEvent> events = choice.Finish(reason);
  reasons_.push_back(events.back().reason);
  Emit(std::move(events), bytes);
}

void Generation::Emit(std::vector<AnswerEvent> events, std::string& bytes) {
  if (abandoned_ || !error_.ok()) return;
  for (const AnswerEvent& event : events) bytes += parts_.writer->Write(event);
}

void Generation::Send(std::string bytes) {
  if (bytes.empty() || abandoned_) return;
  last_sent_ = Clock::now();
  if (head_sent_) {
    parts_.exchange->Write(std::move(bytes));
    return;
  }
  head_sent_ = true;
  HttpResponse response{.status = 200, .headers = parts_.headers, .body = std::move(bytes)};
  const bool stream = parts_.request.stream;
  response.headers.push_back({"content-type", stream ? "text/event-stream" : "application/json"});
  if (stream) response.headers.push_back({"cache-control", "no-cache"});
  parts_.exchange->Begin(std::move(response));
}

void Generation::Tick(double quiet_s) {
  const std::lock_guard lock(mutex_);
  if (ended_ || abandoned_) return;
  if (Clock::now() - last_sent_ < std::chrono::duration<double>(quiet_s)) return;
  if (!parts_.request.stream) return Send(" ");
  int64_t done = 0;
  const int64_t all = feed_.prompt_tokens();
  for (const auto& stream : feed_.streams()) done += stream->progress().usage.prompt_tokens;
  Send(done < all ? fmt::format(": prefill {}%\n\n", done * 100 / all)
                  : std::string(": alive\n\n"));
}

void Generation::End() {
  ended_ = true;
  const Outcome outcome = Bill();
  if (abandoned_) {
    parts_.exchange->End();
  } else if (!error_.ok()) {
    ApiError error = ErrorOf(error_);
    error.status = std::max(error.status, 500);  // it was accepted: not the client's fault
    error.type = "server_error";
    error.retry_after_s = 0;
    HttpResponse refusal = ErrorResponse(error, parts_.route, parts_.exchange->request().id);
    refusal.headers.push_back({"x-should-retry", "false"});
    if (parts_.request.stream) {
      Send(parts_.writer->Fail(error));
      parts_.exchange->End();
    } else if (head_sent_) {
      Send(std::move(refusal.body));
      parts_.exchange->End();
    } else {
      parts_.exchange->Respond(std::move(refusal));
    }
  } else if (head_sent_) {
    Send(parts_.writer->End(outcome.usage));
    parts_.exchange->End();
  } else {
    std::vector<Header> headers = parts_.headers;
    headers.push_back({"content-type", "application/json"});
    parts_.exchange->Respond(
        {.status = 200, .headers = std::move(headers), .body = parts_.writer->End(outcome.usage)});
  }
  const auto finished = std::move(parts_.finished);
  LetGo();
  if (finished) finished(outcome);
}

void Generation::LetGo() {
  ended_ = true;
  // Whoever waits for news of this client would keep it alive.
  feed_.Clear();
  // Here and not by whoever lets go of this last: that may be the loop, which the model owns, and
  // which may come to it when the service is gone.
  parts_.host.reset();
  parts_.exchange.reset();
  parts_.finished = {};
}

Outcome Generation::Bill() const {
  Outcome outcome{.kind = abandoned_     ? OutcomeKind::kAbandoned
                          : !error_.ok() ? OutcomeKind::kFailed
                                         : OutcomeKind::kComplete,
                  .usage = {},
                  .reasons = reasons_};
  int64_t computed = 0;
  for (const auto& stream : feed_.streams()) {
    const scheduler::Progress progress = stream->progress();
    outcome.usage.prompt_tokens += progress.usage.prompt_tokens;
    outcome.usage.cached_tokens += progress.usage.cached_tokens;
    computed += progress.usage.generated_tokens;
    const scheduler::Times& times = progress.times;
    if (times.started_s >= 0) {
      outcome.queue_s = std::max(outcome.queue_s, times.started_s - times.submitted_s);
    }
    if (times.first_token_s >= 0 && outcome.first_token_s < 0) {
      outcome.first_token_s = times.first_token_s - times.submitted_s;
    }
  }
  for (const ChoiceText& choice : choices_) {
    outcome.usage.generated_tokens += choice.tokens();
    outcome.usage.reasoning_tokens += choice.reasoning_tokens();
  }
  if (abandoned_) outcome.usage.generated_tokens = computed;
  outcome.total_s = std::chrono::duration<double>(Clock::now() - start_).count();
  return outcome;
}

}  // namespace tutti::server
