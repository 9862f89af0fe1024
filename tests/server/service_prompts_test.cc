// Prompts: how many at once, too long ones, and that they count the same wherever they are counted.
#include <gmock/gmock.h>

#include "tests/server/service_fixture.h"

namespace tutti::server {
namespace {

using ::testing::StartsWith;

std::string Message(const json::object& answer) {
  return json::value_to<std::string>(answer.at("error").at("message"));
}

TEST_F(ServiceTest, WhatTheApiAllowsIsServedHoweverShortTheQueueIs) {
  Start({.max_queued_requests = 8, .max_queued_prompt_tokens = 64, .max_running = 4});
  json::array input(2048, "a b");
  const json::object vectors =
      Ask(&Service::Embeddings, {{"model", "fake"}, {"input", input}, {"dimensions", 1}});
  EXPECT_EQ(vectors.at("data").as_array().size(), 2048u);
  EXPECT_EQ(vectors.at("usage").at("prompt_tokens"), 2048 * 3);
  for (const json::value& entry : vectors.at("data").as_array()) {
    EXPECT_EQ(entry.at("embedding").as_array().size(), 1u);
  }

  input.resize(200);
  json::object body{{"model", "fake"}, {"prompt", input}, {"max_tokens", 2}, {"temperature", 0}};
  body["ignore_eos"] = true;
  const json::object answer = Ask(&Service::Completions, body);
  ASSERT_EQ(answer.at("choices").as_array().size(), 200u);
  const std::string expected = Expected("a b", 2);
  for (const json::value& choice : answer.at("choices").as_array()) {
    EXPECT_EQ(choice.at("text").as_string(), expected);
  }
  EXPECT_EQ(answer.at("usage").at("prompt_tokens"), 200 * 3);
  EXPECT_EQ(answer.at("usage").at("completion_tokens"), 200 * 2);
  EXPECT_EQ(Statistics().refused, 0);
}

// While a request of many prompts waits, others are let in.
TEST_F(ServiceTest, ALargeRequestLeavesRoomInTheQueue) {
  Start({.max_queued_requests = 8});
  Pause(true);
  const json::array input(100, "Hello");
  const auto large = Send(&Service::Embeddings, {{"model", "fake"}, {"input", input}});
  Settle();
  EXPECT_LE(Statistics().queued_requests, 4);
  const auto small = Send(&Service::ChatCompletions, Chat("Hello", 1));
  Settle();
  Pause(false);
  EXPECT_EQ(small->Wait().status, 200);
  EXPECT_EQ(large->Wait().status, 200);
}

// Cancelling drops also what has not come to the queue.
TEST_F(ServiceTest, ALargeRequestWhoseClientGoesEnds) {
  Start({.max_queued_requests = 8});
  Pause(true);
  const json::array input(100, "Hello");
  const auto embeddings = Send(&Service::Embeddings, {{"model", "fake"}, {"input", input}});
  const auto texts =
      Send(&Service::Completions, {{"model", "fake"}, {"prompt", input}, {"max_tokens", 3}});
  // Both windows are full: half of the queue each.
  for (int i = 0; i < 20000 && Statistics().submitted < 8; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  ASSERT_EQ(Statistics().submitted, 8);
  Settle();
  embeddings->GoAway();
  texts->GoAway();
  Settle();
  Pause(false);
  Idle();
  EXPECT_EQ(Statistics().submitted, 8);
}

// In the words by which each API's clients know it.
TEST_F(ServiceTest, APromptThatIsTooLongSaysSoInTheApisWords) {
  const auto openai = [&](Handler handler, json::object body, const std::string& words,
                          const char* param) {
    const json::object answer = Ask(handler, body, 400);
    EXPECT_THAT(Message(answer), StartsWith("This model's maximum context length is 256 tokens. "
                                            "However, your prompt has " +
                                            words));
    EXPECT_EQ(answer.at("error").at("code"), "context_length_exceeded");
    EXPECT_EQ(answer.at("error").at("param"), param);
  };
  for (const int size : {256, 300, 3000}) {
    const std::string text(static_cast<size_t>(size), 'x');
    const std::string words = size == 256   ? "256 tokens and the answer needs one at least: "
                              : size == 300 ? "300 tokens: "
                                            : "3000 bytes, more than so many tokens can hold: ";
    openai(&Service::ChatCompletions, Chat(text, 5), words, "messages");
    openai(&Service::Completions, {{"model", "fake"}, {"prompt", text}}, words, "prompt");
    if (size > 256)
      openai(&Service::Embeddings, {{"model", "fake"}, {"input", text}}, words, "input");
    const json::object message = Ask(&Service::Messages, Chat(text, 5), 400);
    EXPECT_THAT(Message(message),
                StartsWith(size == 256   ? "prompt is too long: 256 tokens > 255 maximum: "
                           : size == 300 ? "prompt is too long: 300 tokens > 256 maximum: "
                                         : "prompt is too long: 3000 bytes, more than 256 tokens "
                                           "can hold: "));
    EXPECT_EQ(message.at("error").at("type"), "invalid_request_error");
  }
}

TEST_F(ServiceTest, TokensAreCountedAsTheyAreBilled) {
  Start({}, 256,
        "{# <tool_call> #}{% for m in messages %}{{ m.content }}|{% endfor %}"
        "{% if add_generation_prompt %}assistant:{% endif %}");
  const json::object function{{"name", "g"}, {"input_schema", {{"type", "object"}}}};
  json::object continued = Chat("Hello", 3);
  continued["messages"].as_array().push_back({{"role", "assistant"}, {"content", "Well"}});
  json::object forced = Chat("Hello", 3);
  forced["tools"] = {function};
  forced["tool_choice"] = {{"type", "any"}};
  for (const json::object& body : {Chat("Hello", 3), continued, forced}) {
    const json::object usage = Ask(&Service::Messages, body).at("usage").as_object();
    const auto billed = usage.at("input_tokens").to_number<int>() +
                        usage.at("cache_read_input_tokens").to_number<int>();
    EXPECT_EQ(Ask(&Service::CountTokens, body).at("input_tokens"), billed) << body;
  }

  json::object chat = Chat("Hello", 3);
  const auto count = [&] { return Ask(&Service::Tokenize, chat).at("count").to_number<int>(); };
  const json::object answer = Ask(&Service::ChatCompletions, chat);
  EXPECT_EQ(count(), answer.at("usage").at("prompt_tokens"));
  EXPECT_EQ(count(), 6 + 10);
  chat["add_generation_prompt"] = false;
  EXPECT_EQ(count(), 6);
  EXPECT_EQ(Ask(&Service::ApplyTemplate, chat).at("prompt"), "Hello|");
}

TEST_F(ServiceTest, TokensThatAreNoneHaveNoText) {
  const json::object refused =
      Ask(&Service::Detokenize, {{"model", "fake"}, {"tokens", {1, 999999}}}, 400);
  EXPECT_EQ(refused.at("error").at("param"), "tokens");
  EXPECT_THAT(Message(refused), StartsWith("token 999999 is not in the model's vocabulary"));
  Ask(&Service::Detokenize, {{"model", "fake"}, {"tokens", json::array()}});
}

}  // namespace
}  // namespace tutti::server
