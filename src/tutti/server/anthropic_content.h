// `messages` and `system` of /v1/messages: blocks of content become messages as templates know
// them.
//
// Text, thinking, tool_use and tool_result; an image or a document is an error with its path.
// Threads: one at a time. Errors: in the reader.
#pragma once
#include <boost/json.hpp>

#include "tutti/server/json_fields.h"
#include "tutti/server/request_draft.h"

namespace tutti::server {

void ReadAnthropicMessages(RequestReader& reader, RequestDraft& draft,
                           const boost::json::array& messages);
// A string or blocks of text; comes before all messages.
void ReadAnthropicSystem(RequestReader& reader, RequestDraft& draft,
                         const boost::json::value& value);

}  // namespace tutti::server
