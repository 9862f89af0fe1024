#include "tutti/server/openai_chat.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>

namespace tutti::server {
namespace {

namespace json = boost::json;

SamplingSpec Defaults() {
  SamplingSpec spec;
  spec.temperature = 0.5F;
  spec.seed = 99;
  return spec;
}

// A request of these members and one message.
std::string Body(std::string_view members) {
  return R"({"model":"m","messages":[{"role":"user","content":"hi"}])" +
         (members.empty() ? std::string() : "," + std::string(members)) + "}";
}

GenerationRequest Parse(std::string_view body) {
  auto parsed = ParseOpenaiChat(body, Defaults());
  EXPECT_TRUE(parsed.ok()) << body << ": " << parsed.error().message;
  return parsed.ok() ? std::move(parsed->generation) : GenerationRequest();
}

ApiError Refusal(std::string_view body) {
  auto parsed = ParseOpenaiChat(body, Defaults());
  EXPECT_FALSE(parsed.ok()) << body;
  return parsed.ok() ? ApiError() : parsed.error();
}

TEST(OpenaiChat, SaysNothingMeansTheServersDefaults) {
  const GenerationRequest request = Parse(Body(""));
  EXPECT_EQ(request.model, "m");
  EXPECT_EQ(request.sampling.temperature, 0.5F);
  EXPECT_EQ(request.sampling.seed, 99U);
  EXPECT_EQ(request.sampling.logprobs, -1);
  EXPECT_EQ(request.max_tokens, -1);
  EXPECT_EQ(request.choices, 1);
  EXPECT_FALSE(request.stream);
  EXPECT_EQ(request.unknown_fields, 0);
  ASSERT_TRUE(request.conversation.has_value());
  EXPECT_EQ(request.conversation->messages_json, R"([{"role":"user","content":"hi"}])");
  EXPECT_TRUE(request.conversation->tools_json.empty());
  EXPECT_TRUE(request.conversation->add_generation_prompt);
}

TEST(OpenaiChat, NullIsTheDefaultToo) {
  const GenerationRequest request = Parse(Body(
      R"("temperature":null,"tools":null,"stop":null,"max_tokens":null,"response_format":null)"));
  EXPECT_EQ(request.sampling.temperature, 0.5F);
  EXPECT_EQ(request.max_tokens, -1);
}

TEST(OpenaiChat, ValuesArriveWhereTheyBelong) {
  const GenerationRequest request = Parse(Body(
      R"("temperature":0,"top_p":0.25,"top_k":-1,"min_p":0.125,"seed":-5,"repetition_penalty":1.5,)"
      R"("presence_penalty":-2,"frequency_penalty":2,"logit_bias":{"7":-100,"9":1.5},"n":8,)"
      R"("max_tokens":5,"max_completion_tokens":6,"ignore_eos":true,"stop":["a","b"],)"
      R"("stop_token_ids":[3],"logprobs":true,"top_logprobs":20,"stream":true,)"
      R"("stream_options":{"include_usage":true},"service_tier":"flex","store":false,"x":1,"y":[])"));
  EXPECT_EQ(request.sampling.temperature, 0);
  EXPECT_EQ(request.sampling.top_p, 0.25F);
  EXPECT_EQ(request.sampling.top_k, 0);
  EXPECT_EQ(request.sampling.min_p, 0.125F);
  EXPECT_EQ(request.sampling.seed, static_cast<uint64_t>(-5));
  EXPECT_EQ(Parse(R"({"messages":[{"role":"user","content":"a"}],"seed":9223372036854775807})")
                .sampling.seed,
            uint64_t{9223372036854775807});
  EXPECT_EQ(request.sampling.repetition_penalty, 1.5F);
  EXPECT_EQ(request.sampling.presence_penalty, -2);
  EXPECT_EQ(request.sampling.frequency_penalty, 2);
  ASSERT_EQ(request.sampling.logit_bias.size(), 2U);
  EXPECT_EQ(request.sampling.logit_bias[1], std::make_pair(TokenId{9}, 1.5F));
  EXPECT_EQ(request.choices, 8);
  EXPECT_EQ(request.max_tokens, 6);
  EXPECT_TRUE(request.ignore_eos);
  EXPECT_EQ(request.stop, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(request.stop_tokens, TokenIds{3});
  EXPECT_EQ(request.sampling.logprobs, 20);
  EXPECT_TRUE(request.stream);
  EXPECT_TRUE(request.include_usage);
  EXPECT_TRUE(request.batch_priority);
  EXPECT_EQ(request.unknown_fields, 2);
}

TEST(OpenaiChat, RefusalsNameTheFieldTheLimitAndTheValue) {
  struct Case {
    std::string members;
    std::string param;
    std::string message;
  };
  const Case cases[] = {
      {R"("temperature":-1)", "temperature", "temperature is -1, it must be between 0 and 100"},
      {R"("temperature":1e308)", "temperature",
       "temperature is 1e+308, it must be between 0 and 100"},
      {R"("temperature":"hot")", "temperature", "temperature must be a number, not a string"},
      {R"("n":9)", "n", "n is 9, it must be between 1 and 8"},
      {R"("n":1.5)", "n", "n must be an integer, not 1.5"},
      {R"("max_tokens":0)", "max_tokens", "max_tokens is 0, it must be between 1 and 2147483647"},
      {R"("stop":"")", "stop", "stop must not be empty"},
      {R"("stop":["a",""])", "stop[1]", "stop[1] must not be empty"},
      {R"("stop":["1","2","3","4","5","6","7","8","9","a","b","c","d","e","f","g","h"])", "stop",
       "stop has 17 elements, it must have at most 16"},
      {R"("top_logprobs":3)", "top_logprobs", "top_logprobs is 3, which needs logprobs: true"},
      {R"("logit_bias":{"a":1})", "logit_bias",
       "logit_bias must have token ids as its names: \"1734\""},
      {R"("logit_bias":{"1":101})", "logit_bias.1",
       "logit_bias.1 is 101, it must be between -100 and 100"},
      {R"("stream_options":{"include_usage":3})", "stream_options.include_usage",
       "stream_options.include_usage must be true or false, not an integer"},
      {R"("tool_choice":"required")", "tool_choice",
       "tool_choice wants a tool to be called, but there are no tools"},
      {R"("tools":[{"type":"function","function":{"name":"a b"}}])", "tools[0].function.name",
       "tools[0].function.name must be made of letters, digits and _ - . : /"},
      {R"("tools":[{"type":"function","function":{"name":"f","parameters":3}}])",
       "tools[0].function.parameters",
       "tools[0].function.parameters must be an object, not an integer"},
      {R"("response_format":{"type":"xml"})", "response_format.type",
       "response_format.type is \"xml\", it must be text, json_object or json_schema"},
      {R"("response_format":{"type":"json_schema"})", "response_format.json_schema",
       "response_format.json_schema is missing"},
      {R"("response_format":{"type":"json_schema","json_schema":{"name":"n"}})",
       "response_format.json_schema.schema", "response_format.json_schema.schema is missing"},
      {R"("guided_regex":"a","response_format":{"type":"json_object"})", "guided_regex",
       "guided_regex and response_format both say what the answer must look like: choose one"},
      {R"("chat_template_kwargs":{"messages":[]})", "chat_template_kwargs", ""},
      {R"("chat_template_kwargs":{"enable_thinking":[]})", "chat_template_kwargs.enable_thinking",
       ""},
      {R"("reasoning_effort":"huge")", "reasoning_effort", ""},
      {R"("modalities":["text","audio"])", "modalities[1]",
       "modalities[1] is \"audio\": only text can be written"},
      {R"("continue_final_message":true)", "continue_final_message", ""},
  };
  for (const Case& c : cases) {
    const ApiError error = Refusal(Body(c.members));
    EXPECT_EQ(error.status, 400);
    EXPECT_EQ(error.type, "invalid_request_error");
    EXPECT_EQ(error.param, c.param) << c.members;
    if (!c.message.empty()) {
      EXPECT_EQ(error.message, c.message);
    }
  }
}

TEST(OpenaiChat, MessagesThatAreNoneAreRefused) {
  const std::pair<std::string, std::string> cases[] = {
      {"{}", "messages"},
      {R"({"messages":null})", "messages"},
      {R"({"messages":[]})", "messages"},
      {R"({"messages":{}})", "messages"},
      {R"({"messages":[1]})", "messages[0]"},
      {R"({"messages":[{"content":"a"}]})", "messages[0].role"},
      {R"({"messages":[{"role":"robot","content":"a"}]})", "messages[0].role"},
      {R"({"messages":[{"role":"user"}]})", "messages[0].content"},
      {R"({"messages":[{"role":"user","content":null}]})", "messages[0].content"},
      {R"({"messages":[{"role":"user","content":5}]})", "messages[0].content"},
      {R"({"messages":[{"role":"user","content":[{"type":"text","text":"a"},)"
       R"({"type":"image_url","image_url":{"url":"data:"}}]}]})",
       "messages[0].content[1].type"},
      {R"({"messages":[{"role":"user","content":[{"type":"text"}]}]})",
       "messages[0].content[0].text"},
      {R"({"messages":[{"role":"assistant","tool_calls":[{"id":"1"}]}]})",
       "messages[0].tool_calls[0].function"},
      {"[]", ""},
      {"{", ""},
      {R"({"messages":[{"role":"user","content":"\ud800"}]})", ""},
      {R"({"temperature":NaN})", ""},
  };
  for (const auto& [body, param] : cases) EXPECT_EQ(Refusal(body).param, param) << body;
}

TEST(OpenaiChat, MessagesBecomeWhatTemplatesExpect) {
  const std::pair<std::string, std::string> cases[] = {
      {R"([{"role":"developer","content":"a"},{"role":"system","content":[{"type":"text","text":"b"},)"
       R"({"type":"text","text":"c"}]},{"role":"user","content":"d","cache_control":{}}])",
       R"([{"role":"system","content":"a\n\nb\nc"},{"role":"user","content":"d"}])"},
      {R"([{"role":"assistant","content":null,"tool_calls":[{"id":"x","type":"function",)"
       R"("function":{"name":"f","arguments":"{\"a\": 1}"}}]},)"
       R"({"role":"tool","tool_call_id":"x","content":"7"}])",
       R"([{"role":"assistant","content":"","tool_calls":[{"id":"x","type":"function",)"
       R"("function":{"name":"f","arguments":{"a": 1}}}]},)"
       R"({"role":"tool","content":"7","name":"f","tool_call_id":"x"}])"},
      // What a model wrote badly must not end the conversation.
      {R"([{"role":"assistant","tool_calls":[{"function":{"name":"f","arguments":"{a"}},)"
       R"({"function":{"name":"g","arguments":""}},{"function":{"name":"h","arguments":{"b":[]}}}]}])",
       R"([{"role":"assistant","content":"","tool_calls":[)"
       R"({"id":"","type":"function","function":{"name":"f","arguments":{"raw_arguments":"{a"}}},)"
       R"({"id":"","type":"function","function":{"name":"g","arguments":{}}},)"
       R"({"id":"","type":"function","function":{"name":"h","arguments":{"b":[]}}}]}])"},
      // An answer to a call that nobody made.
      {R"([{"role":"tool","tool_call_id":"lost","content":"x"}])",
       R"([{"role":"tool","content":"x","tool_call_id":"lost"}])"},
      {R"([{"role":"assistant","content":"51","reasoning":"17*3"},{"role":"assistant"}])",
       R"([{"role":"assistant","content":"51","reasoning_content":"17*3"},)"
       R"({"role":"assistant","content":""}])"},
  };
  for (const auto& [messages, expected] : cases) {
    const GenerationRequest request = Parse(R"({"messages":)" + messages + "}");
    ASSERT_TRUE(request.conversation.has_value());
    EXPECT_EQ(request.conversation->messages_json, expected);
  }
}

TEST(OpenaiChat, SomeToolsMayBeCalledAndAllAreShown) {
  const std::string tools =
      R"("tools":[{"type":"function","function":{"name":"f"}},)"
      R"({"type":"function","function":{"name":"g"}}],"tool_choice":{"type":"allowed_tools",)";
  for (const std::string& choice :
       {tools + R"("mode":"required","tools":[{"type":"function","name":"g"}]})",
        tools + R"("allowed_tools":{"mode":"required","tools":[)" +
            R"({"type":"function","function":{"name":"g"}}]}})"}) {
    const GenerationRequest request = Parse(Body(choice));
    ASSERT_EQ(request.tools.size(), 1U);
    EXPECT_EQ(request.tools[0].name, "g");
    EXPECT_EQ(request.tool_choice, ToolChoice::kRequired);
    EXPECT_EQ(json::parse(request.conversation->tools_json).as_array().size(), 2U);
  }
  for (const char* choice : {R"("mode":"auto","tools":[{"name":"h"}]})", R"("mode":"auto"})",
                             R"("mode":"any","tools":[{"name":"g"}]})",
                             R"("mode":"auto","tools":[]})", R"("mode":"auto","tools":[{}]})"}) {
    EXPECT_FALSE(ParseOpenaiChat(Body(tools + choice), {}).ok()) << choice;
  }
}

// Other kinds of tools cannot be called, here as in `tools`.
TEST(OpenaiChat, OfAllowedToolsOnlyFunctionsAreRead) {
  const std::string tools =
      R"("tools":[{"type":"function","function":{"name":"f"}},)"
      R"({"type":"function","function":{"name":"g"}}],"tool_choice":{"type":"allowed_tools",)";
  const std::string others = R"({"type":"mcp","server_label":"s"},{"type":"web_search"})";
  const GenerationRequest some = Parse(Body(tools + R"("mode":"required","tools":[)" + others +
                                            R"(,{"type":"function","name":"g"}]})"));
  ASSERT_EQ(some.tools.size(), 1U);
  EXPECT_EQ(some.tools[0].name, "g");
  EXPECT_EQ(some.tool_choice, ToolChoice::kRequired);
  ASSERT_EQ(some.warnings.size(), 2U);
  EXPECT_EQ(some.warnings[0],
            "tool_choice.tools[0]: tools of type \"mcp\" are not supported, it was dropped");
  const GenerationRequest none = Parse(Body(tools + R"("mode":"auto","tools":[)" + others + "]}"));
  EXPECT_EQ(none.tool_choice, ToolChoice::kNone);
  const auto refused =
      ParseOpenaiChat(Body(tools + R"("mode":"required","tools":[)" + others + "]}"), {});
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().param, "tool_choice.tools");
}

