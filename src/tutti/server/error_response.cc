#include "tutti/server/error_response.h"

#include <utility>

#include "tutti/server/anthropic_error.h"
#include "tutti/server/openai_error.h"
#include "tutti/server/rate_limit.h"

namespace tutti::server {

bool IsAnthropicPath(std::string_view path) {
  return path == "/v1/messages" || path.starts_with("/v1/messages/");
}

HttpResponse ErrorResponse(const ApiError& error, std::string_view path,
                           std::string_view request_id) {
  HttpResponse response;
  response.status = error.status;
  response.headers.push_back({"content-type", "application/json"});
  if (error.status == 401) response.headers.push_back({"www-authenticate", "Bearer"});
  if (error.retry_after_s > 0) {
    for (Header& header : RetryHeaders(error.retry_after_s)) {
      response.headers.push_back(std::move(header));
    }
  }
  if (error.code == "insufficient_quota") response.headers.push_back({"x-should-retry", "false"});
  response.body =
      IsAnthropicPath(path) ? AnthropicErrorBody(error, request_id) : OpenaiErrorBody(error);
  return response;
}

HttpResponse RefusalResponse(const HttpRefusal& refusal, const HttpRequest& request) {
  return ErrorResponse({.status = refusal.status,
                        .type = refusal.status < 500 ? "invalid_request_error" : "server_error",
                        .message = refusal.message,
                        .code = std::string(refusal.code),
                        .retry_after_s = refusal.status == 503 ? 5.0 : 0.0},
                       request.path, request.id);
}

}  // namespace tutti::server
