// Answers that must have a form: tool calls, schemas, JSON mode.
#include <gmock/gmock.h>

#include <map>

#include "tests/server/service_fixture.h"

namespace tutti::server {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

json::object Tool(const std::string& name, const json::value& parameters) {
  return {{"type", "function"}, {"function", {{"name", name}, {"parameters", parameters}}}};
}

// {"n":1} or {"n":2}.
json::value Picks() {
  return json::parse(R"({"type":"object","properties":{"n":{"enum":[1,2]}},"required":["n"],)"
                     R"("additionalProperties":false})");
}

TEST_F(ServiceTest, AnswersObeyJsonMode) {
  json::object body = Chat("Hello", 200);
  body["response_format"] = {{"type", "json_object"}};
  body["temperature"] = 1;
  body["ignore_eos"] = false;
  for (int seed = 0; seed < 5; ++seed) {
    body["seed"] = seed;
    const json::object answer = Ask(&Service::ChatCompletions, body);
    if (answer.at("choices").as_array().at(0).at("finish_reason") != "stop") continue;
    EXPECT_TRUE(json::parse(Content(answer)).is_object()) << Content(answer);
  }
}

TEST_F(ServiceTest, RequiredToolsAreCalledAsTheirSchemaSays) {
  json::object body = Chat("Hello", 200);
  body["ignore_eos"] = false;
  body["tools"] = {Tool("f", Picks())};
  body["tool_choice"] = "required";
  const json::object whole = Ask(&Service::ChatCompletions, body);
  const json::object& choice = whole.at("choices").as_array().at(0).as_object();
  EXPECT_EQ(choice.at("finish_reason"), "tool_calls");
  const json::object& call = choice.at("message").at("tool_calls").as_array().at(0).as_object();
  EXPECT_EQ(call.at("function").at("name"), "f");
  const json::value arguments =
      json::parse(json::value_to<std::string>(call.at("function").at("arguments")));
  EXPECT_TRUE(arguments.at("n") == 1 || arguments.at("n") == 2) << arguments;

  // As a stream: the arguments in pieces, which joined are the same.
  body["stream"] = true;
  const std::string stream = Send(&Service::ChatCompletions, body)->Wait().body;
  std::string joined;
  int pieces = 0;
  for (size_t at = 0; (at = stream.find("data: {", at)) != std::string::npos; ++at) {
    const json::value event = json::parse(stream.substr(at + 6, stream.find('\n', at) - at - 6));
    const json::object& delta = event.at("choices").at(0).at("delta").as_object();
    if (!delta.contains("tool_calls")) continue;
    const json::value& piece = delta.at("tool_calls").at(0);
    EXPECT_EQ(piece.at("index"), 0);
    joined += json::value_to<std::string>(piece.at("function").at("arguments"));
    ++pieces;
  }
  EXPECT_EQ(joined, call.at("function").at("arguments").as_string());
  EXPECT_GT(pieces, 3) << stream;
  body["stream"] = false;
}

// What cannot be enforced is refused where it was promised, else the arguments are any object.
TEST_F(ServiceTest, OnlyStrictToolsAreRefused) {
  json::object body = Chat("Hello", 200);
  body["ignore_eos"] = false;
  body["tool_choice"] = "required";
  const json::value record = json::parse(
      R"({"type":"object","properties":{"r":{"type":"object","propertyNames":{"type":"string"},)"
      R"("additionalProperties":{}}},"required":["r"]})");
  json::object other{{"name", "g"}, {"parameters", json::parse(R"({"properties":{}})")}};
  json::object function{{"name", "f"}, {"parameters", record}};
  for (const bool marked : {false, true}) {
    Start({}, 256, marked ? "{# <|tool_calls_section_begin|> #}{{ messages[0].content }}" : "");
    function["strict"] = false;
    body["tools"] = {{{"type", "function"}, {"function", other}},
                     {{"type", "function"}, {"function", function}}};
    body["max_tokens"] = 200;
    Ask(&Service::ChatCompletions, body);
    function["strict"] = true;
    body["tools"] = {{{"type", "function"}, {"function", other}},
                     {{"type", "function"}, {"function", function}}};
    const json::object refused = Ask(&Service::ChatCompletions, body, 400);
    EXPECT_EQ(refused.at("error").at("param"), "tools");
    const std::string message(refused.at("error").at("message").as_string());
    EXPECT_THAT(message, HasSubstr("the parameters of the tool \"f\""));
    EXPECT_THAT(message, HasSubstr("#/properties/r"));
    EXPECT_THAT(message, Not(HasSubstr("anyOf")));
  }
}

// A stop string is for text: it must not tear a call that must be.
TEST_F(ServiceTest, StopStringsDoNotEndForcedCalls) {
  for (const char* family : {"", "{# <tool_call> #}{{ messages[0].content }}"}) {
    Start({}, 256, family);
    json::object body = Chat("Hello", 200);
    body["ignore_eos"] = false;
    body["tool_choice"] = "required";
    body["parallel_tool_calls"] = false;
    body["stop"] = {"\"n"};
    body["tools"] = {Tool("f", Picks())};
    const json::object answer = Ask(&Service::ChatCompletions, body);
    const json::object& choice = answer.at("choices").as_array().at(0).as_object();
    EXPECT_EQ(choice.at("finish_reason"), "tool_calls") << choice;
    EXPECT_EQ(choice.at("message").at("tool_calls").as_array().size(), 1u);
  }
}

// There is no text that it could be about.
TEST_F(ServiceTest, RequiredCallsWinOverAFormat) {
  json::object body = Chat("Hello", 200);
  body["ignore_eos"] = false;
  body["tool_choice"] = "required";
  body["response_format"] = {{"type", "json_object"}};
  body["tools"] = {Tool("f", Picks())};
  const json::object answer = Ask(&Service::ChatCompletions, body);
  EXPECT_EQ(answer.at("choices").at(0).at("finish_reason"), "tool_calls");
}

// The model goes on where the prompt has begun its own form of a call, and a named one is enough.
TEST_F(ServiceTest, CallsAreForcedInTheFormOfTheModel) {
  Start({}, 256, "{# <tool_call> #}{% for m in messages %}{{ m.content }}{% endfor %}");
  json::object body = Chat("Hello", 200);
  body["tools"] = {Tool("f", Picks()), Tool("g", Picks())};
  body["tool_choice"] = {{"type", "function"}, {"function", {{"name", "g"}}}};
  const json::object answer = Ask(&Service::ChatCompletions, body);
  EXPECT_EQ(answer.at("usage").at("prompt_tokens"), 5 + 11);  // Hello<tool_call>
  const json::object& choice = answer.at("choices").as_array().at(0).as_object();
  EXPECT_EQ(choice.at("finish_reason"), "tool_calls");
  EXPECT_TRUE(choice.at("message").at("content").is_null());
  const json::array& calls = choice.at("message").at("tool_calls").as_array();
  ASSERT_EQ(calls.size(), 1u);
  EXPECT_EQ(calls[0].at("function").at("name"), "g");
  const std::string arguments(calls[0].at("function").at("arguments").as_string());
  EXPECT_TRUE(arguments == R"({"n":1})" || arguments == R"({"n":2})") << arguments;

  // Free to call or not: the text is what it is without tools.
  body["tool_choice"] = "auto";
  body["max_tokens"] = 20;
  const std::string text = Content(Ask(&Service::ChatCompletions, body));
  body.erase("tools");
  EXPECT_EQ(Content(Ask(&Service::ChatCompletions, body)), text);
}

// All APIs say so, and the prompt's mark is nobody's text.
TEST_F(ServiceTest, ForcedCallsThatAreCutOff) {
  Start({}, 256, "{# <tool_call> #}{% for m in messages %}{{ m.content }}{% endfor %}");
  const json::value schema =
      json::parse(R"({"type":"object","properties":{"n":{"enum":["abcdefgh"]}},"required":["n"],)"
                  R"("additionalProperties":false})");
  const json::object function{{"name", "g"}, {"parameters", schema}};
  json::object chat = Chat("Hello", 1);
  chat["tools"] = {{{"type", "function"}, {"function", function}}};
  chat["tool_choice"] = "required";
  json::object message = Chat("Hello", 1);
  message["tools"] = {{{"name", "g"}, {"input_schema", schema}}};
  json::object input{{"model", "fake"}, {"input", "Hello"}, {"temperature", 0}};
  input["tools"] = {{{"type", "function"}, {"name", "g"}, {"parameters", schema}}};
  input["tool_choice"] = "required";
  bool is_text = false;
  bool is_call = false;
  for (int i = 0; i < 64; ++i) {
    const int tokens = i / 2 + 1;
    const bool parallel = i % 2 == 0;
    SCOPED_TRACE(i);
    chat["max_tokens"] = message["max_tokens"] = input["max_output_tokens"] = tokens;
    chat["parallel_tool_calls"] = input["parallel_tool_calls"] = parallel;
    message["tool_choice"] = {{"type", "any"}, {"disable_parallel_tool_use", !parallel}};
    const json::object answer = Ask(&Service::ChatCompletions, chat);
    const json::object& choice = answer.at("choices").as_array().at(0).as_object();
    EXPECT_EQ(choice.at("finish_reason"), "length");
    EXPECT_THAT(json::serialize(choice), Not(HasSubstr("<tool_call>")));
    is_text |= choice.at("message").at("content").is_string();
    const json::object said = Ask(&Service::Messages, message);
    EXPECT_EQ(said.at("stop_reason"), "max_tokens");
    EXPECT_THAT(json::serialize(said), Not(HasSubstr("<tool_call>")));
    const json::object response = Ask(&Service::Responses, input);
    EXPECT_EQ(response.at("status"), "incomplete");
    for (const json::value& item : response.at("output").as_array()) {
      EXPECT_EQ(item.at("status"), "incomplete") << item;
      is_call |= item.at("type") == "function_call";
    }
  }
  EXPECT_TRUE(is_text);
  EXPECT_TRUE(is_call);
}

TEST_F(ServiceTest, AnswersObeyASchema) {
  json::object body = Chat("Hello", 200);
  body["ignore_eos"] = false;
  body["response_format"] = {
      {"type", "json_schema"},
      {"json_schema",
       {{"name", "answer"},
        {"strict", true},
        {"schema", json::parse(R"({"type":"array","items":{"enum":["a","b"]},)"
                               R"("minItems":2,"maxItems":3})")}}}};
  const json::array answer = json::parse(Content(Ask(&Service::ChatCompletions, body))).as_array();
  EXPECT_GE(answer.size(), 2u);
  EXPECT_LE(answer.size(), 3u);
  for (const json::value& item : answer) EXPECT_TRUE(item == "a" || item == "b") << item;
}

// Neither makes the other unreachable, and each is told what is wrong with it.
TEST_F(ServiceTest, AFormatBesideTools) {
  Start({}, 256, "{# <tool_call> #}{% for m in messages %}{{ m.content }}{% endfor %}");
  const json::value free = json::parse(R"({"type":"object","properties":{}})");
  const json::value unknown = json::parse(R"({"type":"object","not":{}})");
  json::object body = Chat("Hello", 200);
  body["temperature"] = 1;
  body["ignore_eos"] = false;
  const auto set = [&](const json::value& parameters, const json::value& schema) {
    body["tools"] = {{{"type", "function"},
                      {"function", {{"name", "f"}, {"strict", true}, {"parameters", parameters}}}}};
    body["response_format"] = {{"type", "json_schema"},
                               {"json_schema", {{"name", "a"}, {"schema", schema}}}};
  };
  set(free, json::parse(R"({"enum":["yes","no"]})"));
  std::map<std::string, int> ends;
  for (int seed = 0; seed < 20; ++seed) {
    body["seed"] = seed;
    const json::object answer = Ask(&Service::ChatCompletions, body);
    const json::object& choice = answer.at("choices").as_array().at(0).as_object();
    const std::string end(choice.at("finish_reason").as_string());
    ++ends[end];
    if (end != "stop") continue;
    const std::string content = Content(answer);
    EXPECT_TRUE(content == "\"yes\"" || content == "\"no\"") << content;
  }
  EXPECT_GT(ends["stop"], 0);
  EXPECT_GT(ends["tool_calls"] + ends["length"], 0);
  set(unknown, free);
  EXPECT_EQ(Ask(&Service::ChatCompletions, body, 400).at("error").at("param"), "tools");
  set(free, unknown);
  const json::object refused = Ask(&Service::ChatCompletions, body, 400);
  EXPECT_THAT(std::string(refused.at("error").at("param").as_string()),
              HasSubstr("response_format"));
}

}  // namespace
}  // namespace tutti::server
