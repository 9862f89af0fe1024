#include "tutti/server/openai_completions_writer.h"

#include <string>
#include <vector>

#include "tutti/base/utf8.h"
#include "tutti/server/json_writer.h"
#include "tutti/server/openai_error.h"
#include "tutti/server/openai_parts.h"

namespace tutti::server {
namespace {

// A token's text; of bytes that are no characters their numbers, as OpenAI writes them.
std::string TokenString(const TokenText& token) {
  if (IsUtf8(token.bytes)) return token.bytes;
  std::string out = "bytes:";
  for (const char c : token.bytes) {
    out += fmt::format("\\x{:02x}", static_cast<unsigned>(static_cast<unsigned char>(c)));
  }
  return out;
}

int64_t Characters(std::string_view text) {
  int64_t count = 0;
  for (const char c : text) count += (static_cast<unsigned char>(c) & 0xc0) != 0x80 ? 1 : 0;
  return count;
}

// {"tokens","token_logprobs","top_logprobs","text_offset"}; the offset of the first token, in
// characters, is `offset`, which moves on.
void WriteLogprobs(JsonWriter& writer, const std::vector<TokenLogprob>& tokens, int64_t& offset) {
  writer.Object("logprobs").List("tokens");
  for (const TokenLogprob& token : tokens) writer.Text(TokenString(token.token));
  writer.Close().List("token_logprobs");
  for (const TokenLogprob& token : tokens) writer.Number(ShownLogprob(token.token.logprob));
  writer.Close().List("top_logprobs");
  for (const TokenLogprob& token : tokens) {
    writer.Object();
    for (const TokenText& other : token.top) {
      writer.Number(TokenString(other), ShownLogprob(other.logprob));
    }
    writer.Close();
  }
  writer.Close().List("text_offset");
  for (const TokenLogprob& token : tokens) {
    writer.Int(offset);
    offset += Characters(token.token.bytes);
  }
  writer.Close().Close();
}

// Reasoning and calls are text here: a completion knows only text.
bool HasText(AnswerEventKind kind) {
  return kind == AnswerEventKind::kText || kind == AnswerEventKind::kReasoning ||
         kind == AnswerEventKind::kToolCall || kind == AnswerEventKind::kArguments;
}

struct Choice {
  std::string text;
  std::vector<TokenLogprob> logprobs;
  FinishReason reason = FinishReason::kEndOfGeneration;
  int64_t offset = 0;  // characters before the next token
};

class CompletionsWriter final : public AnswerWriter {
 public:
  CompletionsWriter(size_t choices, bool stream, bool include_usage, bool logprobs)
      : stream_(stream), include_usage_(include_usage), logprobs_(logprobs), choices_(choices) {}

  std::string Begin(const AnswerHead& head) override {
    head_ = head;
    return {};
  }

  std::string Write(const AnswerEvent& event) override {
    Choice& choice = choices_[static_cast<size_t>(event.choice)];
    const std::string_view text =
        HasText(event.kind) ? std::string_view(event.text) : std::string_view();
    const bool finished = event.kind == AnswerEventKind::kFinished;
    if (stream_) {
      if (text.empty() && event.logprobs.empty() && !finished) return {};
      JsonWriter writer = BeginDocument();
      writer.List("choices");
      WriteChoice(writer, event.choice, text, event.logprobs,
                  finished ? OpenaiFinishReason(event.reason, false) : std::string_view());
      writer.Close();
      if (include_usage_) writer.Null("usage");
      return SseData(writer.Close().Take());
    }
    choice.text += text;
    choice.logprobs.insert(choice.logprobs.end(), event.logprobs.begin(), event.logprobs.end());
    if (finished) choice.reason = event.reason;
    return {};
  }

  std::string End(const AnswerUsage& usage) override {
    if (stream_ && !include_usage_) return SseData("[DONE]");
    JsonWriter writer = BeginDocument();
    writer.List("choices");
    for (size_t i = 0; i < choices_.size() && !stream_; ++i) {
      const Choice& choice = choices_[i];
      WriteChoice(writer, static_cast<int32_t>(i), choice.text, choice.logprobs,
                  OpenaiFinishReason(choice.reason, false));
    }
    writer.Close();
    WriteOpenaiUsage(writer, usage);
    std::string document = writer.Close().Take();
    return stream_ ? SseData(document) + SseData("[DONE]") : document;
  }

  std::string Fail(const ApiError& error) override {
    return stream_ ? SseData(OpenaiErrorBody(error)) : OpenaiErrorBody(error);
  }

 private:
  JsonWriter BeginDocument() const {
    JsonWriter writer;
    writer.Object().Text("id", "cmpl-" + head_.id).Text("object", "text_completion");
    writer.Int("created", head_.created_s).Text("model", head_.model);
    writer.TextOrNull("system_fingerprint", head_.fingerprint);
    return writer;
  }
  void WriteChoice(JsonWriter& writer, int32_t index, std::string_view text,
                   const std::vector<TokenLogprob>& logprobs, std::string_view finish) {
    writer.Object().Int("index", index).Text("text", text);
    if (logprobs_) {
      WriteLogprobs(writer, logprobs, choices_[static_cast<size_t>(index)].offset);
    } else {
      writer.Null("logprobs");
    }
    writer.TextOrNull("finish_reason", finish).Close();
  }

  const bool stream_;
  const bool include_usage_;
  const bool logprobs_;
  std::vector<Choice> choices_;
  AnswerHead head_;
};

}  // namespace

std::unique_ptr<AnswerWriter> MakeOpenaiCompletionsWriter(const GenerationRequest& request) {
  const size_t choices = request.prompts.size() * static_cast<size_t>(request.choices);
  return std::make_unique<CompletionsWriter>(choices, request.stream, request.include_usage,
                                             request.sampling.logprobs >= 0);
}

}  // namespace tutti::server
