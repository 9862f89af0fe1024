#include "tutti/server/chat_render.h"

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <cctype>
#include <cstdint>

#include "tutti/base/hash.h"
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

// Nine letters and digits that are the same for the same id; an id that is so already stays.
void Shorten(json::value* value) {
  constexpr size_t kLength = 9;
  if (value == nullptr || !value->is_string()) return;
  json::string& id = value->get_string();
  const auto plain = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0; };
  if (id.size() == kLength && std::all_of(id.begin(), id.end(), plain)) return;
  uint64_t hash = Fnv1a(View(id));
  id.clear();
  for (size_t i = 0; i < kLength; ++i, hash /= 36) {
    id += "0123456789abcdefghijklmnopqrstuvwxyz"[hash % 36];
  }
}

void ShortenIds(json::object& message) {
  Shorten(message.if_contains("tool_call_id"));
  json::value* calls = message.if_contains("tool_calls");
  if (calls == nullptr || !calls->is_array()) return;
  for (json::value& call : calls->get_array()) {
    if (call.is_object()) Shorten(call.get_object().if_contains("id"));
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
    if (shape.short_ids) ShortenIds(message);
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
      {.short_ids = true},
      {.joined = true},
      {.joined = true, .text_arguments = true},
      {.joined = true, .after_tools = true},
      {.joined = true, .short_ids = true},
      {.joined = true, .after_tools = true, .short_ids = true},
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
