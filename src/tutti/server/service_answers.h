// What the routes' answers have in common.
#pragma once
#include <exception>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "tutti/base/status.h"
#include "tutti/server/api_error.h"
#include "tutti/server/generation.h"
#include "tutti/server/http.h"

namespace tutti::server {

inline HttpResponse JsonResponse(std::string body, int status = 200) {
  return {
      .status = status, .headers = {{"content-type", "application/json"}}, .body = std::move(body)};
}

// Why there is no such model, or why it cannot be loaded.
ApiError ModelError(const Status& status);

// Work for a request. What it throws, where there is no memory for example, is this request's
// affair.
template <typename Work>
std::optional<ApiError> Attempt(Work work) {
  try {
    return work();
  } catch (const std::exception& error) {
    return ErrorOf(Error(StatusCode::kInternal,
                         "the request could not be carried out ({}): make it smaller, or try again",
                         error.what()));
  }
}

// A request's tokens, on its key's bill.
void ChargeTokens(const Caller& caller, int64_t tokens);

}  // namespace tutti::server
