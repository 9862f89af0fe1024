#include "tutti/server/anthropic_messages.h"

#include <array>

#include "tutti/base/printable.h"
#include "tutti/server/anthropic_content.h"
#include "tutti/server/anthropic_writer.h"
#include "tutti/server/json_writer.h"
#include "tutti/server/request_tools.h"

namespace tutti::server {
namespace {

namespace json = boost::json;

void ReadTools(RequestReader& reader, RequestDraft& draft, const json::array& tools) {
  reader.Each(tools, [&](const json::value& value) {
    const json::object* tool = reader.AsObject(value);
    if (tool == nullptr) return;
    const json::value* type = tool->if_contains("type");
    if (type != nullptr && type->is_string() && *type != "custom") {
      return reader.Warn(fmt::format("{}: tools of type \"{}\" are not supported, it was dropped",
                                     reader.path(), Printable(View(type->get_string()))));
    }
    ReadFunction(reader, draft, *tool, "input_schema");
  });
}

void ReadChoice(RequestReader& reader, RequestDraft& draft, const json::object& choice) {
  ReadToolChoice(reader, draft, choice);
  const json::value* alone = choice.if_contains("disable_parallel_tool_use");
  if (alone == nullptr || alone->is_null()) return;
  if (!alone->is_bool()) {
    return reader.FailAt("disable_parallel_tool_use", "must be true or false", "invalid_type");
  }
  draft.request.parallel_tool_calls = !alone->get_bool();
}

void ReadThinkingType(RequestReader& reader, RequestDraft& draft, const json::value& value) {
  const auto type = reader.AsText(value, 1, kMaxIdBytes);
  if (!type) return;
  if (*type == "enabled" || *type == "disabled") {
    const bool on = *type == "enabled";
    draft.template_variables.emplace("enable_thinking", on);
    draft.template_variables.emplace("thinking", on);
  } else if (*type != "adaptive") {
    reader.Fail(
        fmt::format("is \"{}\", it must be enabled, disabled or adaptive", Printable(*type)));
  }
}

const auto kThinkingFields = std::to_array<Field<RequestDraft>>({
    {"type", ReadThinkingType, 0, 0, true},
    {"budget_tokens", [](RequestDraft&, int64_t) {}, 0, kMaxTokens},
    {"display", Ignored{}},
});

const auto kOutputFields = std::to_array<Field<RequestDraft>>({
    {"format",
     [](RequestReader& r, RequestDraft& d, const json::object& v) { ReadFormat(r, d, v, ""); }},
    {"effort",
     [](RequestReader& r, RequestDraft& d, const json::value& v) {
       if (const auto text = r.AsText(v, 1, kMaxIdBytes)) SetReasoningEffort(r, d, *text);
     }},
});

const auto kMessagesFields = std::to_array<Field<RequestDraft>>({
    {"model", [](RequestDraft& d, std::string_view v) { d.request.model = v; }, 0, kMaxIdBytes},
    {"messages", ReadAnthropicMessages, 1, kMaxMessages, true},
    {"system", ReadAnthropicSystem},
    {"max_tokens",
     [](RequestDraft& d, int64_t v) { d.request.max_tokens = static_cast<int32_t>(v); }, 1,
     kMaxTokens},
    {"stop_sequences", ReadStops},
    {"stream", [](RequestDraft& d, bool v) { d.request.stream = v; }},
    {"tools", ReadTools, 0, kMaxTools},
    {"tool_choice", ReadChoice},
    {"thinking", [](RequestReader& r, RequestDraft& d,
                    const json::object& v) { r.Read<RequestDraft>(v, {kThinkingFields}, d); }},
    {"output_config", [](RequestReader& r, RequestDraft& d,
                         const json::object& v) { r.Read<RequestDraft>(v, {kOutputFields}, d); }},
    {"output_format",
     [](RequestReader& r, RequestDraft& d, const json::object& v) { ReadFormat(r, d, v, ""); }},
    {"metadata", Ignored{}},
    {"context_management", Ignored{}},
    {"service_tier", Ignored{}},
    {"container", Ignored{}},
    {"betas", Ignored{}},
    {"cache_control", Ignored{}},
});

std::array<Fields<RequestDraft>, 3> AllFields() {
  return {kMessagesFields, SamplingFields(), TemplateFields()};
}

// A last message of the assistant is the beginning of the answer.
void ContinueLast(RequestDraft& draft) {
  if (draft.messages.empty()) return;
  const ChatMessage& last = draft.messages.back();
  if (last.role == "assistant" && last.calls.empty() && last.content && !last.content->empty()) {
    draft.request.continue_last_message = true;
  }
}

}  // namespace

ApiResult<ApiRequest> ParseAnthropicMessages(std::string_view body, const SamplingSpec& defaults) {
  RequestReader reader;
  RequestDraft draft;
  draft.request.sampling = defaults;
  if (const auto object = reader.ParseBody(body)) {
    reader.Read<RequestDraft>(*object, std::span<const Fields<RequestDraft>>(AllFields()), draft);
    ContinueLast(draft);
    FinishConversation(reader, draft);
  }
  if (!reader.ok()) return *reader.error();
  ApiRequest result;
  result.generation = TakeRequest(reader, draft);
  result.writer = MakeAnthropicWriter(result.generation);
  return result;
}

std::string AnthropicTokenCount(int64_t tokens) {
  return JsonWriter().Object().Int("input_tokens", tokens).Close().Take();
}

std::vector<std::string_view> AnthropicMessagesFields() {
  std::vector<std::string_view> names;
  for (const auto& table : AllFields()) {
    for (const auto& field : table) names.push_back(field.name);
  }
  return names;
}

}  // namespace tutti::server
