#include "tutti/server/responses_request.h"

#include <array>

#include "tutti/base/json_text.h"
#include "tutti/base/printable.h"
#include "tutti/server/json_writer.h"
#include "tutti/server/request_tools.h"
#include "tutti/server/responses_items.h"
#include "tutti/server/responses_writer.h"

namespace tutti::server {
namespace {

namespace json = boost::json;

constexpr double kMaxItems = kMaxMessages;
constexpr double kMaxTopLogprobs = 20;

void ReadTools(RequestReader& reader, RequestDraft& draft, const json::array& tools) {
  draft.response.tools_json = JsonText(tools);
  reader.Each(tools, [&](const json::value& value) {
    const json::object* tool = reader.AsObject(value);
    if (tool == nullptr) return;
    const json::value* type = tool->if_contains("type");
    if (type != nullptr && type->is_string() && *type != "function") {
      return reader.Warn(fmt::format("{}: tools of type \"{}\" are not supported, it was dropped",
                                     reader.path(), Printable(View(type->get_string()))));
    }
    ReadFunction(reader, draft, *tool, "parameters");
  });
}

void ReadChoice(RequestReader& reader, RequestDraft& draft, const json::value& value) {
  draft.response.tool_choice_json = JsonText(value);
  ReadToolChoice(reader, draft, value);
}

const auto kTextFields = std::to_array<Field<RequestDraft>>({
    {"format",
     [](RequestReader& r, RequestDraft& d, const json::object& v) { ReadFormat(r, d, v, ""); }},
    {"verbosity", Ignored{}},
});

const auto kReasoningFields = std::to_array<Field<RequestDraft>>({
    {"effort",
     [](RequestReader& r, RequestDraft& d, const json::value& v) {
       const auto text = r.AsText(v, 1, kMaxIdBytes);
       if (!text) return;
       d.response.reasoning_effort = *text;
       SetReasoningEffort(r, d, *text);
     }},
    {"summary", [](RequestDraft& d, std::string_view v) { d.response.reasoning_summary = v; }, 0,
     kMaxIdBytes},
    {"generate_summary", Ignored{}},
    {"context", Ignored{}},
});

void Refuse(RequestReader& reader, RequestDraft&, const json::value&) {
  reader.Fail("is not supported", "unsupported");
}

const auto kResponsesFields = std::to_array<Field<RequestDraft>>({
    {"model", [](RequestDraft& d, std::string_view v) { d.request.model = v; }, 0, kMaxIdBytes},
    {"input", [](RequestReader&, RequestDraft& d, const json::value& v) { d.response.input = &v; },
     0, 0, true},
    {"instructions", [](RequestDraft& d, std::string_view v) { d.response.instructions = v; }},
    {"previous_response_id",
     [](RequestDraft& d, std::string_view v) { d.response.previous_id = v; }, 0, kMaxIdBytes},
    {"store", [](RequestDraft& d, bool v) { d.response.store = v; }},
    {"stream", [](RequestDraft& d, bool v) { d.request.stream = v; }},
    {"max_output_tokens",
     [](RequestDraft& d, int64_t v) { d.request.max_tokens = static_cast<int32_t>(v); }, 1,
     kMaxTokens},
    {"top_logprobs",
     [](RequestDraft& d, int64_t v) {
       if (v > 0) d.request.sampling.logprobs = static_cast<int32_t>(v);
     },
     0, kMaxTopLogprobs},
    {"tools", ReadTools, 0, kMaxTools},
    {"tool_choice", ReadChoice},
    {"parallel_tool_calls",
     [](RequestDraft& d, bool v) { d.request.parallel_tool_calls = v; }},
    {"text",
     [](RequestReader& r, RequestDraft& d, const json::object& v) {
       d.response.text_json = JsonText(v);
       r.Read<RequestDraft>(v, {kTextFields}, d);
     }},
    {"reasoning",
     [](RequestReader& r, RequestDraft& d, const json::object& v) {
       r.Read<RequestDraft>(v, {kReasoningFields}, d);
     }},
    {"metadata",
     [](RequestReader&, RequestDraft& d, const json::object& v) {
       d.response.metadata_json = JsonText(v);
     }},
    {"stop", ReadStops},
    {"background",
     [](RequestReader& r, RequestDraft&, const json::value& v) {
       if (!v.is_bool() || v.get_bool()) r.Fail("must be false", "unsupported");
     }},
    {"conversation", Refuse},
    {"prompt", Refuse},
    {"include", Ignored{}},
    {"truncation", Ignored{}},
    {"service_tier", Ignored{}},
    {"stream_options", Ignored{}},
    {"user", Ignored{}},
    {"safety_identifier", Ignored{}},
    {"prompt_cache_key", Ignored{}},
    {"prompt_cache_retention", Ignored{}},
    {"client_metadata", Ignored{}},
    {"max_tool_calls", Ignored{}},
    {"context_management", Ignored{}},
});

std::array<Fields<RequestDraft>, 3> AllFields() {
  return {kResponsesFields, SamplingFields(), FormatFields()};
}

// `stored`: the items to store, of references what they mean.
void ReadInput(RequestReader& reader, RequestDraft& draft, const ItemFinder& find,
               std::vector<std::string>& stored) {
  const json::value& input = *draft.response.input;
  const RequestReader::Step step(reader, "input");
  if (input.is_string()) {
    ChatMessage& message = draft.messages.emplace_back();
    message.role = "user";
    message.content = std::string(View(input.get_string()));
    JsonWriter writer;
    writer.Object().Text("type", "message").Text("role", "user").List("content").Object();
    writer.Text("type", "input_text").Text("text", View(input.get_string())).Close().Close();
    return stored.push_back(writer.Close().Take());
  }
  if (!input.is_array()) {
    return reader.Fail(fmt::format("must be a string or a list of items, not {}", KindOf(input)),
                       "invalid_type");
  }
  const json::array& items = input.get_array();
  if (static_cast<double>(items.size()) > kMaxItems) {
    return reader.Fail(
        fmt::format("has {} elements, it must have at most {:.0f}", items.size(), kMaxItems));
  }
  reader.Each(items, [&](const json::value& item) {
    auto meant = ReadResponseItem(reader, draft, item, find);
    stored.push_back(meant ? *std::move(meant) : JsonText(item));
  });
}

// The instructions and what was said in earlier responses; false where that is not stored.
bool ReadHistory(RequestReader& reader, RequestDraft& draft, ResponseStore& store,
                 TenantId tenant) {
  const ResponseDraft& response = draft.response;
  if (!response.instructions.empty()) {
    draft.messages.push_back({.role = "system", .content = response.instructions, .reasoning = {}});
  }
  if (response.previous_id.empty()) return true;
  const auto items = store.History(tenant, response.previous_id);
  if (!items) return false;
  const RequestReader::Step step(reader, "previous_response_id");
  for (const std::string& item : *items) {
    const auto value = ParseJson(item);
    if (!value.ok()) continue;
    ReadResponseItem(reader, draft, *value,
                     [&](const std::string& id) { return store.FindItem(tenant, id); });
  }
  return true;
}

ApiError NotStored(const std::string& id) {
  return {.status = 400,  // as OpenAI's server says it
          .type = "invalid_request_error",
          .message = fmt::format("the previous response \"{}\" is not stored (any more): send the "
                                 "conversation's items as input",
                                 Printable(id)),
          .param = "previous_response_id",
          .code = "previous_response_not_found"};
}

}  // namespace

ApiResult<ApiRequest> ParseResponses(std::string_view body, const SamplingSpec& defaults,
                                     ResponseStore& store, TenantId tenant) {
  RequestReader reader;
  RequestDraft draft;
  draft.request.sampling = defaults;
  std::vector<std::string> items;
  const auto object = reader.ParseBody(body);
  if (object) {
    reader.Read<RequestDraft>(*object, std::span<const Fields<RequestDraft>>(AllFields()), draft);
  }
  if (reader.ok()) {
    if (!ReadHistory(reader, draft, store, tenant)) return NotStored(draft.response.previous_id);
    ReadInput(
        reader, draft, [&](const std::string& id) { return store.FindItem(tenant, id); }, items);
    if (reader.ok() && draft.messages.empty()) reader.FailAt("input", "must not be empty");
    FinishConversation(reader, draft);
  }
  if (!reader.ok()) return *reader.error();
  ApiRequest result;
  result.generation = TakeRequest(reader, draft);
  result.writer = MakeResponsesWriter(result.generation, draft.response, std::move(items),
                                      draft.response.store ? &store : nullptr, tenant);
  return result;
}

std::vector<std::string_view> ResponsesFields() {
  std::vector<std::string_view> names;
  for (const auto& table : AllFields()) {
    for (const auto& field : table) names.push_back(field.name);
  }
  return names;
}

}  // namespace tutti::server
