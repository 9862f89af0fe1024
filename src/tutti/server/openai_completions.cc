#include "tutti/server/openai_completions.h"

#include <array>

#include "tutti/server/openai_completions_writer.h"
#include "tutti/server/openai_fields.h"

namespace tutti::server {
namespace {

namespace json = boost::json;

constexpr double kMaxPrompts = 256;

void ReadIds(RequestReader& reader, RequestDraft& draft, const json::array& list) {
  TokenIds ids;
  reader.Each(list, [&](const json::value& value) {
    if (const auto id = reader.AsInteger(value, 0, kMaxTokens)) {
      ids.push_back(static_cast<TokenId>(*id));
    }
  });
  draft.request.prompts.emplace_back(std::move(ids));
}

// A text or a list of ids.
void ReadOnePrompt(RequestReader& reader, RequestDraft& draft, const json::value& value) {
  if (value.is_string()) {
    draft.request.prompts.emplace_back(std::string(View(value.get_string())));
  } else if (value.is_array() && !value.get_array().empty()) {
    ReadIds(reader, draft, value.get_array());
  } else {
    reader.Fail("must be a text or a list of token ids", "invalid_type");
  }
}

void ReadPrompts(RequestReader& reader, RequestDraft& draft, const json::value& value) {
  if (!value.is_array() || value.get_array().empty() || value.get_array()[0].is_number()) {
    return ReadOnePrompt(reader, draft, value);
  }
  const json::array& list = value.get_array();
  if (static_cast<double>(list.size()) > kMaxPrompts) {
    return reader.Fail(
        fmt::format("has {} prompts, it must have at most {:.0f}", list.size(), kMaxPrompts));
  }
  reader.Each(list, [&](const json::value& prompt) { ReadOnePrompt(reader, draft, prompt); });
}

const auto kCompletionsFields = std::to_array<Field<RequestDraft>>({
    {"prompt", ReadPrompts, 0, 0, true},
    {"echo", [](RequestDraft& d, bool v) { d.request.echo = v; }},
    {"logprobs",
     [](RequestDraft& d, int64_t v) { d.request.sampling.logprobs = static_cast<int32_t>(v); }, 0,
     kMaxTopLogprobs},
    {"best_of", [](RequestDraft& d, int64_t v) { d.best_of = v; }, 1, kMaxChoices},
    {"response_format", [](RequestReader& r, RequestDraft& d,
                           const json::object& v) { ReadFormat(r, d, v, "json_schema"); }},
    {"suffix",
     [](RequestReader& r, RequestDraft&, const json::value& v) {
       const auto text = r.AsText(v, 0, kMaxTextBytes);
       if (text && !text->empty()) r.Fail("is not supported", "unsupported");
     }},
});

std::array<Fields<RequestDraft>, 4> AllFields() {
  return {OpenaiCommonFields(), kCompletionsFields, SamplingFields(), FormatFields()};
}

void Finish(RequestReader& reader, RequestDraft& draft) {
  if (!reader.ok()) return;
  const GenerationRequest& request = draft.request;
  if (draft.best_of > 0 && draft.best_of != request.choices) {
    return reader.FailAt(
        "best_of", fmt::format("is {}, it must be n, which is {}", draft.best_of, request.choices));
  }
  if (request.echo && request.sampling.logprobs >= 0) {
    return reader.FailAt("echo", "together with logprobs is not supported", "unsupported");
  }
}

}  // namespace

ApiResult<ApiRequest> ParseOpenaiCompletions(std::string_view body, const SamplingSpec& defaults) {
  RequestReader reader;
  RequestDraft draft;
  draft.request.sampling = defaults;
  if (const auto object = reader.ParseBody(body)) {
    reader.Read<RequestDraft>(*object, std::span<const Fields<RequestDraft>>(AllFields()), draft);
    Finish(reader, draft);
  }
  if (!reader.ok()) return *reader.error();
  ApiRequest result;
  result.generation = TakeRequest(reader, draft);
  result.writer = MakeOpenaiCompletionsWriter(result.generation);
  return result;
}

std::vector<std::string_view> OpenaiCompletionsFields() {
  std::vector<std::string_view> names;
  for (const auto& table : AllFields()) {
    for (const auto& field : table) names.push_back(field.name);
  }
  return names;
}

}  // namespace tutti::server
