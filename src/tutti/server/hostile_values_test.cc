// Every member of every endpoint's request, at any depth, replaced by each of the values that have
// broken servers: the answer is a request or a 400, and never anything else.
#include <gtest/gtest.h>

#include <algorithm>
#include <boost/json.hpp>
#include <functional>
#include <optional>

#include "tutti/base/utf8.h"
#include "tutti/server/anthropic_messages.h"
#include "tutti/server/openai_chat.h"
#include "tutti/server/openai_completions.h"
#include "tutti/server/openai_embeddings.h"
#include "tutti/server/openai_tokenize.h"
#include "tutti/server/responses_request.h"

namespace tutti::server {
namespace {

namespace json = boost::json;

struct Endpoint {
  std::string name;
  std::function<std::optional<ApiError>(std::string_view)> parse;
  std::vector<std::string_view> fields;
  std::string full;  // a good request with every member that matters
};

template <typename T>
std::optional<ApiError> ErrorOf(const ApiResult<T>& result) {
  return result.ok() ? std::nullopt : std::optional(result.error());
}

std::vector<Endpoint> Endpoints() {
  const SamplingSpec defaults;
  return {
      {"chat", [=](std::string_view body) { return ErrorOf(ParseOpenaiChat(body, defaults)); },
       OpenaiChatFields(),
       R"({"model":"m","messages":[{"role":"system","content":"s"},)"
       R"({"role":"user","name":"u","content":[{"type":"text","text":"a"}]},)"
       R"({"role":"assistant","content":null,"refusal":null,"reasoning_content":"r",)"
       R"("tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{}"}}]},)"
       R"({"role":"tool","tool_call_id":"1","content":"x"}],)"
       R"("temperature":1,"top_p":1,"top_k":5,"min_p":0,"seed":1,"repetition_penalty":1,)"
       R"("repeat_penalty":1,"repeat_last_n":64,"presence_penalty":0,"frequency_penalty":0,)"
       R"("logit_bias":{"1":2},"ignore_eos":false,"stop_token_ids":[1],"n":1,"stop":["a"],)"
       R"("stream":false,"stream_options":{"include_usage":true},"max_tokens":5,)"
       R"("max_completion_tokens":5,"logprobs":true,"top_logprobs":2,"service_tier":"auto",)"
       R"("tools":[{"type":"function","function":{"name":"f","description":"d","strict":false,)"
       R"("parameters":{"type":"object","properties":{}}}}],"tool_choice":"auto",)"
       R"("parallel_tool_calls":true,"response_format":{"type":"json_schema","json_schema":)"
       R"({"name":"n","strict":true,"schema":{"type":"object"}}},"structured_outputs":{},)"
       R"("chat_template_kwargs":{"enable_thinking":true},"reasoning_effort":"low",)"
       R"("modalities":["text"],"continue_final_message":false})"},
      {"completions",
       [=](std::string_view body) { return ErrorOf(ParseOpenaiCompletions(body, defaults)); },
       OpenaiCompletionsFields(),
       R"({"model":"m","prompt":["a",[1,2]],"echo":false,"suffix":"","logprobs":1,"best_of":1,)"
       R"("n":1,"stop":"x","temperature":1,"max_tokens":5,"response_format":{"type":"text"},)"
       R"("structured_outputs":{"choice":["a","b"]}})"},
      {"messages",
       [=](std::string_view body) { return ErrorOf(ParseAnthropicMessages(body, defaults)); },
       AnthropicMessagesFields(),
       R"({"model":"m","max_tokens":5,"system":[{"type":"text","text":"s","cache_control":{}}],)"
       R"("messages":[{"role":"user","content":"a"},{"role":"assistant","content":[)"
       R"({"type":"thinking","thinking":"t","signature":"s"},{"type":"text","text":"b"},)"
       R"({"type":"tool_use","id":"1","name":"f","input":{"a":1}}]},{"role":"user","content":[)"
       R"({"type":"tool_result","tool_use_id":"1","is_error":false,"content":[)"
       R"({"type":"text","text":"r"}]}]}],"tools":[{"name":"f","description":"d",)"
       R"("input_schema":{"type":"object"}}],"tool_choice":{"type":"auto",)"
       R"("disable_parallel_tool_use":true},"thinking":{"type":"enabled","budget_tokens":1024},)"
       R"("stop_sequences":["x"],"stream":true,"temperature":1,)"
       R"("output_config":{"effort":"high","format":{"type":"json_schema","schema":{}}}})"},
      {"responses",
       [=](std::string_view body) {
         static ResponseStore store(1 << 20);
         return ErrorOf(ParseResponses(body, defaults, store, TenantId{}));
       },
       ResponsesFields(),
       R"({"model":"m","input":[{"type":"message","role":"user","content":[{"type":"input_text",)"
       R"("text":"a"}]},{"type":"reasoning","id":"r","summary":[{"type":"summary_text",)"
       R"("text":"s"}],"content":null},{"type":"function_call","id":"f","call_id":"c","name":"f",)"
       R"("arguments":"{}"},{"type":"function_call_output","call_id":"c","output":"o"}],)"
       R"("instructions":"i","store":true,"stream":true,"max_output_tokens":5,"top_logprobs":1,)"
       R"("tools":[{"type":"function","name":"f","description":"d","strict":true,)"
       R"("parameters":{"type":"object"}}],"tool_choice":{"type":"function","name":"f"},)"
       R"("parallel_tool_calls":true,"text":{"format":{"type":"text"},"verbosity":"low"},)"
       R"("reasoning":{"effort":"low","summary":"auto"},"metadata":{"a":"b"},"temperature":1,)"
       R"("background":false})"},
      {"embeddings", [](std::string_view body) { return ErrorOf(ParseOpenaiEmbeddings(body)); },
       OpenaiEmbeddingsFields(),
       R"({"model":"m","input":["a",[1,2]],"encoding_format":"float","dimensions":2,"user":"u"})"},
      {"tokenize", [](std::string_view body) { return ErrorOf(ParseTokenize(body)); },
       TokenizeFields(), R"({"model":"m","messages":[{"role":"user","content":"a"}]})"},
      {"detokenize",
       [](std::string_view body) { return ErrorOf(ParseDetokenize(body)); },
       {},
       R"({"model":"m","tokens":[1,2]})"},
  };
}

const std::vector<std::string>& HostileValues() {
  static const std::vector<std::string> kValues = [] {
    std::vector<std::string> values = {"-1",
                                       "0",
                                       "1",
                                       "2",
                                       "-2",
                                       "2147483647",
                                       "2147483648",
                                       "-2147483648",
                                       "-2147483649",
                                       "4294967295",
                                       "4294967296",
                                       "9223372036854775807",
                                       "9223372036854775808",
                                       "-9223372036854775808",
                                       "-9223372036854775809",
                                       "18446744073709551615",
                                       "18446744073709551616",
                                       "1e308",
                                       "-1e308",
                                       "1e-308",
                                       "1e999",
                                       "0.1",
                                       "-0.0",
                                       "1.5",
                                       "NaN",
                                       "Infinity",
                                       "\"NaN\"",
                                       "\"\"",
                                       "\"1\"",
                                       "\"\\u0000\"",
                                       "\"\\ud83d\\ude00\"",
                                       "null",
                                       "true",
                                       "false",
                                       "[]",
                                       "{}",
                                       "[null]",
                                       "[[]]",
                                       "[{}]",
                                       "{\"\":null}",
                                       "{\"a\":{\"b\":[1,{\"c\":null}]}}",
                                       "[1,\"a\",null,{},[]]",
                                       "\"\xff\""};
    values.push_back("\"" + std::string(100000, 'a') + "\"");
    values.push_back(std::string(60, '[') + std::string(60, ']'));
    values.push_back(std::string(10000, '[') + std::string(10000, ']'));
    std::string many = "[0";
    for (int i = 0; i < 20000; ++i) many += ",0";
    values.push_back(many + "]");
    return values;
  }();
  return kValues;
}

// Stands for the hostile value while the document is written, so that values need not be JSON.
constexpr std::string_view kMark = "HOSTILE";

void CheckAnswer(const Endpoint& endpoint, const std::string& body) {
  const std::optional<ApiError> result = endpoint.parse(body);
  if (!result) return;
  const ApiError& error = *result;
  const std::string shown = body.substr(0, 2000);
  // Only a name may be right and mean nothing.
  EXPECT_EQ(error.status, 400) << shown;
  EXPECT_EQ(error.type, "invalid_request_error") << shown;
  EXPECT_FALSE(error.message.empty()) << shown;
  EXPECT_TRUE(IsUtf8(error.message)) << shown;
  EXPECT_LT(error.message.size(), 1000U) << shown;
}

int64_t Attack(const Endpoint& endpoint, const json::value& document) {
  std::string text = json::serialize(document);
  const std::string mark = "\"" + std::string(kMark) + "\"";
  const size_t at = text.find(mark);
  for (const std::string& value : HostileValues()) {
    CheckAnswer(endpoint, std::string(text).replace(at, mark.size(), value));
  }
  return 1;
}

// Calls Attack with each value below `value` marked in turn; returns how many there were.
int64_t AttackAll(const Endpoint& endpoint, const json::value& document, json::value& value) {
  int64_t count = 0;
  const auto attack = [&](json::value& member) {
    const json::value kept = member;
    member = kMark;
    count += Attack(endpoint, document);
    member = kept;
    count += AttackAll(endpoint, document, member);
  };
  if (value.is_object()) {
    for (auto& member : value.get_object()) attack(member.value());
  } else if (value.is_array()) {
    for (json::value& element : value.get_array()) attack(element);
  }
  return count;
}

TEST(HostileValues, EveryMemberOfTheFullRequests) {
  for (const Endpoint& endpoint : Endpoints()) {
    const auto error = endpoint.parse(endpoint.full);
    EXPECT_FALSE(error) << endpoint.name << ": " << error->message;
    json::value document = json::parse(endpoint.full);
    EXPECT_GE(AttackAll(endpoint, document, document), 4) << endpoint.name;
  }
}

TEST(HostileValues, EveryMemberThatATableNames) {
  for (const Endpoint& endpoint : Endpoints()) {
    for (const std::string_view field : endpoint.fields) {
      json::value document = json::parse(endpoint.full);
      document.get_object()[field] = kMark;
      Attack(endpoint, document);
    }
  }
}

TEST(HostileValues, NoTableNamesAMemberTwice) {
  for (const Endpoint& endpoint : Endpoints()) {
    std::vector<std::string_view> names = endpoint.fields;
    std::sort(names.begin(), names.end());
    EXPECT_EQ(std::adjacent_find(names.begin(), names.end()), names.end()) << endpoint.name;
  }
}

TEST(HostileValues, BodiesThatAreNoObjects) {
  for (const Endpoint& endpoint : Endpoints()) {
    for (const std::string& body : HostileValues()) CheckAnswer(endpoint, body);
    CheckAnswer(endpoint, "");
    for (size_t i = 0; i < endpoint.full.size(); ++i) {
      EXPECT_TRUE(endpoint.parse(std::string_view(endpoint.full).substr(0, i)));
    }
  }
}

}  // namespace
}  // namespace tutti::server