TEST(OpenaiChat, ToolsAreForTheTemplateAndForTheGenerator) {
  const GenerationRequest request = Parse(Body(
      R"("tools":[{"type":"function","function":{"name":"f","description":"d","strict":true,)"
      R"("parameters":{"type":"object","properties":{"a":{"default":0.5}}}}},)"
      R"({"type":"web_search"},{"type":"function","function":{"name":"g"}}],)"
      R"("tool_choice":{"type":"function","function":{"name":"g"}},"parallel_tool_calls":false)"));
  ASSERT_EQ(request.tools.size(), 2U);
  EXPECT_EQ(request.tools[0].name, "f");
  EXPECT_TRUE(request.tools[0].strict);
  EXPECT_EQ(json::parse(request.tools[0].parameters_json),
            json::parse(R"({"type":"object","properties":{"a":{"default":0.5}}})"));
  EXPECT_TRUE(request.tools[1].parameters_json.empty());
  EXPECT_EQ(request.tool_choice, ToolChoice::kNamed);
  EXPECT_EQ(request.tool_name, "g");
  EXPECT_FALSE(request.parallel_tool_calls);
  ASSERT_EQ(request.warnings.size(), 1U);
  EXPECT_EQ(request.warnings[0],
            "tools[1]: tools of type \"web_search\" are not supported, it was dropped");
  const auto shown = json::parse(request.conversation->tools_json);
  EXPECT_EQ(json::serialize(shown.as_array()[1]),
            R"({"type":"function","function":{"name":"g","description":"",)"
            R"("parameters":{"type":"object","properties":{}}}})");
}

