#include "tutti/text/conversation.h"

#include <algorithm>
#include <array>
#include <ctime>
#include <vector>

#include "tutti/text/jinja_compare.h"
#include "tutti/text/jinja_iterate.h"
#include "tutti/text/jinja_json.h"
#include "tutti/text/jinja_methods.h"
#include "tutti/text/jinja_print.h"

namespace tutti::text {
namespace {

using jinja::Dict;
using jinja::DictEntry;
using jinja::Heap;
using jinja::Kind;
using jinja::Value;

// Behind the content of the message to continue, so that its end can be found. The trailing space
// shows whether the template trims.
constexpr std::string_view kTag = "CONTINUE_FINAL_MESSAGE_TAG ";
constexpr std::string_view kTrimmedTag = kTag.substr(0, kTag.size() - 1);

constexpr std::array<std::string_view, 3> kReasoningNames = {"reasoning_content", "thinking",
                                                             "reasoning"};

TemplateBudget BudgetFor(const Conversation& conversation) {
  const size_t bytes = conversation.messages_json.size() + conversation.tools_json.size() +
                       conversation.documents_json.size() + conversation.extra_json.size();
  TemplateBudget budget;
  budget.steps = 100 * (bytes + 1000);
  budget.memory_bytes = 256 * (bytes + 1000);
  return budget;
}

// Parsed JSON of the given kind, or nothing and an error that names `what`.
Value ParseAs(Heap& heap, std::string_view json, Kind kind, std::string_view what) {
  const Value value = jinja::ParseJson(heap, json, false);
  if (value.nothing() || value.Is(kind)) return value;
  return jinja::Fail(heap, "{} must be a JSON {}, not {}", what,
                     kind == Kind::kDict ? "object" : "array", jinja::TypeName(value));
}

class VariablesBuilder {
 public:
  explicit VariablesBuilder(const Conversation& conversation)
      : conversation_(conversation), heap_(BudgetFor(conversation)) {}

  Heap& heap() { return heap_; }

  // The messages with their reasoning under all names; nothing after an error.
  std::vector<Value> Messages() {
    std::vector<Value> messages;
    const Value list = ParseAs(heap_, conversation_.messages_json, Kind::kList, "messages");
    if (list.nothing()) return {};
    for (const Value& message : list.list->view()) {
      if (!message.Is(Kind::kDict)) {
        jinja::Fail(heap_, "every message must be a JSON object, not {}", jinja::TypeName(message));
        return {};
      }
      messages.push_back(AliasReasoning(message));
    }
    return messages;
  }

  Result<std::string> Build(const std::vector<Value>& messages, bool add_generation_prompt) {
    Dict* variables = jinja::NewDict(heap_);
    if (variables != nullptr && !heap_.failed()) {
      Set(*variables, "messages", Value::Of(jinja::MakeList(heap_, messages)));
      Set(*variables, "tools", Optional(conversation_.tools_json, "tools"));
      Set(*variables, "documents", Optional(conversation_.documents_json, "documents"));
      Set(*variables, "add_generation_prompt", Value::Bool(add_generation_prompt));
      SetText(*variables, "bos_token", conversation_.bos_token);
      SetText(*variables, "eos_token", conversation_.eos_token);
      TUTTI_RETURN_IF_ERROR(AddExtra(*variables));
    }
    if (heap_.failed()) return heap_.status().WithContext("conversation");
    jinja::JsonStyle style;
    style.item_separator = *jinja::MakeString(heap_, ",", false).string;
    style.key_separator = *jinja::MakeString(heap_, ":", false).string;
    jinja::Builder out(heap_);
    if (!jinja::AppendJson(out, Value::Of(variables), style)) {
      return heap_.status().WithContext("conversation");
    }
    return std::string(out.view());
  }

  bool Set(Dict& dict, std::string_view name, const Value& value) {
    const Value key = jinja::MakeString(heap_, name, false);
    return !key.nothing() && !value.nothing() && jinja::DictSet(heap_, dict, key, value);
  }

  // A copy with one entry replaced.
  Value With(const Value& message, std::string_view name, const Value& value) {
    Dict* copy = Copy(message);
    return copy != nullptr && Set(*copy, name, value) ? Value::Of(copy) : Value();
  }

 private:
  Dict* Copy(const Value& message) {
    Dict* copy = jinja::NewDict(heap_);
    return copy != nullptr && AddAll(*copy, message) ? copy : nullptr;
  }
  bool AddAll(Dict& dict, const Value& message) {
    for (const DictEntry& entry : message.dict->view()) {
      if (!jinja::DictSet(heap_, dict, entry.key, entry.value)) return false;
    }
    return true;
  }

  Value AliasReasoning(const Value& message) {
    for (const std::string_view name : kReasoningNames) {
      const DictEntry* entry = jinja::DictFind(heap_, *message.dict, name);
      if (entry == nullptr || entry->value.Is(Kind::kNone)) continue;
      Dict* copy = jinja::NewDict(heap_);
      const Value reasoning = entry->value;
      if (copy == nullptr || !Set(*copy, "thinking", reasoning) || !AddAll(*copy, message) ||
          !Set(*copy, "reasoning_content", reasoning)) {
        return Value();
      }
      return Value::Of(copy);
    }
    return message;
  }

  Value Optional(const std::string& json, std::string_view what) {
    return json.empty() ? Value::None() : ParseAs(heap_, json, Kind::kList, what);
  }

