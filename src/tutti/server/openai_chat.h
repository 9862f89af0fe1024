// /v1/chat/completions: JSON to GenerationRequest, and the answer back to JSON.
//
// Threads: one at a time. Errors: 400 with the field's path.
#pragma once
#include <string_view>
#include <vector>

#include "tutti/server/api_error.h"
#include "tutti/server/api_request.h"
#include "tutti/spec/sampling_spec.h"

namespace tutti::server {

// `defaults` is what the server samples with where the request says nothing; its seed must be a
// fresh random one.
ApiResult<ApiRequest> ParseOpenaiChat(std::string_view body, const SamplingSpec& defaults);

// Of the request's own members; for tests and documentation.
std::vector<std::string_view> OpenaiChatFields();

}  // namespace tutti::server
