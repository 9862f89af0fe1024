// What a client did wrong, or could not have, in the terms that all APIs share. Each API has its
// own shape for it (openai_*, anthropic_*).
#pragma once
#include <string>

namespace tutti::server {

struct ApiError {
  int status = 500;  // HTTP
  // "invalid_request_error", "authentication_error", "rate_limit_error", ...
  std::string type = {};
  std::string message = {};  // cause, limit, actual value, next step
  std::string param = {};    // the field, as a path: "messages[2].content"; empty: null
  std::string code = {};     // "model_not_found", "context_length_exceeded"; empty: null
  double retry_after_s = 0;  // 0: no header
};

}  // namespace tutti::server
