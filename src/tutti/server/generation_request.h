// What a client wants generated, whichever API it said it through.
//
// Filled by openai_* and anthropic_* from JSON, with every value checked against its limits;
// carried out by generation.h.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "tutti/base/ids.h"
#include "tutti/spec/sampling_spec.h"
#include "tutti/text/conversation.h"

namespace tutti::server {

// A function that the model may ask the client to call.
struct Tool {
  std::string name = {};
  std::string parameters_json = {};  // JSON schema of the arguments; empty: any object
  bool strict = false;               // arguments must obey the schema
};

enum class ToolChoice : uint8_t { kNone, kAuto, kRequired, kNamed };

// What the text of an answer must obey.
enum class OutputKind : uint8_t {
  kFree,
  kJson,
  kJsonSchema,
  kRegex,
  kGrammar,
  kCall  // a schema, with white space before it: what stands behind the mark of a tool call
};
struct OutputFormat {
  OutputKind kind = OutputKind::kFree;
  std::string source = {};  // the schema, the expression or the EBNF grammar
  friend bool operator==(const OutputFormat&, const OutputFormat&) = default;
};

// What a request that says nothing leaves to the model's publisher: temperature, top_k, top_p,
// min_p and repetition_penalty are open (NaN, -1), all else is neutral.
SamplingSpec OpenSampling();
// Takes what is open from the model's.
void CloseSampling(SamplingSpec& sampling, const SamplingSpec& model);

struct GenerationRequest {
  std::string model = {};

  // Either a conversation for the model's chat template, its tools included ...
  std::optional<text::Conversation> conversation = {};
  // ... or texts (or ids) to continue, each answered `choices` times.
  std::vector<std::variant<std::string, TokenIds>> prompts = {};
  bool echo = false;  // completions: the prompt's text comes before the answer
  // The conversation's last message is the assistant's and is to be continued.
  bool continue_last_message = false;

  SamplingSpec sampling = OpenSampling();  // may be open until the model is known
  int32_t max_tokens = -1;                 // -1: until the answer ends or the context is full
  int32_t choices = 1;
  bool ignore_eos = false;
  std::vector<std::string> stop = {};
  TokenIds stop_tokens = {};

  std::vector<Tool> tools = {};
  ToolChoice tool_choice = ToolChoice::kAuto;
  std::string tool_name = {};                   // for kNamed
  std::vector<std::string> allowed_tools = {};  // of `tools`, where not all may be called
  bool parallel_tool_calls = true;
  OutputFormat format = {};
  std::string format_field = {};  // the member that asked for it

  bool stream = false;
  bool include_usage = false;  // chat and completions streams: a chunk with it before the end
  bool batch_priority = false;
  std::vector<std::string> warnings = {};  // about fields that were dropped: `warning` headers
  int64_t unknown_fields = 0;
};

}  // namespace tutti::server
