// Members that /v1/chat/completions and /v1/completions share.
#pragma once
#include "tutti/server/json_fields.h"
#include "tutti/server/request_draft.h"

namespace tutti::server {

inline constexpr double kMaxChoices = 8;
inline constexpr double kMaxTopLogprobs = 20;

// model, n, stop, stream, stream_options, max_tokens, service_tier, and what is ignored.
Fields<RequestDraft> OpenaiCommonFields();

}  // namespace tutti::server
