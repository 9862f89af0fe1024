#include "tutti/server/anthropic_content.h"

#include <array>

#include "tutti/base/json_text.h"
#include "tutti/base/printable.h"

namespace tutti::server {
namespace {

namespace json = boost::json;

struct Block {
  std::string_view type;
  std::optional<std::string_view> text;
  std::string_view thinking;
  std::string_view id;
  std::string_view name;
  std::string_view tool_use_id;
  std::optional<std::string> content;  // of a tool_result
  std::string input;
};

void ReadText(RequestReader& reader, std::optional<std::string>& out, const json::value& value);

// The members of all blocks that can be read; which of them there must be depends on the type.
const auto kBlockFields = std::to_array<Field<Block>>({
    {"type", [](Block& b, std::string_view v) { b.type = v; }, 1, kMaxIdBytes, true},
    {"text", [](Block& b, std::string_view v) { b.text = v; }},
    {"thinking", [](Block& b, std::string_view v) { b.thinking = v; }},
    {"signature", Ignored{}},
    {"data", Ignored{}},
    {"id", [](Block& b, std::string_view v) { b.id = v; }, 0, kMaxIdBytes},
    {"name", [](Block& b, std::string_view v) { b.name = v; }, 0, kMaxIdBytes},
    {"input", [](RequestReader&, Block& b, const json::object& v) { b.input = JsonText(v); }},
    {"tool_use_id", [](Block& b, std::string_view v) { b.tool_use_id = v; }, 0, kMaxIdBytes},
    {"content",
     [](RequestReader& r, Block& b, const json::value& v) { ReadText(r, b.content, v); }},
    {"is_error", Ignored{}},
    {"cache_control", Ignored{}},
    {"citations", Ignored{}},
    {"caller", Ignored{}},
});

void FailType(RequestReader& reader, const Block& block) {
  reader.FailAt("type",
                fmt::format("is \"{}\": only text, thinking, tool_use and tool_result can be read",
                            Printable(block.type)),
                "unsupported");
}

// A string, or a list of blocks of text.
void ReadText(RequestReader& reader, std::optional<std::string>& out, const json::value& value) {
  if (value.is_string()) return AppendText(out, View(value.get_string()));
  if (!value.is_array()) {
    return reader.Fail(fmt::format("must be a string or a list of blocks, not {}", KindOf(value)),
                       "invalid_type");
  }
  reader.Each(value.get_array(), [&](const json::value& element) {
    Block block;
    const json::object* object = reader.AsObject(element);
    if (object == nullptr) return;
    // Tools may find tools: their names are all that a model can use of them.
    const json::value* type = object->if_contains("type");
    if (type != nullptr && *type == "tool_reference") {
      const json::value* name = object->if_contains("tool_name");
      if (name != nullptr && name->is_string()) AppendText(out, View(name->get_string()));
      return;
    }
    reader.Read<Block>(*object, {kBlockFields}, block);
    if (!reader.ok()) return;
    if (block.type != "text") return FailType(reader, block);
    if (!block.text) return reader.FailAt("text", "is missing", "missing_required_parameter");
    AppendText(out, *block.text);
  });
}

// One message of theirs, which may be several of ours: results of tools have messages of their own.
class MessageBuilder {
 public:
  MessageBuilder(RequestDraft& draft, std::string_view role) : draft_(draft) {
    message_.role = role;
  }

  void Add(RequestReader& reader, const Block& block) {
    if (block.type == "text") {
      if (!block.text) return reader.FailAt("text", "is missing", "missing_required_parameter");
      AppendText(message_.content, *block.text);
    } else if (block.type == "thinking") {
      message_.reasoning += block.thinking;
    } else if (block.type == "tool_use") {
      if (block.name.empty()) {
        return reader.FailAt("name", "is missing", "missing_required_parameter");
      }
      message_.calls.push_back(
          {.id = std::string(block.id), .name = std::string(block.name), .arguments = block.input});
    } else if (block.type == "tool_result") {
      Flush(false);
      ChatMessage result;
      result.role = "tool";
      result.tool_call_id = block.tool_use_id;
      result.content = block.content.value_or("");
      draft_.messages.push_back(std::move(result));
      ++flushed_;
    } else if (block.type != "redacted_thinking") {
      FailType(reader, block);
    }
  }

  // `always`: also a message without anything.
  void Flush(bool always) {
    const bool empty = !message_.content && message_.calls.empty() && message_.reasoning.empty();
    if (empty && !always) return;
    if (!message_.content && message_.role != "assistant") message_.content.emplace();
    const std::string role = message_.role;
    draft_.messages.push_back(std::exchange(message_, ChatMessage{}));
    message_.role = role;
    ++flushed_;
  }
  void Finish() { Flush(flushed_ == 0); }

  void SetText(std::string_view text) { AppendText(message_.content, text); }

 private:
  RequestDraft& draft_;
  ChatMessage message_;
  int flushed_ = 0;
};

struct Message {
  std::string_view role;
  const json::value* content = nullptr;
};

const auto kMessageFields = std::to_array<Field<Message>>({
    {"role", [](Message& m, std::string_view v) { m.role = v; }, 1, kMaxIdBytes, true},
    {"content", [](RequestReader&, Message& m, const json::value& v) { m.content = &v; }, 0, 0,
     true},
});

void ReadMessage(RequestReader& reader, RequestDraft& draft, const json::value& value) {
  Message message;
  reader.ReadObject<Message>(value, kMessageFields, message);
  if (!reader.ok()) return;
  if (message.role != "user" && message.role != "assistant" && message.role != "system") {
    return reader.FailAt("role", fmt::format("is \"{}\", it must be user, assistant or system",
                                             Printable(message.role)));
  }
  MessageBuilder builder(draft, message.role);
  const RequestReader::Step step(reader, "content");
  if (message.content->is_string()) {
    builder.SetText(View(message.content->get_string()));
  } else if (message.content->is_array()) {
    reader.Each(message.content->get_array(), [&](const json::value& element) {
      Block block;
      reader.ReadObject<Block>(element, kBlockFields, block);
      if (reader.ok()) builder.Add(reader, block);
    });
  } else {
    reader.Fail(
        fmt::format("must be a string or a list of blocks, not {}", KindOf(*message.content)),
        "invalid_type");
  }
  builder.Finish();
}

}  // namespace

void ReadAnthropicMessages(RequestReader& reader, RequestDraft& draft,
                           const json::array& messages) {
  reader.Each(messages, [&](const json::value& value) { ReadMessage(reader, draft, value); });
}

void ReadAnthropicSystem(RequestReader& reader, RequestDraft& draft, const json::value& value) {
  ChatMessage message;
  message.role = "system";
  ReadText(reader, message.content, value);
  if (message.content && !message.content->empty()) {
    draft.messages.insert(draft.messages.begin(), std::move(message));
  }
}

}  // namespace tutti::server
