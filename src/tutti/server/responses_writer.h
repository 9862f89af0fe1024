// The answer of /v1/responses: a stream of numbered events, or one document.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "tutti/server/answer_event.h"
#include "tutti/server/generation_request.h"
#include "tutti/server/request_draft.h"
#include "tutti/server/responses_store.h"

namespace tutti::server {

// `input_items` are JSON; those without an id get one. The finished response goes into the store,
// where there is one.
std::unique_ptr<AnswerWriter> MakeResponsesWriter(const GenerationRequest& request,
                                                  ResponseDraft draft,
                                                  std::vector<std::string> input_items,
                                                  ResponseStore* store, TenantId tenant);

}  // namespace tutti::server
