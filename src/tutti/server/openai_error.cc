#include "tutti/server/openai_error.h"

#include <fmt/format.h>

#include "tutti/server/json_writer.h"

namespace tutti::server {

ApiError TooLongError(const TooLong& too_long) {
  std::string has = fmt::format("{} bytes, more than so many tokens can hold", too_long.bytes);
  if (too_long.tokens > 0) has = fmt::format("{} tokens", too_long.tokens);
  if (too_long.tokens == too_long.context) has += " and the answer needs one at least";
  return {.status = 400,
          .type = "invalid_request_error",
          .message = fmt::format(
              "This model's maximum context length is {} tokens. However, your prompt has {}: "
              "shorten it, or raise --context of the server",
              too_long.context, has),
          .param = {},
          .code = "context_length_exceeded",
          .too_long = too_long};
}

std::string OpenaiErrorBody(const ApiError& error) {
  JsonWriter writer;
  writer.Object().Object("error").Text("message", error.message).Text("type", error.type);
  writer.TextOrNull("param", error.param).TextOrNull("code", error.code);
  return writer.Close().Close().Take();
}

}  // namespace tutti::server
