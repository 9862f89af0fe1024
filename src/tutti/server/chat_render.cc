#include "tutti/server/chat_render.h"

#include <array>
#include <boost/json.hpp>

#include "tutti/base/json.h"
#include "tutti/base/json_text.h"

namespace tutti::server {
namespace {

namespace json = boost::json;

bool IsText(const json::object& message, std::string_view member) {
  const json::value* value = message.if_contains(member);
  return value != nullptr && value->is_string();
}

// Whether the message can be the end of the one before it.
bool Joins(const json::object& last, const json::object& message, const MessageShape& shape) {
  if (!IsText(last, "role") || !IsText(message, "role") || !IsText(last, "content") ||
      !IsText(message, "content") || last.contains("tool_calls") ||
      message.contains("tool_calls")) {
    return false;
  }
  const json::string& role = message.at("role").get_string();
  const json::string& before = last.at("role").get_string();
  if (role == "user") return before == "user" || (shape.after_tools && before == "tool");
  return role == "assistant" && before == "assistant";
}

void MakeArgumentsText(json::object& message) {
  json::value* calls = message.if_contains("tool_calls");
  if (calls == nullptr || !calls->is_array()) return;
  for (json::value& call : calls->get_array()) {
    if (!call.is_object()) continue;
    json::value* function = call.get_object().if_contains("function");
    if (function == nullptr || !function->is_object()) continue;
    json::value* arguments = function->get_object().if_contains("arguments");
    if (arguments != nullptr && !arguments->is_string()) *arguments = JsonText(*arguments);
  }
}

}  // namespace

Result<std::string> ShapedMessages(std::string_view messages_json, const MessageShape& shape) {
  TUTTI_ASSIGN_OR_RETURN(json::value parsed, ParseJson(messages_json));
  if (!parsed.is_array()) return DataError("messages must be a list, not {}", KindOf(parsed));
  json::array shaped;
  for (json::value& value : parsed.get_array()) {
    if (!value.is_object()) return DataError("a message must be an object, not {}", KindOf(value));
    json::object& message = value.get_object();
    const bool system = IsText(message, "role") && message.at("role").get_string() == "system";
    if (system && (!shape.system || (shape.joined && !shaped.empty()))) message["role"] = "user";
    if (shape.text_arguments) MakeArgumentsText(message);
    if (shape.joined && !shaped.empty() && Joins(shaped.back().get_object(), message, shape)) {
      json::string& content = shaped.back().get_object().at("content").get_string();
      content += "\n\n";
      content += message.at("content").get_string();
    } else {
      shaped.push_back(std::move(value));
    }
  }
  return JsonText(shaped);
}

Result<text::RenderResult> RenderForgiving(const text::ChatTemplate& chat,
                                           const text::Conversation& conversation, bool goes_on,
                                           std::string_view now) {
  const auto render = [&](const text::Conversation& shown) {
    return goes_on ? text::RenderContinued(chat, shown, now) : text::Render(chat, shown, now);
  };
  Result<text::RenderResult> first = render(conversation);
  constexpr auto kShapes = std::to_array<MessageShape>({
      {.text_arguments = true},
      {.joined = true},
      {.joined = true, .text_arguments = true},
      {.joined = true, .after_tools = true},
      {.joined = true, .system = false},
      {.joined = true, .system = false, .text_arguments = true},
  });
  for (const MessageShape& shape : kShapes) {
    // Only what the template refuses, not what takes too long.
    if (first.ok() || first.status().code() != StatusCode::kData) break;
    text::Conversation simpler = conversation;
    TUTTI_ASSIGN_OR_RETURN(simpler.messages_json,
                           ShapedMessages(conversation.messages_json, shape));
    Result<text::RenderResult> again = render(simpler);
    if (again.ok()) return again;
  }
  return first;
}

}  // namespace tutti::server
