#include "tutti/server/service.h"

#include <algorithm>
#include <chrono>
#include <random>
#include <utility>
#include <vector>

#include "tutti/base/printable.h"
#include "tutti/os/free_memory.h"
#include "tutti/server/anthropic_messages.h"
#include "tutti/server/error_response.h"
#include "tutti/server/json_writer.h"
#include "tutti/server/openai_chat.h"
#include "tutti/server/openai_completions.h"
#include "tutti/server/rate_limit.h"
#include "tutti/server/responses_request.h"
#include "tutti/server/service_answers.h"
#include "tutti/server/tool_constraint.h"

namespace tutti::server {
namespace {

uint64_t RandomBits() {
  thread_local std::random_device device;
  return uint64_t{device()} << 32 | device();
}

std::string NewId() { return fmt::format("{:016x}{:08x}", RandomBits(), RandomBits() >> 32); }

double SteadySeconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

double UnixSeconds() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

// For dialects that need nothing but the body.
template <ApiResult<ApiRequest> (*parse)(std::string_view, const SamplingSpec&)>
ApiResult<ApiRequest> Parse(Service&, const HttpRequest& request, const SamplingSpec& defaults) {
  return parse(request.body, defaults);
}

}  // namespace

ApiError ModelError(const Status& status) {
  ApiError error = ErrorOf(status);
  if (status.code() == StatusCode::kNotFound) {
    error.param = "model";
    error.code = "model_not_found";
  } else if (status.code() == StatusCode::kUsage) {  // which of several was not said
    error.param = "model";
    error.code = "missing_required_parameter";
  } else if (status.code() != StatusCode::kResource) {
    error.status = 500;  // the operator's affair, not the client's
    error.type = "server_error";
  }
  return error;
}

void ChargeTokens(const Caller& caller, int64_t tokens) {
  if (caller.limits) caller.limits->ChargeTokens(tokens, SteadySeconds());
}

Service::Service(Models& models, Workers& workers, ServiceOptions options)
    : models_(models),
      workers_(workers),
      options_(std::move(options)),
      start_s_(UnixSeconds()),
      responses_(options_.stored_responses_bytes) {}

// What still runs belongs to models whose loops may wake it.
Service::~Service() {
  intake_.Stop();
  large_.Stop();
  loader_.Stop();
  for (const auto& entry : generations_) entry.second->Release();
  for (const auto& entry : embeddings_) entry.second->Release();
}

void Service::ChatCompletions(const Request& exchange) {
  static constexpr Dialect kChat = {"/v1/chat/completions", Parse<ParseOpenaiChat>};
  Generate(kChat, exchange);
}

void Service::Completions(const Request& exchange) {
  static constexpr Dialect kCompletions = {"/v1/completions", Parse<ParseOpenaiCompletions>};
  Generate(kCompletions, exchange);
}

void Service::Messages(const Request& exchange) {
  static constexpr Dialect kMessages = {"/v1/messages", Parse<ParseAnthropicMessages>};
  Generate(kMessages, exchange);
}

void Service::CountTokens(const Request& exchange) {
  static constexpr Dialect kCount = {"/v1/messages/count_tokens", Parse<ParseAnthropicMessages>};
  Take(kCount, exchange, [this](const Call& call) -> std::optional<ApiError> {
    ApiResult<ApiRequest> parsed = kCount.parse(*this, call.exchange->request(), {});
    if (!parsed.ok()) return parsed.error();
    const std::string model = parsed->generation.model;
    return WithModel(call, model,
                     [this, request = std::move(parsed->generation)](
                         const Call& counted, const auto& host) -> std::optional<ApiError> {
                       auto prompt = PromptOf(*host, request);
                       if (!prompt.ok()) return WithParam(prompt.error(), "messages");
                       Respond(kCount.route, counted.exchange,
                               JsonResponse(AnthropicTokenCount(std::ssize(prompt->ids))));
                       return std::nullopt;
                     });
  });
}

void Service::Responses(const Request& exchange) {
  static constexpr Dialect kResponses = {
      "/v1/responses",
      [](Service& service, const HttpRequest& request, const SamplingSpec& defaults) {
        return ParseResponses(request.body, defaults, service.responses_, request.caller.tenant);
      }};
  Generate(kResponses, exchange);
}

std::optional<StoredResponse> Service::StoredOf(std::string_view route, const Request& exchange) {
  const HttpRequest& request = exchange->request();
  const std::string& id = request.parameters.front();
  auto stored = responses_.Get(request.caller.tenant, id);
  if (!stored) {
    const ApiError error{
        .status = 404,
        .type = "invalid_request_error",
        .message = fmt::format("there is no response '{}' (any more)", Printable(id, 100)),
        .param = "response_id",
        .code = "not_found"};
    Refuse(route, exchange, error);
  }
  return stored;
}

void Service::GetResponse(const Request& exchange) {
  constexpr std::string_view kRoute = "/v1/responses/{id}";
  if (auto stored = StoredOf(kRoute, exchange)) {
    Respond(kRoute, exchange, JsonResponse(std::move(stored->response_json)));
  }
}

void Service::DeleteResponse(const Request& exchange) {
  constexpr std::string_view kRoute = "/v1/responses/{id}";
  if (const auto stored = StoredOf(kRoute, exchange)) {
    responses_.Delete(exchange->request().caller.tenant, stored->id);
    Respond(kRoute, exchange, JsonResponse(DeletedResponseBody(stored->id)));
  }
}

void Service::CancelResponse(const Request& exchange) {
  constexpr std::string_view kRoute = "/v1/responses/{id}/cancel";
  if (!StoredOf(kRoute, exchange)) return;
  const ApiError error{.status = 400,
                       .type = "invalid_request_error",
                       .message =
                           "the response has ended; one that runs is cancelled by closing "
                           "its connection",
                       .param = "response_id",
                       .code = {}};
  Refuse(kRoute, exchange, error);
}

void Service::ResponseInput(const Request& exchange) {
  constexpr std::string_view kRoute = "/v1/responses/{id}/input_items";
  if (const auto stored = StoredOf(kRoute, exchange)) {
    Respond(kRoute, exchange, JsonResponse(InputItemsBody(*stored, exchange->request().query)));
  }
}

void Service::PostWork(Workers& workers, Call call, Work work) {
  workers.Post([this, call = std::move(call), work = std::move(work)] {
    const auto error = Attempt([&]() -> std::optional<ApiError> {
      if (draining_) return ErrorOf(Error(StatusCode::kCancelled, "the server is shutting down"));
      return work(call);
    });
    if (error) Refuse(call.dialect->route, call.exchange, *error);
  });
}

void Service::Take(const Dialect& dialect, const Request& exchange, Work work) {
  ++running_;
  const bool large = exchange->request().body.size() > kLargeBytes;
  const std::shared_ptr<void> running(nullptr, [this, large](void*) {
    if (large) large_ended_ = true;
    --running_;
  });
  PostWork(large ? large_ : intake_,
           {.dialect = &dialect, .exchange = exchange, .running = running}, std::move(work));
}

std::optional<ApiError> Service::WithModel(const Call& call, const std::string& model,
                                           ModelWork work) {
  Work rest = [this, model, work = std::move(work)](const Call& later) -> std::optional<ApiError> {
    auto host = models_.Get(model);
    if (!host.ok()) return ModelError(host.status());
    return work(later, *host);
  };
  if (!models_.MustLoad(model)) return rest(call);
  PostWork(loader_, call, std::move(rest));
  return std::nullopt;
}

void Service::Generate(const Dialect& dialect, const Request& exchange) {
  Take(dialect, exchange, [this](const Call& call) -> std::optional<ApiError> {
    SamplingSpec defaults = OpenSampling();
    defaults.seed = RandomBits();
    ApiResult<ApiRequest> parsed = call.dialect->parse(*this, call.exchange->request(), defaults);
    if (!parsed.ok()) return parsed.error();
    metrics_.UnknownFields(parsed->generation.unknown_fields);
    const std::string model = parsed->generation.model;
    // Shared because work can be copied.
    const auto request = std::make_shared<ApiRequest>(std::move(*parsed));
    return WithModel(call, model, [this, request](const Call& later, const auto& host) {
      return StartGeneration(later, host, std::move(*request));
    });
  });
}

std::optional<ApiError> Service::StartGeneration(const Call& call,
                                                 const std::shared_ptr<ModelHost>& host,
                                                 ApiRequest request) {
  const Request& exchange = call.exchange;
  const Dialect& dialect = *call.dialect;
  const uint64_t key = next_generation_++;
  GenerationParts parts{
      .host = host,
      .request = std::move(request.generation),
      .writer = std::move(request.writer),
      .exchange = exchange,
      .workers = &workers_,
      .tenant = exchange->request().caller.tenant,
      .id = NewId(),
      .fingerprint = fmt::format("tutti_{}_{:016x}", options_.version, host->fingerprint()),
      .headers = {},
      .route = dialect.route,
      .finished = {}};
  CloseSampling(parts.request.sampling, host->sampling());
  constexpr size_t kMostWarnings = 8;  // clients bound their headers
  for (std::string warning : parts.request.warnings) {
    if (parts.headers.size() == kMostWarnings) break;
    std::replace_if(
        warning.begin(), warning.end(),
        [](char c) { return c == '"' || c == '\\' || c < ' ' || c > '~'; }, '\'');
    parts.headers.push_back({"warning", "299 - \"" + warning.substr(0, 200) + "\""});
  }
  // Not the exchange itself: it would keep itself alive.
  parts.finished = [this, key, &dialect, name = host->name(), running = call.running,
                    caller = exchange->request().caller](const Outcome& outcome) {
    {
      const std::lock_guard lock(mutex_);
      generations_.erase(key);
    }
    metrics_.Finished(name, outcome);
    ChargeTokens(caller, outcome.usage.prompt_tokens + outcome.usage.generated_tokens);
    metrics_.Answered(dialect.route, outcome.kind == OutcomeKind::kComplete    ? 200
                                     : outcome.kind == OutcomeKind::kAbandoned ? 499
                                                                               : 500);
  };
  std::shared_ptr<Generation> generation;
  const auto error = Generation::Start(std::move(parts), &generation);
  if (error) return error;
  Keep(key, std::move(generation));
  return std::nullopt;
}

void Service::Keep(uint64_t key, std::shared_ptr<Generation> generation) {
  const std::lock_guard lock(mutex_);
  if (!generation->ended()) generations_[key] = std::move(generation);
}

void Service::Refuse(std::string_view route, const Request& exchange, const ApiError& error) {
  Respond(route, exchange, ErrorResponse(error, route, exchange->request().id));
}

void Service::Respond(std::string_view route, const Request& exchange, HttpResponse response) {
  metrics_.Answered(route, response.status);
  exchange->Respond(std::move(response));
}

// Of a model that is loaded more is known.
void Service::WriteModel(const std::string& name, JsonWriter& json) const {
  json.Object()
      .Text("id", name)
      .Text("object", "model")
      .Int("created", models_.created_s())
      .Text("owned_by", "tutti");
  models_.ForEachLoaded([&](const ModelHost& host) {
    if (host.name() != name) return;
    json.Int("max_model_len", host.context()).Bool("has_chat_template", host.has_template());
  });
  json.Close();
}

void Service::ListModels(const Request& exchange) {
  JsonWriter json;
  json.Object().Text("object", "list").List("data");
  for (const std::string& name : models_.names()) WriteModel(name, json);
  json.Close().Close();
  Respond("/v1/models", exchange, JsonResponse(json.Take()));
}

void Service::GetModel(const Request& exchange) {
  const std::string& name = exchange->request().parameters.front();
  const auto found = models_.NameOf(name);
  if (!found.ok()) return Refuse("/v1/models/{id}", exchange, ModelError(found.status()));
  JsonWriter json;
  WriteModel(*found, json);
  Respond("/v1/models/{id}", exchange, JsonResponse(json.Take()));
}

void Service::Health(const Request& exchange) {
  Respond("/health", exchange, JsonResponse(R"({"status":"ok"})"));
}

void Service::Ready(const Request& exchange) {
  HttpResponse response = JsonResponse(R"({"status":"ready"})");
  if (draining_) {
    response = JsonResponse(R"({"status":"draining"})", 503);
    response.headers.push_back({"retry-after", "5"});
  }
  Respond("/ready", exchange, std::move(response));
}

void Service::Version(const Request& exchange) {
  JsonWriter json;
  json.Object().Text("version", options_.version).Close();
  Respond("/version", exchange, JsonResponse(json.Take()));
}

void Service::MetricsText(const Request& exchange) {
  HttpResponse response;
  response.headers = {{"content-type", "text/plain; version=0.0.4; charset=utf-8"}};
  response.body = metrics_.Text(models_.Statistics(), 0);
  Respond("/metrics", exchange, std::move(response));
}

// Of the model that worked last.
void Service::WriteExperts(JsonWriter& json) const {
  std::vector<std::vector<int64_t>> experts;
  const std::string last_used = models_.last_used();
  models_.ForEachLoaded([&](const ModelHost& host) {
    if (experts.empty() || host.name() == last_used) experts = host.expert_tokens();
  });
  std::erase_if(experts, [](const auto& layer) { return layer.empty(); });
  if (experts.empty()) {
    json.Null("experts");
    return;
  }
  json.List("experts");
  for (const std::vector<int64_t>& layer : experts) {
    json.List();
    for (const int64_t tokens : layer) json.Int(tokens);
    json.Close();
  }
  json.Close();
}

void Service::Live(const Request& exchange) {
  scheduler::Statistics sum;
  JsonWriter json;
  const double now_s = UnixSeconds();
  json.Object().Number("time_s", now_s).Number("uptime_s", now_s - start_s_).List("models");
  models_.ForEachLoaded([&](const ModelHost& host) { json.Text(host.name()); });
  for (const ModelStatistics& model : models_.Statistics()) {
    const scheduler::Statistics& one = model.scheduler;
    sum.submitted += one.submitted;
    sum.running += one.running;
    sum.waiting += one.waiting;
    sum.queued_requests += one.queued_requests;
    sum.queued_prompt_tokens += one.queued_prompt_tokens;
    sum.steps += one.steps;
    sum.usage.prompt_tokens += one.usage.prompt_tokens;
    sum.usage.cached_tokens += one.usage.cached_tokens;
    sum.usage.generated_tokens += one.usage.generated_tokens;
    sum.pages.total += one.pages.total;
    sum.pages.free += one.pages.free;
    sum.pages.idle += one.pages.idle;
  }
  const Metrics::FirstTokens first = metrics_.first_tokens();
  json.Close()
      .Int("requests_total", sum.submitted)
      .Int("running", sum.running)
      .Int("waiting", sum.waiting)
      .Int("queued_requests", sum.queued_requests)
      .Int("queued_prompt_tokens", sum.queued_prompt_tokens)
      .Int("steps", sum.steps)
      .Int("generated_tokens", sum.usage.generated_tokens)
      .Int("computed_prompt_tokens", sum.usage.prompt_tokens - sum.usage.cached_tokens);
  json.Object("pages")
      .Int("total", sum.pages.total)
      .Int("free", sum.pages.free)
      .Int("idle", sum.pages.idle)
      .Close();
  json.Object("prefix")
      .Int("asked_tokens", sum.usage.prompt_tokens)
      .Int("found_tokens", sum.usage.cached_tokens)
      .Close();
  json.Object("first_token").Int("count", first.count).Number("sum_s", first.sum_s).Close();
  WriteExperts(json);
  json.Close();
  Respond("/v1/live", exchange, JsonResponse(json.Take()));
}

void Service::StartTicking() {
  workers_.PostAfter(1, [this] {
    StartTicking();  // first: unloading a model takes time, and others are to give signs of life
    Tick();
  });
}

void Service::Tick() {
  std::vector<std::shared_ptr<Generation>> generations;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& entry : generations_) generations.push_back(entry.second);
  }
  for (const auto& generation : generations) generation->Tick(options_.quiet_s);
  models_.Sweep();
  if (large_ended_.exchange(false)) os::ReturnFreeMemory();
}

void Service::Drain() {
  draining_ = true;
  models_.Drain();
}

}  // namespace tutti::server
