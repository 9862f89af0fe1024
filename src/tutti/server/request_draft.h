// A request while it is being read, whichever API it came through, and the members that the APIs
// have in common.
//
// Threads: one at a time. Errors: in the reader.
#pragma once
#include <boost/json.hpp>
#include <string>
#include <vector>

#include "tutti/server/chat_messages.h"
#include "tutti/server/generation_request.h"
#include "tutti/server/json_fields.h"

namespace tutti::server {

inline constexpr double kMaxMessages = 10000;
inline constexpr double kMaxTools = 512;
inline constexpr double kMaxStops = 16;
inline constexpr double kMaxStopBytes = 4096;
inline constexpr double kMaxTokens = 2147483647;
inline constexpr double kMaxIdBytes = 1024;

// What only /v1/responses has.
struct ResponseDraft {
  const boost::json::value* input = nullptr;
  std::string instructions;
  std::string previous_id;
  bool store = true;
  std::string reasoning_effort;
  std::string reasoning_summary;
  // As the client sent them, JSON; empty: not at all. The answer repeats them.
  std::string text_json;
  std::string tools_json;
  std::string tool_choice_json;
  std::string metadata_json;
};

struct RequestDraft {
  GenerationRequest request;
  std::vector<ChatMessage> messages;
  std::vector<ToolDefinition> tools;
  boost::json::object template_variables;
  std::string format_field;  // the member that said what the answer must look like

  bool logprobs = false;      // chat
  int64_t top_logprobs = -1;  // chat
  int64_t best_of = -1;       // completions
  ResponseDraft response;
};

// temperature, top_p, top_k, min_p, seed, penalties, logit_bias, ignore_eos, stop_token_ids.
Fields<RequestDraft> SamplingFields();
// structured_outputs and guided_* as in vLLM, grammar and json_schema as in llama.cpp.
Fields<RequestDraft> FormatFields();
// chat_template_kwargs, reasoning_effort, continue_final_message.
Fields<RequestDraft> TemplateFields();

// A string or a list of them, for `stop` and `stop_sequences`.
void ReadStops(RequestReader& reader, RequestDraft& draft, const boost::json::value& value);

// Sets the format, once: a second member that wants one is an error.
void SetFormat(RequestReader& reader, RequestDraft& draft, OutputKind kind, std::string source);
// {"type": "text" | "json_object" | "json_schema", ...}, the schema inside `schema_member` (chat)
// or, where that is empty, beside the type (responses).
void ReadFormat(RequestReader& reader, RequestDraft& draft, const boost::json::object& format,
                std::string_view schema_member);

// "none" switches reasoning off, anything else is how much of it.
void SetReasoningEffort(RequestReader& reader, RequestDraft& draft, std::string_view effort);

// Puts the parts together and checks what depends on several members.
void FinishConversation(RequestReader& reader, RequestDraft& draft);

// Moves warnings and counts into the request.
GenerationRequest TakeRequest(RequestReader& reader, RequestDraft& draft);

}  // namespace tutti::server