TEST(OpenaiChat, FormatsOfTheAnswer) {
  struct Case {
    std::string members;
    OutputKind kind;
    std::string source;
  };
  const Case cases[] = {
      {R"("response_format":{"type":"text"})", OutputKind::kFree, ""},
      {R"("response_format":{"type":"json_object"})", OutputKind::kJson, ""},
      {R"("response_format":{"type":"json_schema","json_schema":{"name":"n","strict":true,)"
       R"("schema":{"type":"array"}}})",
       OutputKind::kJsonSchema, R"({"type":"array"})"},
      {R"("structured_outputs":{"regex":"a+"})", OutputKind::kRegex, "a+"},
      {R"("guided_choice":["yes","no (1.5) x"])", OutputKind::kRegex, R"((yes|no \(1\.5\) x))"},
      {R"("guided_json":"{\"type\":\"null\"}")", OutputKind::kJsonSchema, R"({"type":"null"})"},
      {R"("grammar":"root ::= \"a\"")", OutputKind::kGrammar, R"(root ::= "a")"},
      {R"("grammar":"")", OutputKind::kFree, ""},
      {R"("json_schema":{"type":"object"})", OutputKind::kJsonSchema, R"({"type":"object"})"},
  };
  for (const Case& c : cases) {
    const GenerationRequest request = Parse(Body(c.members));
    EXPECT_EQ(request.format.kind, c.kind) << c.members;
    EXPECT_EQ(request.format.source, c.source);
  }
}

TEST(OpenaiChat, ReasoningIsATemplatesVariable) {
  EXPECT_EQ(Parse(Body(R"("reasoning_effort":"minimal")")).conversation->extra_json,
            R"({"reasoning_effort":"low","enable_thinking":true,"thinking":true})");
  EXPECT_EQ(Parse(Body(R"("reasoning_effort":"none",)"
                       R"("chat_template_kwargs":{"reasoning_effort":"high"})"))
                .conversation->extra_json,
            R"({"reasoning_effort":"high","enable_thinking":false,"thinking":false})");
}

TEST(OpenaiChat, ALastAnswerIsContinued) {
  const GenerationRequest request =
      Parse(R"({"messages":[{"role":"assistant","content":"The"}],"continue_final_message":true})");
  EXPECT_TRUE(request.continue_last_message);
  EXPECT_FALSE(request.conversation->add_generation_prompt);
}

}  // namespace
}  // namespace tutti::server
