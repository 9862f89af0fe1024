// Conversations through chat templates that are stricter than clients.
//
// Agents send system messages in the middle, two user messages in a row, calls' arguments as
// objects to templates that join them to text, or long ids of calls to templates that want nine
// letters (Mistral's). Where a template refuses a conversation, it is shown the same one in simpler
// shapes: later system messages as the user's and neighbours of one role joined; what follows a
// tool's answer as a part of it; no system role at all; arguments as text; ids of nine letters in
// place of others. The template's own refusal counts where none of them helps.
//
// Threads: any. Errors: as text::Render and text::RenderContinued.
#pragma once
#include <string>
#include <string_view>

#include "tutti/base/status.h"
#include "tutti/text/chat_template.h"
#include "tutti/text/conversation.h"

namespace tutti::server {

struct MessageShape {
  bool joined = false;          // later system messages are the user's, neighbours of a role one
  bool after_tools = false;     // what the user says behind a tool's answer joins it
  bool system = true;           // false: also the first system message is the user's
  bool text_arguments = false;  // of calls
  bool short_ids = false;       // of calls: nine letters and digits
};

// kData where it is not a list of objects.
Result<std::string> ShapedMessages(std::string_view messages_json, const MessageShape& shape);

// `goes_on`: the last message is to be continued.
Result<text::RenderResult> RenderForgiving(const text::ChatTemplate& chat,
                                           const text::Conversation& conversation, bool goes_on,
                                           std::string_view now);

}  // namespace tutti::server
