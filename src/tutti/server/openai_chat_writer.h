// The answer of /v1/chat/completions: a stream of chunks, or one document.
#pragma once
#include <memory>

#include "tutti/server/answer_event.h"
#include "tutti/server/generation_request.h"

namespace tutti::server {

std::unique_ptr<AnswerWriter> MakeOpenaiChatWriter(const GenerationRequest& request);

}  // namespace tutti::server
