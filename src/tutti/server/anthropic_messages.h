// /v1/messages and /v1/messages/count_tokens: JSON to GenerationRequest, and the answer back.
//
// Threads: one at a time. Errors: 400 with the field's path.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tutti/server/api_error.h"
#include "tutti/server/api_request.h"
#include "tutti/spec/sampling_spec.h"

namespace tutti::server {

// As ParseOpenaiChat. For count_tokens only the conversation and the model matter.
ApiResult<ApiRequest> ParseAnthropicMessages(std::string_view body, const SamplingSpec& defaults);

// {"input_tokens": n}
std::string AnthropicTokenCount(int64_t tokens);

std::vector<std::string_view> AnthropicMessagesFields();

}  // namespace tutti::server
