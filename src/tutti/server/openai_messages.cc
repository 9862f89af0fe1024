#include "tutti/server/openai_messages.h"

#include <array>

#include "tutti/base/json_text.h"
#include "tutti/base/printable.h"
#include "tutti/server/request_tools.h"

namespace tutti::server {
namespace {

namespace json = boost::json;

struct ContentPart {
  std::string_view type;
  std::optional<std::string_view> text;
};

const auto kPartFields = std::to_array<Field<ContentPart>>({
    {"type", [](ContentPart& p, std::string_view v) { p.type = v; }, 1, kMaxIdBytes, true},
    {"text", [](ContentPart& p, std::string_view v) { p.text = v; }},
    {"refusal", [](ContentPart& p, std::string_view v) { p.text = v; }},
    {"cache_control", Ignored{}},
    {"annotations", Ignored{}},
});

void ReadPart(RequestReader& reader, ChatMessage& message, const json::value& value) {
  if (value.is_string()) return AppendText(message.content, View(value.get_string()));
  const json::object* object = reader.AsObject(value);
  if (object == nullptr) return;
  ContentPart part;
  reader.Read<ContentPart>(*object, {kPartFields}, part);
  if (!reader.ok()) return;
  if (part.type != "text" && part.type != "refusal" && part.type != "input_text" &&
      part.type != "output_text") {
    return reader.FailAt("type",
                         fmt::format("is \"{}\": only text can be read", Printable(part.type)),
                         "unsupported");
  }
  if (!part.text) return reader.FailAt("text", "is missing", "missing_required_parameter");
  AppendText(message.content, *part.text);
}

void ReadContent(RequestReader& reader, ChatMessage& message, const json::value& value) {
  if (value.is_string()) {
    message.content = std::string(View(value.get_string()));
  } else if (value.is_array()) {
    reader.Each(value.get_array(),
                [&](const json::value& part) { ReadPart(reader, message, part); });
  } else {
    reader.Fail(fmt::format("must be a string or a list of parts, not {}", KindOf(value)),
                "invalid_type");
  }
}

const auto kCallFunctionFields = std::to_array<Field<MessageToolCall>>({
    {"name", [](MessageToolCall& c, std::string_view v) { c.name = v; }, 1, kMaxIdBytes, true},
    {"arguments",
     [](RequestReader& r, MessageToolCall& c, const json::value& v) {
       // Clients should send text; some send the object itself.
       if (v.is_object()) {
         c.arguments = JsonText(v);
       } else if (const auto text = r.AsText(v, 0, kMaxTextBytes)) {
         c.arguments = *text;
       }
     }},
});

const auto kCallFields = std::to_array<Field<MessageToolCall>>({
    {"id", [](MessageToolCall& c, std::string_view v) { c.id = v; }, 0, kMaxIdBytes},
    {"type", Ignored{}},
    {"index", Ignored{}},
    {"function",
     [](RequestReader& r, MessageToolCall& c, const json::object& v) {
       r.Read<MessageToolCall>(v, {kCallFunctionFields}, c);
     },
     0, 0, true},
});

void ReadCalls(RequestReader& reader, ChatMessage& message, const json::array& calls) {
  reader.Each(calls, [&](const json::value& value) {
    message.calls.emplace_back();
    reader.ReadObject<MessageToolCall>(value, kCallFields, message.calls.back());
  });
}

void ReadReasoning(RequestReader&, ChatMessage& message, const json::value& value) {
  if (value.is_string()) message.reasoning = View(value.get_string());
}

const auto kMessageFields = std::to_array<Field<ChatMessage>>({
    {"role", [](ChatMessage& m, std::string_view v) { m.role = v; }, 1, kMaxIdBytes, true},
    {"content", ReadContent},
    {"refusal",
     [](ChatMessage& m, std::string_view v) {
       if (!m.content && !v.empty()) m.content = v;
     }},
    {"name", [](ChatMessage& m, std::string_view v) { m.name = v; }, 0, kMaxIdBytes},
    {"tool_call_id", [](ChatMessage& m, std::string_view v) { m.tool_call_id = v; }, 0,
     kMaxIdBytes},
    {"tool_calls", ReadCalls, 0, kMaxTools},
    {"reasoning", ReadReasoning},
    {"reasoning_content", ReadReasoning},
    {"annotations", Ignored{}},
    {"audio", Ignored{}},
    {"function_call", Ignored{}},
    {"cache_control", Ignored{}},
});

// The roles that templates know.
void SetRole(RequestReader& reader, ChatMessage& message) {
  if (message.role == "developer") message.role = "system";
  if (message.role == "function") message.role = "tool";
  const bool known = message.role == "system" || message.role == "user" ||
                     message.role == "assistant" || message.role == "tool";
  if (!known) {
    return reader.FailAt("role", fmt::format("is \"{}\", it must be system, developer, user, "
                                             "assistant or tool",
                                             Printable(message.role)));
  }
  if (!message.content && message.role != "assistant") {
    reader.FailAt("content", "must be a text", "missing_required_parameter");
  }
}

}  // namespace

void ReadOpenaiMessages(RequestReader& reader, RequestDraft& draft, const json::array& messages) {
  reader.Each(messages, [&](const json::value& value) {
    ChatMessage message;
    reader.ReadObject<ChatMessage>(value, kMessageFields, message);
    if (reader.ok()) SetRole(reader, message);
    draft.messages.push_back(std::move(message));
  });
}

void ReadOpenaiTools(RequestReader& reader, RequestDraft& draft, const json::array& tools) {
  reader.Each(tools, [&](const json::value& value) {
    const json::object* tool = reader.AsObject(value);
    if (tool == nullptr) return;
    const json::value* type = tool->if_contains("type");
    if (type != nullptr && type->is_string() && type->get_string() != "function") {
      return reader.Warn(fmt::format("{}: tools of type \"{}\" are not supported, it was dropped",
                                     reader.path(), Printable(View(type->get_string()))));
    }
    const json::value* function = tool->if_contains("function");
    if (function == nullptr) {
      return reader.FailAt("function", "is missing", "missing_required_parameter");
    }
    const RequestReader::Step step(reader, "function");
    const json::object* members = reader.AsObject(*function);
    if (members != nullptr) ReadFunction(reader, draft, *members, "parameters");
  });
}

}  // namespace tutti::server
