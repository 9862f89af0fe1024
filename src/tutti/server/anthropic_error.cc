#include "tutti/server/anthropic_error.h"

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

}  // namespace

std::string AnthropicErrorBody(const ApiError& error, std::string_view request_id) {
  JsonWriter writer;
  writer.Object().Text("type", "error").Object("error");
  writer.Text("type", TypeOf(error.status)).Text("message", error.message).Close();
  if (!request_id.empty()) writer.Text("request_id", request_id);
  return writer.Close().Take();
}

}  // namespace tutti::server
