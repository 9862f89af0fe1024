// Any body for any endpoint: a request or a 400, and what the writers then say is valid JSON.
//
// The first byte chooses the endpoint; what follows is the body.
#include <boost/json.hpp>
#include <cstdint>
#include <string>
#include <string_view>

#include "tutti/base/check.h"
#include "tutti/base/json.h"
#include "tutti/base/utf8.h"
#include "tutti/server/anthropic_messages.h"
#include "tutti/server/openai_chat.h"
#include "tutti/server/openai_completions.h"
#include "tutti/server/openai_embeddings.h"
#include "tutti/server/openai_tokenize.h"
#include "tutti/server/responses_request.h"

namespace {

using namespace tutti;
using namespace tutti::server;

// Documents and the data of events are JSON.
void CheckOutput(std::string_view out, bool stream) {
  if (!stream) {
    TUTTI_CHECK(out.empty() || ParseJson(out).ok(), "a document is no JSON");
    return;
  }
  while (!out.empty()) {
    const size_t end = out.find("\n\n");
    TUTTI_CHECK(end != std::string_view::npos, "an event has no end");
    std::string_view event = out.substr(0, end);
    out.remove_prefix(end + 2);
    if (event.starts_with("event: ")) event.remove_prefix(event.find('\n') + 1);
    TUTTI_CHECK(event.starts_with("data: ") && event.find('\n') == std::string_view::npos,
                "an event is malformed");
    event.remove_prefix(6);
    TUTTI_CHECK(event == "[DONE]" || ParseJson(event).ok(), "an event's data is no JSON");
  }
}

// An answer with text of any bytes.
void Answer(ApiRequest& request, std::string_view text) {
  AnswerWriter& writer = *request.writer;
  const bool stream = request.generation.stream;
  CheckOutput(writer.Begin({.id = "1", .created_s = 1, .model = std::string(text.substr(0, 9))}),
              stream);
  const auto write = [&](AnswerEventKind kind, std::string_view piece) {
    AnswerEvent event;
    event.kind = kind;
    event.text = piece;
    event.call_id = "c";
    if (request.generation.sampling.logprobs >= 0) {
      event.logprobs.push_back({.token = {.id = 1, .logprob = -1, .bytes = std::string(piece)}});
    }
    CheckOutput(writer.Write(event), stream);
  };
  using enum AnswerEventKind;
  write(kReasoning, text.substr(0, 5));
  write(kText, text);
  write(kToolCall, text.substr(0, 7));
  write(kArguments, text.substr(text.size() / 2));
  write(kToolCallEnd, "");
  write(kFinished, "");
  CheckOutput(writer.End({.prompt_tokens = 3, .generated_tokens = 2}), stream);
}

void CheckError(const ApiError& error) {
  TUTTI_CHECK(error.status == 400 || error.status == 404, error.message);
  TUTTI_CHECK(!error.message.empty() && error.message.size() < 4096, error.message);
}

template <typename T>
void Check(const ApiResult<T>& result) {
  if (!result.ok()) CheckError(result.error());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view body(reinterpret_cast<const char*>(data) + 1, size - 1);
  static ResponseStore store(1 << 20);
  const auto generate = [&](ApiResult<ApiRequest> result) {
    if (!result.ok()) return CheckError(result.error());
    const auto& conversation = result->generation.conversation;
    if (conversation) {
      TUTTI_CHECK(ParseJson(conversation->messages_json).ok(), "messages are no JSON");
      TUTTI_CHECK(conversation->tools_json.empty() || ParseJson(conversation->tools_json).ok(),
                  "tools are no JSON");
    }
    Answer(*result, body);
  };
  switch (data[0] % 7) {
    case 0:
      generate(ParseOpenaiChat(body, {}));
      break;
    case 1:
      generate(ParseOpenaiCompletions(body, {}));
      break;
    case 2:
      generate(ParseAnthropicMessages(body, {}));
      break;
    case 3:
      generate(ParseResponses(body, {}, store, TenantId{}));
      break;
    case 4:
      Check(ParseOpenaiEmbeddings(body));
      break;
    case 5:
      Check(ParseTokenize(body));
      break;
    case 6:
      Check(ParseDetokenize(body));
      break;
  }
  return 0;
}
