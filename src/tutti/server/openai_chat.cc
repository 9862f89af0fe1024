#include "tutti/server/openai_chat.h"

#include <algorithm>
#include <array>

#include "tutti/base/printable.h"
#include "tutti/server/openai_chat_writer.h"
#include "tutti/server/openai_fields.h"
#include "tutti/server/openai_messages.h"
#include "tutti/server/request_tools.h"

namespace tutti::server {
namespace {

namespace json = boost::json;

void ReadModalities(RequestReader& reader, RequestDraft&, const json::array& modalities) {
  reader.Each(modalities, [&](const json::value& value) {
    const auto text = reader.AsText(value, 1, kMaxIdBytes);
    if (text && *text != "text") {
      reader.Fail(fmt::format("is \"{}\": only text can be written", Printable(*text)),
                  "unsupported");
    }
  });
}

const auto kChatFields = std::to_array<Field<RequestDraft>>({
    {"max_tokens",
     [](RequestDraft& d, int64_t v) { d.request.max_tokens = static_cast<int32_t>(v); }, 1,
     kMaxTokens},
    {"messages", ReadOpenaiMessages, 1, kMaxMessages, true},
    {"max_completion_tokens",
     [](RequestDraft& d, int64_t v) { d.request.max_tokens = static_cast<int32_t>(v); }, 1,
     kMaxTokens},
    {"logprobs", [](RequestDraft& d, bool v) { d.logprobs = v; }},
    {"top_logprobs", [](RequestDraft& d, int64_t v) { d.top_logprobs = v; }, 0, kMaxTopLogprobs},
    {"tools", ReadOpenaiTools, 0, kMaxTools},
    {"tool_choice", ReadToolChoice},
    {"parallel_tool_calls", [](RequestDraft& d, bool v) { d.request.parallel_tool_calls = v; }},
    {"response_format", [](RequestReader& r, RequestDraft& d,
                           const json::object& v) { ReadFormat(r, d, v, "json_schema"); }},
    {"modalities", ReadModalities, 0, 8},
    {"audio", Ignored{}},
    {"prediction", Ignored{}},
    {"verbosity", Ignored{}},
    {"web_search_options",
     [](RequestReader& r, RequestDraft&, const json::value&) {
       r.Warn("web_search_options: there is no web search, it was dropped");
     }},
});

std::array<Fields<RequestDraft>, 5> AllFields() {
  return {OpenaiCommonFields(), kChatFields, SamplingFields(), FormatFields(), TemplateFields()};
}

void FinishLogprobs(RequestReader& reader, RequestDraft& draft) {
  if (!reader.ok()) return;
  if (draft.top_logprobs > 0 && !draft.logprobs) {
    return reader.FailAt("top_logprobs",
                         fmt::format("is {}, which needs logprobs: true", draft.top_logprobs));
  }
  if (draft.logprobs) {
    draft.request.sampling.logprobs =
        static_cast<int32_t>(std::max<int64_t>(draft.top_logprobs, 0));
  }
}

}  // namespace

ApiResult<ApiRequest> ParseOpenaiChat(std::string_view body, const SamplingSpec& defaults) {
  RequestReader reader;
  RequestDraft draft;
  draft.request.sampling = defaults;
  if (const auto object = reader.ParseBody(body)) {
    reader.Read<RequestDraft>(*object, std::span<const Fields<RequestDraft>>(AllFields()), draft);
    FinishLogprobs(reader, draft);
    FinishConversation(reader, draft);
  }
  if (!reader.ok()) return *reader.error();
  ApiRequest result;
  result.generation = TakeRequest(reader, draft);
  result.writer = MakeOpenaiChatWriter(result.generation);
  return result;
}

std::vector<std::string_view> OpenaiChatFields() {
  std::vector<std::string_view> names;
  for (const auto& table : AllFields()) {
    for (const auto& field : table) names.push_back(field.name);
  }
  return names;
}

}  // namespace tutti::server
