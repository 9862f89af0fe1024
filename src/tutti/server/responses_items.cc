#include "tutti/server/responses_items.h"

#include <array>

#include "tutti/base/json_text.h"
#include "tutti/base/printable.h"

namespace tutti::server {
namespace {

namespace json = boost::json;

struct Item {
  std::string_view type;
  std::string_view id;
  std::string_view role;
  std::optional<std::string> content;
  std::string reasoning;
  std::string_view call_id;
  std::string_view name;
  std::string arguments;
  std::optional<std::string> output;
};

// The text of a part: input_text, output_text, text, refusal, summary_text, reasoning_text.
void ReadPart(RequestReader& reader, std::optional<std::string>& out, const json::value& value) {
  const json::object* part = reader.AsObject(value);
  if (part == nullptr) return;
  for (const char* member : {"text", "refusal"}) {
    const json::value* text = part->if_contains(member);
    if (text != nullptr && text->is_string()) return AppendText(out, View(text->get_string()));
  }
  const json::value* type = part->if_contains("type");
  const bool named = type != nullptr && type->is_string();
  reader.FailAt("type",
                fmt::format("is \"{}\": only text can be read",
                            named ? Printable(View(type->get_string())) : "missing"),
                "unsupported");
}

void ReadParts(RequestReader& reader, std::optional<std::string>& out, const json::value& value) {
  if (value.is_string()) return AppendText(out, View(value.get_string()));
  if (value.is_array()) {
    return reader.Each(value.get_array(),
                       [&](const json::value& part) { ReadPart(reader, out, part); });
  }
  reader.Fail(fmt::format("must be a string or a list of parts, not {}", KindOf(value)),
              "invalid_type");
}

void ReadReasoning(RequestReader& reader, Item& item, const json::array& parts) {
  std::optional<std::string> text;
  ReadParts(reader, text, parts);
  if (text && item.reasoning.empty()) item.reasoning = *text;
}

const auto kItemFields = std::to_array<Field<Item>>({
    {"type", [](Item& i, std::string_view v) { i.type = v; }, 0, kMaxIdBytes},
    {"id", [](Item& i, std::string_view v) { i.id = v; }, 0, kMaxIdBytes},
    {"role", [](Item& i, std::string_view v) { i.role = v; }, 0, kMaxIdBytes},
    {"content",
     [](RequestReader& r, Item& i, const json::value& v) { ReadParts(r, i.content, v); }},
    {"summary", ReadReasoning, 0, kMaxTextBytes},
    {"call_id", [](Item& i, std::string_view v) { i.call_id = v; }, 0, kMaxIdBytes},
    {"name", [](Item& i, std::string_view v) { i.name = v; }, 0, kMaxIdBytes},
    {"arguments", [](Item& i, std::string_view v) { i.arguments = v; }},
    {"input",
     [](RequestReader&, Item& i, const json::value& v) {
       if (v.is_string()) i.arguments = View(v.get_string());
     }},
    {"output", [](RequestReader& r, Item& i, const json::value& v) { ReadParts(r, i.output, v); }},
    {"status", Ignored{}},
    {"encrypted_content", Ignored{}},
    {"namespace", Ignored{}},
    {"phase", Ignored{}},
});

// The answer that goes on: the last message, where it is the assistant's.
ChatMessage& OpenAnswer(RequestDraft& draft) {
  if (draft.messages.empty() || draft.messages.back().role != "assistant") {
    draft.messages.emplace_back().role = "assistant";
  }
  return draft.messages.back();
}

void AddMessage(RequestReader& reader, RequestDraft& draft, Item& item) {
  std::string role(item.role == "developer" ? "system" : item.role);
  if (role != "user" && role != "assistant" && role != "system") {
    return reader.FailAt("role", fmt::format("is \"{}\", it must be user, assistant, system or "
                                             "developer",
                                             Printable(item.role)));
  }
  if (!item.content) return reader.FailAt("content", "is missing", "missing_required_parameter");
  if (role == "assistant") {
    ChatMessage& answer = OpenAnswer(draft);
    if (!answer.content && answer.calls.empty()) {
      answer.content = std::move(item.content);
      return;
    }
  }
  ChatMessage& message = draft.messages.emplace_back();
  message.role = std::move(role);
  message.content = std::move(item.content);
}

void AddCall(RequestReader& reader, RequestDraft& draft, Item& item) {
  if (item.name.empty()) {
    return reader.FailAt("name", "is missing", "missing_required_parameter");
  }
  OpenAnswer(draft).calls.push_back({.id = std::string(item.call_id),
                                     .name = std::string(item.name),
                                     .arguments = std::move(item.arguments)});
}

void AddOutput(RequestDraft& draft, Item& item) {
  ChatMessage& message = draft.messages.emplace_back();
  message.role = "tool";
  message.tool_call_id = item.call_id;
  message.content = item.output.value_or("");
}

std::optional<std::string> AddReferenced(RequestReader& reader, RequestDraft& draft,
                                         const Item& item, const ItemFinder& find) {
  auto found = find(std::string(item.id));
  if (!found) {
    reader.FailAt("id",
                  fmt::format("names the item \"{}\", which is not stored (any more): send the "
                              "item itself",
                              Printable(item.id)),
                  "item_not_found");
    return std::nullopt;
  }
  const auto value = ParseJson(*found);
  // Stored items are never references: what they meant is stored.
  if (value.ok()) ReadResponseItem(reader, draft, *value, [](const auto&) { return std::nullopt; });
  return found;
}

}  // namespace

std::optional<std::string> ReadResponseItem(RequestReader& reader, RequestDraft& draft,
                                            const json::value& value, const ItemFinder& find) {
  Item item;
  reader.ReadObject<Item>(value, kItemFields, item);
  if (!reader.ok()) return std::nullopt;
  if (item.type == "message" || (item.type.empty() && !item.role.empty())) {
    AddMessage(reader, draft, item);
  } else if (item.type == "function_call" || item.type == "custom_tool_call") {
    AddCall(reader, draft, item);
  } else if (item.type == "function_call_output" || item.type == "custom_tool_call_output") {
    AddOutput(draft, item);
  } else if (item.type == "reasoning") {
    const std::string text = item.content ? *item.content : item.reasoning;
    if (!text.empty())
      draft.messages.push_back({.role = "assistant", .content = {}, .reasoning = text});
  } else if (item.type == "item_reference" || (item.type.empty() && !item.id.empty())) {
    return AddReferenced(reader, draft, item, find);
  } else if (item.type.empty()) {
    reader.FailAt("type", "is missing", "missing_required_parameter");
  } else {
    reader.Warn(fmt::format("{}: items of type \"{}\" are not supported, it was dropped",
                            reader.path(), Printable(item.type)));
  }
  return std::nullopt;
}

}  // namespace tutti::server
