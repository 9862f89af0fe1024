// What the routes do: requests in, answers of the models out.
//
// Handlers return at once; the work happens on the workers. Errors go to the client in the shape of
// the API that it speaks.
//
// Ownership: the models, the workers and whatever else is given must outlive the service, and the
// workers must be stopped before it goes.
// Threads: any.
#pragma once
#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "tutti/server/api_request.h"
#include "tutti/server/embedding_run.h"
#include "tutti/server/generation.h"
#include "tutti/server/http.h"
#include "tutti/server/json_writer.h"
#include "tutti/server/metrics.h"
#include "tutti/server/models.h"
#include "tutti/server/openai_embeddings.h"
#include "tutti/server/responses_store.h"
#include "tutti/server/workers.h"

namespace tutti::server {

struct ServiceOptions {
  // A client that waits hears something at least this often.
  double quiet_s = 8;
  std::string version;
  size_t stored_responses_bytes = 256 << 20;
};

class Service {
 public:
  Service(Models& models, Workers& workers, ServiceOptions options);
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;
  ~Service();

  // What an API does its own way; `parse` only of those that generate.
  struct Dialect {
    std::string_view route;
    ApiResult<ApiRequest> (*parse)(Service& service, const HttpRequest& request,
                                   const SamplingSpec& defaults);
  };

  using Request = std::shared_ptr<Exchange>;
  void ChatCompletions(const Request& exchange);
  void Completions(const Request& exchange);
  void Messages(const Request& exchange);
  void CountTokens(const Request& exchange);
  void Responses(const Request& exchange);
  void GetResponse(const Request& exchange);
  void DeleteResponse(const Request& exchange);
  void CancelResponse(const Request& exchange);
  void ResponseInput(const Request& exchange);

  void Embeddings(const Request& exchange);
  void Tokenize(const Request& exchange);
  void Detokenize(const Request& exchange);
  void ApplyTemplate(const Request& exchange);

  void ListModels(const Request& exchange);
  void GetModel(const Request& exchange);
  void Health(const Request& exchange);
  void Ready(const Request& exchange);
  void Version(const Request& exchange);
  void MetricsText(const Request& exchange);
  void Live(const Request& exchange);

  // Signs of life to those who wait, models that nobody uses; by the workers, every second.
  void StartTicking();
  // Not ready from now on; new requests are refused with 503.
  void Drain();
  // Requests that are read or worked for.
  int64_t running() const { return running_; }

 private:
  static constexpr int kIntake = 4;
  static constexpr size_t kLargeBytes = size_t{1} << 20;
  // A request on its way through the workers.
  struct Call {
    const Dialect* dialect = nullptr;
    Request exchange;
    std::shared_ptr<void> running;  // it counts as running while anybody holds this
  };
  // Work for a call; an error is what the client hears.
  using Work = std::function<std::optional<ApiError>(const Call&)>;
  using ModelWork =
      std::function<std::optional<ApiError>(const Call&, const std::shared_ptr<ModelHost>&)>;
  // Does the work on the intake.
  void Take(const Dialect& dialect, const Request& exchange, Work work);
  // Does the rest of the work with the model: now, or where it must be loaded when it is.
  std::optional<ApiError> WithModel(const Call& call, const std::string& model, ModelWork work);
  void PostWork(Workers& workers, Call call, Work work);

  void Generate(const Dialect& dialect, const Request& exchange);
  std::optional<ApiError> StartGeneration(const Call& call, const std::shared_ptr<ModelHost>& host,
                                          ApiRequest request);
  std::optional<ApiError> StartEmbeddings(const Call& call, const std::shared_ptr<ModelHost>& host,
                                          EmbeddingsRequest request);
  void Keep(uint64_t key, std::shared_ptr<Generation> generation);
  void Refuse(std::string_view route, const Request& exchange, const ApiError& error);
  void Respond(std::string_view route, const Request& exchange, HttpResponse response);
  // The stored response that the path names, or 404.
  std::optional<StoredResponse> StoredOf(std::string_view route, const Request& exchange);
  void WriteModel(const std::string& name, JsonWriter& json) const;
  void WriteExperts(JsonWriter& json) const;
  void Tick();

  Models& models_;
  Workers& workers_;
  const ServiceOptions options_;
  const double start_s_;  // Unix time
  Metrics metrics_;
  ResponseStore responses_;
  std::atomic<bool> draining_ = false;
  std::atomic<uint64_t> next_generation_ = 0;
  std::atomic<int64_t> running_ = 0;
  mutable std::mutex mutex_;
  // Those that run keep themselves alive here; by an id of their own.
  std::map<uint64_t, std::shared_ptr<Generation>> generations_;
  std::map<uint64_t, std::shared_ptr<EmbeddingRun>> embeddings_;
  // Waits for models that must be loaded first, so that nobody else does.
  Workers loader_{1};
  // Whether a large request has ended whose memory the system should have back.
  std::atomic<bool> large_ended_ = false;
  // Reads requests, so that big ones do not hold up answers, and large ones one after the other:
  // while one is read, it takes many times its size. Last: their tasks use all of the others.
  Workers large_{1};
  Workers intake_{kIntake};
};

}  // namespace tutti::server
