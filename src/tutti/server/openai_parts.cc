#include "tutti/server/openai_parts.h"

#include <algorithm>

namespace tutti::server {
namespace {

void WriteToken(JsonWriter& writer, const TokenText& token) {
  writer.Text("token", token.bytes).Number("logprob", ShownLogprob(token.logprob)).List("bytes");
  for (const char c : token.bytes) writer.Int(static_cast<unsigned char>(c));
  writer.Close();
}

}  // namespace

std::string SseData(std::string_view data) { return fmt::format("data: {}\n\n", data); }

std::string SseEvent(std::string_view name, std::string_view data) {
  return fmt::format("event: {}\ndata: {}\n\n", name, data);
}

void WriteOpenaiUsage(JsonWriter& writer, const AnswerUsage& usage) {
  writer.Object("usage").Int("prompt_tokens", usage.prompt_tokens);
  writer.Int("completion_tokens", usage.generated_tokens);
  writer.Int("total_tokens", usage.prompt_tokens + usage.generated_tokens);
  writer.Object("prompt_tokens_details").Int("cached_tokens", usage.cached_tokens).Close();
  writer.Object("completion_tokens_details").Int("reasoning_tokens", usage.reasoning_tokens);
  writer.Close().Close();
}

std::string_view OpenaiFinishReason(FinishReason reason, bool called_tools) {
  if (reason == FinishReason::kMaxTokens || reason == FinishReason::kContextFull) return "length";
  return called_tools ? "tool_calls" : "stop";
}

float ShownLogprob(float logprob) {
  return std::isnan(logprob) ? -9999.0F : std::clamp(logprob, -9999.0F, 0.0F);
}

void WriteTokenLogprob(JsonWriter& writer, const TokenLogprob& token) {
  writer.Object();
  WriteToken(writer, token.token);
  writer.List("top_logprobs");
  for (const TokenText& other : token.top) {
    writer.Object();
    WriteToken(writer, other);
    writer.Close();
  }
  writer.Close().Close();
}

}  // namespace tutti::server
