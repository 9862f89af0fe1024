// `messages` and `tools` of /v1/chat/completions.
//
// Text only: an image, a sound or a file is an error with its path. Messages need not fit together:
// a tool's answer without its call is accepted. Threads: one at a time. Errors: in the reader.
#pragma once
#include <boost/json.hpp>

#include "tutti/server/json_fields.h"
#include "tutti/server/request_draft.h"

namespace tutti::server {

void ReadOpenaiMessages(RequestReader& reader, RequestDraft& draft,
                        const boost::json::array& messages);
// Tools that are no functions are dropped with a warning.
void ReadOpenaiTools(RequestReader& reader, RequestDraft& draft, const boost::json::array& tools);

}  // namespace tutti::server
