#include "tutti/server/openai_chat_writer.h"

#include <span>
#include <string>
#include <vector>

#include "tutti/server/json_writer.h"
#include "tutti/server/openai_error.h"
#include "tutti/server/openai_parts.h"

namespace tutti::server {
namespace {

void WriteLogprobs(JsonWriter& writer, std::span<const TokenLogprob> tokens) {
  if (tokens.empty()) {
    writer.Null("logprobs");
    return;
  }
  writer.Object("logprobs").List("content");
  for (const TokenLogprob& token : tokens) WriteTokenLogprob(writer, token);
  writer.Close().Null("refusal").Close();
}

class ChatStream final : public AnswerWriter {
 public:
  ChatStream(int32_t choices, bool include_usage)
      : include_usage_(include_usage), calls_(static_cast<size_t>(choices)) {}

  std::string Begin(const AnswerHead& head) override {
    head_ = head;
    std::string out;
    for (size_t choice = 0; choice < calls_.size(); ++choice) {
      JsonWriter writer = BeginChunk(static_cast<int32_t>(choice));
      writer.Text("role", "assistant").Text("content", "");
      out += EndChunk(writer, {}, {});
    }
    return out;
  }

  std::string Write(const AnswerEvent& event) override {
    if (event.kind == AnswerEventKind::kToolCallEnd && event.logprobs.empty()) return {};
    JsonWriter writer = BeginChunk(event.choice);
    int32_t& calls = calls_[static_cast<size_t>(event.choice)];
    std::string_view finish;
    switch (event.kind) {
      case AnswerEventKind::kText:
        writer.Text("content", event.text);
        break;
      case AnswerEventKind::kReasoning:
        writer.Text("reasoning_content", event.text);
        break;
      case AnswerEventKind::kToolCall:
        writer.List("tool_calls").Object().Int("index", calls).Text("id", event.call_id);
        writer.Text("type", "function").Object("function").Text("name", event.text);
        writer.Text("arguments", "").Close().Close().Close();
        ++calls;
        break;
      case AnswerEventKind::kArguments:
        writer.List("tool_calls").Object().Int("index", calls - 1).Object("function");
        writer.Text("arguments", event.text).Close().Close().Close();
        break;
      case AnswerEventKind::kToolCallEnd:
        break;
      case AnswerEventKind::kFinished:
        finish = OpenaiFinishReason(event.reason, calls > 0);
        break;
    }
    return EndChunk(writer, event.logprobs, finish);
  }

  std::string End(const AnswerUsage& usage) override {
    std::string out;
    if (include_usage_) {
      JsonWriter writer = BeginDocument();
      writer.List("choices").Close();
      WriteOpenaiUsage(writer, usage);
      out = SseData(writer.Close().Take());
    }
    return out + SseData("[DONE]");
  }

  std::string Fail(const ApiError& error) override { return SseData(OpenaiErrorBody(error)); }

 private:
  JsonWriter BeginDocument() const {
    JsonWriter writer;
    writer.Object().Text("id", "chatcmpl-" + head_.id).Text("object", "chat.completion.chunk");
    writer.Int("created", head_.created_s).Text("model", head_.model);
    writer.TextOrNull("system_fingerprint", head_.fingerprint);
    return writer;
  }
  // As far as into the delta.
  JsonWriter BeginChunk(int32_t choice) const {
    JsonWriter writer = BeginDocument();
    writer.List("choices").Object().Int("index", choice).Object("delta");
    return writer;
  }
  std::string EndChunk(JsonWriter& writer, std::span<const TokenLogprob> logprobs,
                       std::string_view finish) const {
    writer.Close();
    WriteLogprobs(writer, logprobs);
    writer.TextOrNull("finish_reason", finish).Close().Close();
    if (include_usage_) writer.Null("usage");
    return SseData(writer.Close().Take());
  }

  bool include_usage_ = false;
  std::vector<int32_t> calls_;  // tool calls so far, by choice
  AnswerHead head_;
};

struct Call {
  std::string id;
  std::string name;
  std::string arguments;
};
struct Choice {
  std::string text;
  std::string reasoning;
  std::vector<Call> calls;
  std::vector<TokenLogprob> logprobs;
  FinishReason reason = FinishReason::kEndOfGeneration;
};

class ChatDocument final : public AnswerWriter {
 public:
  explicit ChatDocument(int32_t choices) : choices_(static_cast<size_t>(choices)) {}

  std::string Begin(const AnswerHead& head) override {
    head_ = head;
    return {};
  }

  std::string Write(const AnswerEvent& event) override {
    Choice& choice = choices_[static_cast<size_t>(event.choice)];
    choice.logprobs.insert(choice.logprobs.end(), event.logprobs.begin(), event.logprobs.end());
    switch (event.kind) {
      case AnswerEventKind::kText:
        choice.text += event.text;
        break;
      case AnswerEventKind::kReasoning:
        choice.reasoning += event.text;
        break;
      case AnswerEventKind::kToolCall:
        choice.calls.push_back({.id = event.call_id, .name = event.text, .arguments = {}});
        break;
      case AnswerEventKind::kArguments:
        choice.calls.back().arguments += event.text;
        break;
      case AnswerEventKind::kToolCallEnd:
        break;
      case AnswerEventKind::kFinished:
        choice.reason = event.reason;
        break;
    }
    return {};
  }

  std::string End(const AnswerUsage& usage) override {
    JsonWriter writer;
    writer.Object().Text("id", "chatcmpl-" + head_.id).Text("object", "chat.completion");
    writer.Int("created", head_.created_s).Text("model", head_.model).List("choices");
    for (size_t i = 0; i < choices_.size(); ++i) {
      const Choice& choice = choices_[i];
      writer.Object().Int("index", static_cast<int64_t>(i));
      WriteMessage(writer, choice);
      WriteLogprobs(writer, choice.logprobs);
      writer.Text("finish_reason", OpenaiFinishReason(choice.reason, !choice.calls.empty()));
      writer.Close();
    }
    writer.Close();
    WriteOpenaiUsage(writer, usage);
    writer.TextOrNull("system_fingerprint", head_.fingerprint);
    return writer.Close().Take();
  }

  std::string Fail(const ApiError& error) override { return OpenaiErrorBody(error); }

 private:
  static void WriteMessage(JsonWriter& writer, const Choice& choice) {
    writer.Object("message").Text("role", "assistant");
    if (choice.text.empty() && !choice.calls.empty()) {
      writer.Null("content");
    } else {
      writer.Text("content", choice.text);
    }
    writer.Null("refusal");
    if (!choice.reasoning.empty()) writer.Text("reasoning_content", choice.reasoning);
    if (!choice.calls.empty()) {
      writer.List("tool_calls");
      for (const Call& call : choice.calls) {
        writer.Object().Text("id", call.id).Text("type", "function").Object("function");
        writer.Text("name", call.name).Text("arguments", call.arguments).Close().Close();
      }
      writer.Close();
    }
    writer.Close();
  }

  AnswerHead head_;
  std::vector<Choice> choices_;
};

}  // namespace

std::unique_ptr<AnswerWriter> MakeOpenaiChatWriter(const GenerationRequest& request) {
  if (request.stream) return std::make_unique<ChatStream>(request.choices, request.include_usage);
  return std::make_unique<ChatDocument>(request.choices);
}

}  // namespace tutti::server
