// Pieces of answers that the writers of OpenAI's APIs share.
#pragma once
#include <string>
#include <string_view>

#include "tutti/server/answer_event.h"
#include "tutti/server/json_writer.h"

namespace tutti::server {

// A server-sent event without a name: "data: ...\n\n".
std::string SseData(std::string_view data);
// With one: "event: ...\ndata: ...\n\n".
std::string SseEvent(std::string_view name, std::string_view data);

// "usage": {...} of chat and completions.
void WriteOpenaiUsage(JsonWriter& writer, const AnswerUsage& usage);

// "stop", "length" or "tool_calls".
std::string_view OpenaiFinishReason(FinishReason reason, bool called_tools);

// A logarithm as JSON can hold it: what is impossible is -9999.
float ShownLogprob(float logprob);

// The elements of `logprobs.content`: {"token","logprob","bytes","top_logprobs":[...]}.
void WriteTokenLogprob(JsonWriter& writer, const TokenLogprob& token);

}  // namespace tutti::server
