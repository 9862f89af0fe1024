// /v1/completions: JSON to GenerationRequest, and the answer back to JSON.
//
// Prompts are a string, a list of token ids, or a list of either. Threads: one at a time. Errors:
// 400 with the field's path.
#pragma once
#include <string_view>
#include <vector>

#include "tutti/server/api_error.h"
#include "tutti/server/api_request.h"
#include "tutti/spec/sampling_spec.h"

namespace tutti::server {

// As ParseOpenaiChat.
ApiResult<ApiRequest> ParseOpenaiCompletions(std::string_view body, const SamplingSpec& defaults);

std::vector<std::string_view> OpenaiCompletionsFields();

}  // namespace tutti::server
