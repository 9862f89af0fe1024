#include "tutti/server/openai_completions.h"

#include <array>

#include "tutti/server/openai_completions_writer.h"
#include "tutti/server/openai_fields.h"
#include "tutti/server/openai_prompts.h"

namespace tutti::server {
namespace {

namespace json = boost::json;

const auto kCompletionsFields = std::to_array<Field<RequestDraft>>({
    {"prompt",
     [](RequestReader& r, RequestDraft& d, const json::value& v) {
       ReadPrompts(r, v, d.request.prompts);
     },
     0, 0, true},
    {"max_tokens",
     [](RequestDraft& d, int64_t v) { d.request.max_tokens = static_cast<int32_t>(v); }, 0,
     kMaxTokens},
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
  constexpr size_t kMaxAnswers = 2048;
  const size_t answers = request.prompts.size() * static_cast<size_t>(request.choices);
  if (answers > kMaxAnswers) {
    return reader.FailAt(
        "n", fmt::format("is {} for {} prompts, which makes {} answers, at most {} "
                         "are possible: send fewer prompts at once",
                         request.choices, request.prompts.size(), answers, kMaxAnswers));
  }
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
