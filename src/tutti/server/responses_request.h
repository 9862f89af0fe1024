// /v1/responses: JSON to GenerationRequest.
//
// A request that goes on from an earlier response gets that conversation's items in front of its
// own. Threads: one at a time. Errors: 400 with the field's path; 404 for a previous response that
// is not stored.
#pragma once
#include <string_view>
#include <vector>

#include "tutti/server/api_error.h"
#include "tutti/server/api_request.h"
#include "tutti/server/responses_store.h"
#include "tutti/spec/sampling_spec.h"

namespace tutti::server {

// As ParseOpenaiChat. The answer is put into the store unless the request says store: false; the
// store must outlive the writer.
ApiResult<ApiRequest> ParseResponses(std::string_view body, const SamplingSpec& defaults,
                                     ResponseStore& store, TenantId tenant);

std::vector<std::string_view> ResponsesFields();

}  // namespace tutti::server
