// Errors as clients of Anthropic's API expect them.
#pragma once
#include <string>
#include <string_view>

#include "tutti/server/api_error.h"

namespace tutti::server {

// {"type":"error","error":{"type","message"},"request_id"}; without an id where it is empty.
std::string AnthropicErrorBody(const ApiError& error, std::string_view request_id = {});

}  // namespace tutti::server