  void SetText(Dict& dict, std::string_view name, const std::optional<std::string>& text) {
    if (text) Set(dict, name, jinja::MakeString(heap_, *text, true));
  }

  Status AddExtra(Dict& variables) {
    if (conversation_.extra_json.empty()) return Status();
    const Value extra = ParseAs(heap_, conversation_.extra_json, Kind::kDict, "extra variables");
    if (extra.nothing()) return heap_.status().WithContext("conversation");
    for (const DictEntry& entry : extra.dict->view()) {
      const std::string_view name = entry.key.string->view();
      if (IsModelVariable(name) || jinja::DictFind(heap_, variables, name) != nullptr) {
        return UsageError("the template variable '{}' cannot be set as an extra one", name);
      }
      if (!jinja::DictSet(heap_, variables, entry.key, entry.value)) break;
    }
    return Status();
  }

  const Conversation& conversation_;
  Heap heap_;
};

// `text` with the tag behind it.
Value Tagged(Heap& heap, const Value& text) {
  jinja::Builder out(heap);
  return out.Add(*text.string) && out.Add(kTag, false) ? out.Finish() : Value();
}

// The message with the tag behind its text: its content, or the last text part of it. `text` is
// what the tag was put behind.
Value TagMessage(VariablesBuilder& builder, const Value& message, std::string& text) {
  Heap& heap = builder.heap();
  const DictEntry* content = jinja::DictFind(heap, *message.dict, "content");
  if (content == nullptr || content->value.Is(Kind::kNone)) {
    return jinja::Fail(heap, "the last message has no content to continue");
  }
  if (content->value.Is(Kind::kString)) {
    text = std::string(content->value.string->view());
    return builder.With(message, "content", Tagged(heap, content->value));
  }
  if (content->value.Is(Kind::kList)) {
    std::vector<Value> parts(content->value.list->view().begin(),
                             content->value.list->view().end());
    for (auto part = parts.rbegin(); part != parts.rend(); ++part) {
      if (!part->Is(Kind::kDict)) continue;
      const DictEntry* entry = jinja::DictFind(heap, *part->dict, "text");
      if (entry == nullptr || !entry->value.Is(Kind::kString)) continue;
      text = std::string(entry->value.string->view());
      *part = builder.With(*part, "text", Tagged(heap, entry->value));
      if (part->nothing()) return Value();
      return builder.With(message, "content", Value::Of(jinja::MakeList(heap, parts)));
    }
  }
  return jinja::Fail(heap, "the last message has no text to continue");
}

// Cuts the result to its first `bytes` bytes.
void CutTo(RenderResult& result, size_t bytes) {
  for (RenderedSegment& segment : result.segments) {
    segment.text.resize(std::min(segment.text.size(), bytes));
    bytes -= segment.text.size();
  }
  std::erase_if(result.segments, [](const RenderedSegment& s) { return s.text.empty(); });
}

// Without the white space around it, as Python's str.strip.
std::string Stripped(std::string_view text, bool left) {
  Heap heap({.steps = text.size() + 1000, .memory_bytes = 2 * text.size() + 10000});
  const Value value = jinja::MakeString(heap, text, false);
  const Value stripped =
      value.nothing() ? value : jinja::Strip(heap, *value.string, Value(), left, true);
  return std::string(stripped.nothing() ? text : stripped.string->view());
}

}  // namespace

std::string MessageJson(std::string_view role, std::string_view content) {
  return fmt::format("{{\"role\":{},\"content\":{}}}", jinja::JsonQuote(role),
                     jinja::JsonQuote(content));
}

Result<std::string> TemplateVariables(const Conversation& conversation) {
  VariablesBuilder builder(conversation);
  const std::vector<Value> messages = builder.Messages();
  return builder.Build(messages, conversation.add_generation_prompt);
}

Result<RenderResult> Render(const ChatTemplate& chat, const Conversation& conversation,
                            std::string_view now) {
  TUTTI_ASSIGN_OR_RETURN(const std::string variables, TemplateVariables(conversation));
  return chat.Render(variables, now);
}

Result<RenderResult> RenderContinued(const ChatTemplate& chat, const Conversation& conversation,
                                     std::string_view now) {
  VariablesBuilder builder(conversation);
  std::vector<Value> messages = builder.Messages();
  if (!builder.heap().failed() && messages.empty()) {
    return UsageError("there is no message to continue: the conversation is empty");
  }
  std::string last;
  if (!builder.heap().failed()) messages.back() = TagMessage(builder, messages.back(), last);
  TUTTI_ASSIGN_OR_RETURN(const std::string variables, builder.Build(messages, false));
  TUTTI_ASSIGN_OR_RETURN(RenderResult result, chat.Render(variables, now));
  const std::string text = result.Text();
  const size_t at = text.rfind(kTrimmedTag);
  if (at == std::string::npos || text.find(Stripped(last, true)) == std::string::npos) {
    return DataError(
        "the last message cannot be continued: the chat template does not show its content as it "
        "is");
  }
  // A template that keeps the tag's space keeps the message's own.
  const bool trims = text.compare(at, kTag.size(), kTag) != 0;
  CutTo(result, trims ? Stripped(std::string_view(text).substr(0, at), false).size() : at);
  return result;
}

std::string LocalTime() {
  const std::time_t now = std::time(nullptr);
  std::tm local{};
  localtime_r(&now, &local);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", local.tm_year + 1900, local.tm_mon + 1,
                     local.tm_mday, local.tm_hour, local.tm_min, local.tm_sec);
}

}  // namespace tutti::text
