// An answer as it grows, in the terms that all APIs share; and who turns it into an API's bytes.
//
// Events of a choice come in order: text, reasoning and tool calls in the order in which the model
// wrote them, then one kFinished. Texts are valid UTF-8, never half a character. A tool call is
// kToolCall (its name), kArguments (pieces of its JSON text), kToolCallEnd; it is not interrupted
// by other events of its choice.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tutti/server/api_error.h"
#include "tutti/spec/finish_reason.h"
#include "tutti/spec/sampling_spec.h"

namespace tutti::server {

struct TokenText {
  int32_t id = -1;
  float logprob = 0;
  std::string bytes = {};  // of the token; may be a part of a character
};
struct TokenLogprob {
  TokenText token;
  std::vector<TokenText> top = {};
};

enum class AnswerEventKind : uint8_t {
  kText,
  kReasoning,
  kToolCall,
  kArguments,
  kToolCallEnd,
  kFinished
};

struct AnswerEvent {
  AnswerEventKind kind = AnswerEventKind::kText;
  int32_t choice = 0;        // over all prompts: prompt * choices + choice
  std::string text = {};     // kToolCall: the function's name
  std::string call_id = {};  // kToolCall
  // Of the tokens that ended with this piece, if asked for.
  std::vector<TokenLogprob> logprobs = {};
  FinishReason reason = FinishReason::kEndOfGeneration;  // kFinished
  std::string stop = {};                                 // kFinished by kStop: the string
};

struct AnswerUsage {
  int64_t prompt_tokens = 0;
  int64_t cached_tokens = 0;     // of these
  int64_t generated_tokens = 0;  // of all choices
  int64_t reasoning_tokens = 0;  // of these
};

struct AnswerHead {
  std::string id = {};           // without the API's prefix ("chatcmpl-")
  int64_t created_s = 0;         // Unix time
  std::string model = {};        // as the client named it
  std::string fingerprint = {};  // of server and model: while it is the same, so are seeded answers
  SamplingSpec sampling = {};    // what the answer is sampled with
  int64_t prompt_tokens = 0;
};

// Turns one answer into the bytes of one API: into server-sent events where the request asked for a
// stream, else into a document that End returns whole. One thread at a time.
class AnswerWriter {
 public:
  virtual ~AnswerWriter() = default;
  virtual std::string Begin(const AnswerHead& head) = 0;
  virtual std::string Write(const AnswerEvent& event) = 0;
  virtual std::string End(const AnswerUsage& usage) = 0;
  // Instead of End, in a stream that has begun: the error as this API's clients expect it there.
  virtual std::string Fail(const ApiError& error) = 0;
};

}  // namespace tutti::server
