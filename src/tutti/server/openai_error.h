// Errors as clients of OpenAI's API expect them.
#pragma once
#include <string>

#include "tutti/server/api_error.h"

namespace tutti::server {

// {"error":{"message","type","param","code"}}
std::string OpenaiErrorBody(const ApiError& error);

}  // namespace tutti::server
