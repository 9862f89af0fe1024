#include "tutti/server/anthropic_error.h"

#include <fmt/format.h>

#include <algorithm>

#include "tutti/server/json_writer.h"

namespace tutti::server {
namespace {

std::string_view TypeOf(int status) {
  switch (status) {
    case 401:
      return "authentication_error";
    case 403:
      return "permission_error";
    case 404:
      return "not_found_error";
    case 413:
      return "request_too_large";
    case 429:
      return "rate_limit_error";
    case 503:
      return "overloaded_error";
    case 504:
      return "timeout_error";
    default:
      return status < 500 ? "invalid_request_error" : "api_error";
  }
}

// In Anthropic's words.
std::string TooLongMessage(const TooLong& too_long) {
  constexpr const char* kNext = "shorten it, or raise --context of the server";
  if (too_long.tokens == 0) {
    return fmt::format("prompt is too long: {} bytes, more than {} tokens can hold: {}",
                       too_long.bytes, too_long.context, kNext);
  }
  // One that fills the context leaves no place for the answer.
  const int64_t most = std::min(too_long.context, too_long.tokens - 1);
  return fmt::format("prompt is too long: {} tokens > {} maximum: {}", too_long.tokens, most,
                     kNext);
}

}  // namespace

std::string AnthropicErrorBody(const ApiError& error, std::string_view request_id) {
  JsonWriter writer;
  writer.Object().Text("type", "error").Object("error");
  writer.Text("type", TypeOf(error.status));
  writer.Text("message", error.too_long ? TooLongMessage(*error.too_long) : error.message);
  writer.Close();
  if (!request_id.empty()) writer.Text("request_id", request_id);
  return writer.Close().Take();
}

}  // namespace tutti::server
