// What every API's parse function gives: what to generate, and who writes the answer down.
#pragma once
#include <memory>

#include "tutti/server/answer_event.h"
#include "tutti/server/generation_request.h"

namespace tutti::server {

struct ApiRequest {
  GenerationRequest generation;
  std::unique_ptr<AnswerWriter> writer;
};

}  // namespace tutti::server
