// The answer of /v1/messages: a stream of named events, or one document.
#pragma once
#include <memory>

#include "tutti/server/answer_event.h"
#include "tutti/server/generation_request.h"

namespace tutti::server {

std::unique_ptr<AnswerWriter> MakeAnthropicWriter(const GenerationRequest& request);

}  // namespace tutti::server
