#include "tutti/server/openai_error.h"

#include "tutti/server/json_writer.h"

namespace tutti::server {

std::string OpenaiErrorBody(const ApiError& error) {
  JsonWriter writer;
  writer.Object().Object("error").Text("message", error.message).Text("type", error.type);
  writer.TextOrNull("param", error.param).TextOrNull("code", error.code);
  return writer.Close().Close().Take();
}

}  // namespace tutti::server
