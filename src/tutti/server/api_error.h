// What a client did wrong, or could not have, in the terms that all APIs share. Each API has its
// own shape for it (openai_*, anthropic_*).
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "tutti/base/check.h"

namespace tutti::server {

// A prompt that the model's context cannot hold. Clients that make room and try again look for the
// words of their API.
struct TooLong {
  int64_t tokens = 0;  // of the prompt; 0: it has too many bytes to be tokenized
  int64_t bytes = 0;
  int64_t context = 0;  // in tokens
};

struct ApiError {
  int status = 500;          // HTTP
  std::string type = {};     // "invalid_request_error", "rate_limit_error", ...
  std::string message = {};  // cause, limit, actual value, next step
  std::string param = {};    // the field, as a path: "messages[2].content"; empty: null
  std::string code = {};     // "model_not_found", "context_length_exceeded"; empty: null
  double retry_after_s = 0;  // 0: no header
  std::optional<TooLong> too_long = {};
};

// 400, with OpenAI's words.
ApiError TooLongError(const TooLong& too_long);

// A T, or the error that the client gets instead.
template <typename T>
class [[nodiscard]] ApiResult {
 public:
  ApiResult(T value) : result_(std::move(value)) {}         // NOLINT: implicit, for `return value;`
  ApiResult(ApiError error) : result_(std::move(error)) {}  // NOLINT: implicit

  bool ok() const { return result_.index() == 0; }
  const ApiError& error() const {
    TUTTI_CHECK(!ok(), "there is no error");
    return *std::get_if<ApiError>(&result_);
  }
  T& operator*() {
    TUTTI_CHECK(ok(), error().message);
    return *std::get_if<T>(&result_);
  }
  T* operator->() { return &**this; }

 private:
  std::variant<T, ApiError> result_;
};

}  // namespace tutti::server
