#include "tutti/server/openai_tokenize.h"

#include <array>

#include "tutti/server/json_writer.h"
#include "tutti/server/openai_chat.h"
#include "tutti/server/openai_prompts.h"

namespace tutti::server {
namespace {

namespace json = boost::json;

constexpr double kMaxNameBytes = 1024;

struct Draft {
  TokenizeRequest request;
  bool has_text = false;
  bool has_messages = false;
  bool answer_begins = true;  // behind the messages
};

void SetText(Draft& draft, std::string_view text) {
  draft.request.text = text;
  draft.has_text = true;
}

const auto kTokenizeFields = std::to_array<Field<Draft>>({
    {"model", [](Draft& d, std::string_view v) { d.request.model = v; }, 0, kMaxNameBytes},
    {"prompt", SetText},
    {"content", SetText},
    {"messages", [](RequestReader&, Draft& d, const json::value&) { d.has_messages = true; }},
    {"add_generation_prompt", [](Draft& d, bool v) { d.answer_begins = v; }},
    {"add_special_tokens", [](Draft& d, bool v) { d.request.add_special = v; }},
    {"add_special", [](Draft& d, bool v) { d.request.add_special = v; }},
    {"return_token_strs", [](Draft& d, bool v) { d.request.pieces = v; }},
    {"with_pieces", [](Draft& d, bool v) { d.request.pieces = v; }},
});

const auto kDetokenizeFields = std::to_array<Field<DetokenizeRequest>>({
    {"model", [](DetokenizeRequest& d, std::string_view v) { d.model = v; }, 0, kMaxNameBytes},
    {"tokens",
     [](RequestReader& r, DetokenizeRequest& d, const json::array& v) {
       d.tokens = ReadTokenIds(r, v);
     },
     0, kMaxTextBytes, true},
});

}  // namespace

ApiResult<TokenizeRequest> ParseApplyTemplate(std::string_view body) {
  auto chat = ParseOpenaiChat(body, {});
  if (!chat.ok()) return chat.error();
  RequestReader reader;
  Draft draft;
  if (const auto object = reader.ParseBody(body)) {
    reader.Read<Draft>(*object, {kTokenizeFields}, draft);
  }
  if (!reader.ok()) return *reader.error();
  TokenizeRequest& request = draft.request;
  request.chat = std::move(chat->generation);
  if (!draft.answer_begins) {
    request.chat.conversation->add_generation_prompt = false;
    request.chat.tool_choice = ToolChoice::kAuto;  // nor does a call
  }
  return std::move(request);
}

ApiResult<TokenizeRequest> ParseTokenize(std::string_view body) {
  RequestReader reader;
  Draft draft;
  if (const auto object = reader.ParseBody(body)) {
    reader.Read<Draft>(*object, {kTokenizeFields}, draft);
  }
  if (reader.ok() && !draft.has_text && !draft.has_messages) {
    reader.FailAt("prompt", "is missing, and there are no messages", "missing_required_parameter");
  }
  if (!reader.ok()) return *reader.error();
  if (draft.has_messages) {
    auto chat = ParseApplyTemplate(body);
    if (!chat.ok()) return chat.error();
    draft.request.chat = std::move(chat->chat);
  }
  return std::move(draft.request);
}

ApiResult<DetokenizeRequest> ParseDetokenize(std::string_view body) {
  RequestReader reader;
  DetokenizeRequest request;
  if (const auto object = reader.ParseBody(body)) {
    reader.Read<DetokenizeRequest>(*object, {kDetokenizeFields}, request);
  }
  if (!reader.ok()) return *reader.error();
  return request;
}

std::string TokenizeBody(std::span<const TokenId> tokens, std::span<const std::string> pieces,
                         int64_t context) {
  JsonWriter writer;
  writer.Object().Int("count", static_cast<int64_t>(tokens.size())).Int("max_model_len", context);
  writer.List("tokens");
  for (const TokenId token : tokens) writer.Int(token);
  writer.Close();
  if (!pieces.empty()) {
    writer.List("token_strs");
    for (const std::string& piece : pieces) writer.Text(piece);
    writer.Close();
  }
  return writer.Close().Take();
}

std::string DetokenizeBody(std::string_view text) {
  return JsonWriter().Object().Text("prompt", text).Text("content", text).Close().Take();
}

std::string ApplyTemplateBody(std::string_view text) {
  return JsonWriter().Object().Text("prompt", text).Close().Take();
}

std::vector<std::string_view> TokenizeFields() {
  std::vector<std::string_view> names;
  for (const auto& field : kTokenizeFields) names.push_back(field.name);
  return names;
}

}  // namespace tutti::server
