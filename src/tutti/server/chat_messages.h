// A conversation and its tools as chat templates want them, whichever API they came through.
//
// Templates expect OpenAI's shapes with three differences: a message's content is one string, a
// call's arguments are an object, and descriptions and parameters are always there.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tutti/server/generation_request.h"

namespace tutti::server {

struct MessageToolCall {
  std::string id;
  std::string name;
  std::string arguments;  // JSON text, see ArgumentsObject
};

struct ChatMessage {
  std::string role;  // "system", "user", "assistant", "tool"
  // Absent: nothing was said. Templates get "": many fail at null or print it.
  std::optional<std::string> content;
  std::string reasoning = {};  // of an assistant
  std::string name = {};
  std::string tool_call_id = {};  // of a tool's answer
  std::vector<MessageToolCall> calls = {};
};

struct ToolDefinition {
  Tool tool;
  std::string description;
};

// The arguments of a call as a JSON object, whatever a model or a client wrote: what is none
// becomes {"raw_arguments": text}.
std::string ArgumentsObject(std::string_view arguments);

// Puts a text behind what is there, on a new line.
void AppendText(std::optional<std::string>& content, std::string_view text);

// Makes the conversation's messages. System messages at the beginning become one, and answers of
// tools get the name of the function that was called, where the call is among the messages.
std::string MessagesJson(std::vector<ChatMessage> messages);

// Empty where there are no tools.
std::string ToolsJson(const std::vector<ToolDefinition>& tools);

}  // namespace tutti::server
