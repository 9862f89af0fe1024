#include "tutti/server/chat_messages.h"

#include <map>

#include "tutti/base/json.h"
#include "tutti/server/json_writer.h"

namespace tutti::server {
namespace {

void MergeLeadingSystem(std::vector<ChatMessage>& messages) {
  size_t count = 0;
  while (count < messages.size() && messages[count].role == "system") ++count;
  for (size_t i = 1; i < count; ++i) {
    *messages[0].content += "\n\n" + *messages[i].content;
  }
  if (count > 1) messages.erase(messages.begin() + 1, messages.begin() + static_cast<long>(count));
}

void NameToolAnswers(std::vector<ChatMessage>& messages) {
  std::map<std::string, std::string> names;  // of calls, by id
  for (ChatMessage& message : messages) {
    for (const MessageToolCall& call : message.calls) names[call.id] = call.name;
    if (message.role != "tool" || !message.name.empty()) continue;
    if (const auto found = names.find(message.tool_call_id); found != names.end()) {
      message.name = found->second;
    }
  }
}

void WriteCalls(JsonWriter& writer, const std::vector<MessageToolCall>& calls) {
  writer.List("tool_calls");
  for (const MessageToolCall& call : calls) {
    writer.Object().Text("id", call.id).Text("type", "function").Object("function");
    writer.Text("name", call.name).Raw("arguments", ArgumentsObject(call.arguments));
    writer.Close().Close();
  }
  writer.Close();
}

}  // namespace

std::string ArgumentsObject(std::string_view arguments) {
  if (arguments.empty()) return "{}";
  const auto value = ParseJson(arguments);
  if (value.ok() && value->is_object()) return std::string(arguments);
  return JsonWriter().Object().Text("raw_arguments", arguments).Close().Take();
}

void AppendText(std::optional<std::string>& content, std::string_view text) {
  if (content) {
    *content += '\n';
    *content += text;
  } else {
    content = std::string(text);
  }
}

std::string MessagesJson(std::vector<ChatMessage> messages) {
  for (ChatMessage& message : messages) {
    if (!message.content) message.content.emplace();
  }
  MergeLeadingSystem(messages);
  NameToolAnswers(messages);
  JsonWriter writer;
  writer.List();
  for (const ChatMessage& message : messages) {
    writer.Object().Text("role", message.role);
    writer.Text("content", *message.content);
    if (!message.reasoning.empty()) writer.Text("reasoning_content", message.reasoning);
    if (!message.name.empty()) writer.Text("name", message.name);
    if (!message.tool_call_id.empty()) writer.Text("tool_call_id", message.tool_call_id);
    if (!message.calls.empty()) WriteCalls(writer, message.calls);
    writer.Close();
  }
  return writer.Close().Take();
}

std::string ToolsJson(const std::vector<ToolDefinition>& tools) {
  if (tools.empty()) return {};
  JsonWriter writer;
  writer.List();
  for (const ToolDefinition& definition : tools) {
    writer.Object().Text("type", "function").Object("function");
    writer.Text("name", definition.tool.name).Text("description", definition.description);
    writer.Raw("parameters", definition.tool.parameters_json.empty()
                                 ? R"({"type":"object","properties":{}})"
                                 : std::string_view(definition.tool.parameters_json));
    writer.Close().Close();
  }
  return writer.Close().Take();
}

}  // namespace tutti::server
