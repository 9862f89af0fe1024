#include "tutti/server/routes.h"

#include "tutti/server/web_files.h"

namespace tutti::server {
namespace {

constexpr size_t kBody = 32 << 20;  // conversations with long documents in them
constexpr size_t kSmallBody = 4096;
constexpr size_t kNoBody = 0;

}  // namespace

Router MakeRouter(Service& service) {
  Router router;
  const auto add = [&](const char* method, const char* pattern, Scope scope, size_t body,
                       void (Service::*handler)(const Service::Request&)) {
    router.Add({.method = method,
                .pattern = pattern,
                .scope = scope,
                .body_limit_bytes = body,
                .handler = [&service, handler](const Service::Request& exchange) {
                  (service.*handler)(exchange);
                }});
  };
  using S = Service;
  add("POST", "/v1/chat/completions", Scope::kInference, kBody, &S::ChatCompletions);
  add("POST", "/v1/completions", Scope::kInference, kBody, &S::Completions);
  add("POST", "/v1/messages", Scope::kInference, kBody, &S::Messages);
  add("POST", "/v1/messages/count_tokens", Scope::kInference, kBody, &S::CountTokens);
  add("POST", "/v1/responses", Scope::kInference, kBody, &S::Responses);
  add("GET", "/v1/responses/{id}", Scope::kInference, kNoBody, &S::GetResponse);
  add("DELETE", "/v1/responses/{id}", Scope::kInference, kNoBody, &S::DeleteResponse);
  add("POST", "/v1/responses/{id}/cancel", Scope::kInference, kSmallBody, &S::CancelResponse);
  add("GET", "/v1/responses/{id}/input_items", Scope::kInference, kNoBody, &S::ResponseInput);
  add("POST", "/v1/embeddings", Scope::kInference, kBody, &S::Embeddings);
  add("POST", "/v1/apply-template", Scope::kInference, kBody, &S::ApplyTemplate);
  add("POST", "/tokenize", Scope::kInference, kBody, &S::Tokenize);
  add("POST", "/detokenize", Scope::kInference, kBody, &S::Detokenize);
  add("GET", "/v1/models", Scope::kInference, kNoBody, &S::ListModels);
  add("GET", "/v1/models/{id}", Scope::kInference, kNoBody, &S::GetModel);
  add("GET", "/v1/live", Scope::kMetrics, kNoBody, &S::Live);
  add("GET", "/metrics", Scope::kMetrics, kNoBody, &S::MetricsText);
  add("GET", "/version", Scope::kInference, kNoBody, &S::Version);
  add("GET", "/health", Scope::kPublic, kNoBody, &S::Health);
  add("GET", "/ready", Scope::kPublic, kNoBody, &S::Ready);
  for (const WebFile& file : WebFiles()) {
    router.Add({.method = "GET",
                .pattern = std::string(file.path),
                .scope = Scope::kPublic,
                .body_limit_bytes = kNoBody,
                .handler = [](const Service::Request& exchange) {
                  exchange->Respond(*AnswerWebFile(exchange->request()));
                }});
  }
  return router;
}

}  // namespace tutti::server
