// A conversation as JSON, turned into the variables of a chat template.
//
// The shapes are those of the OpenAI API, which chat templates expect: messages are objects with
// "role" and "content" and perhaps "tool_calls", "reasoning_content" and so on.
#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "tutti/base/status.h"
#include "tutti/text/chat_template.h"

namespace tutti::text {

struct Conversation {
  std::string messages_json = "[]";      // a JSON array of messages
  std::string tools_json;                // a JSON array; empty: no tools
  std::string documents_json;            // a JSON array; empty: none
  bool add_generation_prompt = true;     // end with the start of the assistant's answer
  std::optional<std::string> bos_token;  // the model's; undefined in the template without
  std::optional<std::string> eos_token;
  std::string extra_json;  // a JSON object of more variables: {"enable_thinking":false}
};

// {"role": ..., "content": ...} as JSON text, for conversations made of plain text.
std::string MessageJson(std::string_view role, std::string_view content);

// The JSON object for ChatTemplate::Render. A message's reasoning is copied between the names
// templates read it under ("reasoning_content" and "thinking"). kData for bad JSON, kUsage where
// extra_json sets a variable that has a field of its own or is the model's.
Result<std::string> TemplateVariables(const Conversation& conversation);

// The local time as templates want it: "2026-01-15T12:34:56".
std::string LocalTime();

Result<RenderResult> Render(const ChatTemplate& chat, const Conversation& conversation,
                            std::string_view now);

// Renders so that the text ends inside the last message, for the model to go on with it:
// add_generation_prompt is ignored and everything the template puts behind that message's content
// is cut. kData where the template does not show the message's content.
Result<RenderResult> RenderContinued(const ChatTemplate& chat, const Conversation& conversation,
                                     std::string_view now);

}  // namespace tutti::text
