// What the routes' answers have in common.
#pragma once
#include <string>
#include <string_view>
#include <utility>

#include "tutti/base/status.h"
#include "tutti/server/api_error.h"
#include "tutti/server/http.h"
#include "tutti/server/openai_error.h"

namespace tutti::server {

inline HttpResponse JsonResponse(std::string body, int status = 200) {
  return {
      .status = status, .headers = {{"content-type", "application/json"}}, .body = std::move(body)};
}

// Errors have a request's id in some APIs; OpenAI's clients find it in a header.
inline std::string OpenaiError(const ApiError& error, std::string_view) {
  return OpenaiErrorBody(error);
}

// Why there is no such model, or why it cannot be loaded.
ApiError ModelError(const Status& status);

// A request's tokens, on its key's bill.
void ChargeTokens(const Caller& caller, int64_t tokens);

}  // namespace tutti::server
