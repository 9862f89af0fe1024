#include "tutti/server/openai_completions.h"

#include <gtest/gtest.h>

namespace tutti::server {
namespace {

using Prompts = std::vector<std::variant<std::string, TokenIds>>;

TEST(OpenaiCompletions, PromptsAreTextsOrIdsOrListsOfBoth) {
  const std::pair<std::string, Prompts> cases[] = {
      {R"("a")", {"a"}},
      {R"("")", {""}},
      {R"(["a","b"])", {"a", "b"}},
      {R"([1,2])", {TokenIds{1, 2}}},
      {R"([[1],"b",[2,3]])", {TokenIds{1}, "b", TokenIds{2, 3}}},
  };
  for (const auto& [prompt, expected] : cases) {
    auto parsed = ParseOpenaiCompletions(R"({"n":2,"echo":true,"prompt":)" + prompt + "}", {});
    ASSERT_TRUE(parsed.ok()) << prompt << parsed.error().message;
    EXPECT_EQ(parsed->generation.prompts, expected);
    EXPECT_FALSE(parsed->generation.conversation.has_value());
    EXPECT_TRUE(parsed->generation.echo);
    EXPECT_EQ(parsed->generation.choices, 2);
  }
}

TEST(OpenaiCompletions, RefusalsNameTheField) {
  const std::pair<std::string, std::string> cases[] = {
      {R"({})", "prompt"},
      {R"({"prompt":null})", "prompt"},
      {R"({"prompt":[]})", "prompt"},
      {R"({"prompt":[[]]})", "prompt[0]"},
      {R"({"prompt":["a",1]})", "prompt[1]"},
      {R"({"prompt":[1,"a"]})", "prompt[1]"},
      {R"({"prompt":[1,-1]})", "prompt[1]"},
      {R"({"prompt":[4294967296]})", "prompt[0]"},
      {R"({"prompt":"a","best_of":2})", "best_of"},
      {R"({"prompt":"a","logprobs":21})", "logprobs"},
      {R"({"prompt":"a","logprobs":true})", "logprobs"},
      {R"({"prompt":"a","logprobs":1,"echo":true})", "echo"},
      {R"({"prompt":"a","suffix":"b"})", "suffix"},
  };
  for (const auto& [body, param] : cases) {
    auto parsed = ParseOpenaiCompletions(body, {});
    ASSERT_FALSE(parsed.ok()) << body;
    EXPECT_EQ(parsed.error().param, param) << body << parsed.error().message;
  }
}

TEST(OpenaiCompletions, AnswersAreLimited) {
  std::string prompts = "\"a\"";
  for (int i = 1; i < 257; ++i) prompts += ",\"a\"";
  EXPECT_TRUE(ParseOpenaiCompletions("{\"prompt\":[" + prompts + "],\"n\":7}", {}).ok());
  const auto refused = ParseOpenaiCompletions("{\"prompt\":[" + prompts + "],\"n\":8}", {});
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().param, "n");
}

AnswerEvent TextEvent(int32_t choice, std::string text) {
  AnswerEvent event;
  event.choice = choice;
  event.text = std::move(text);
  return event;
}
AnswerEvent FinishedEvent(int32_t choice, FinishReason reason) {
  AnswerEvent event;
  event.kind = AnswerEventKind::kFinished;
  event.choice = choice;
  event.reason = reason;
  return event;
}

TEST(OpenaiCompletions, StreamOfTwoPrompts) {
  auto parsed = ParseOpenaiCompletions(
      R"({"prompt":["a","b"],"stream":true,"stream_options":{"include_usage":true}})", {});
  ASSERT_TRUE(parsed.ok());
  AnswerWriter& writer = *parsed->writer;
  EXPECT_EQ(writer.Begin({.id = "1", .created_s = 7, .model = "m", .fingerprint = "f"}), "");
  EXPECT_EQ(writer.Write(TextEvent(1, "é\n")),
            "data: {\"id\":\"cmpl-1\",\"object\":\"text_completion\",\"created\":7,\"model\":\"m\","
            "\"system_fingerprint\":\"f\",\"choices\":[{\"index\":1,\"text\":\"é\\n\","
            "\"logprobs\":null,\"finish_reason\":null}],\"usage\":null}\n\n");
  EXPECT_EQ(writer.Write(FinishedEvent(0, FinishReason::kMaxTokens)),
            "data: {\"id\":\"cmpl-1\",\"object\":\"text_completion\",\"created\":7,\"model\":\"m\","
            "\"system_fingerprint\":\"f\",\"choices\":[{\"index\":0,\"text\":\"\","
            "\"logprobs\":null,\"finish_reason\":\"length\"}],\"usage\":null}\n\n");
  EXPECT_EQ(writer.End({.prompt_tokens = 2, .generated_tokens = 3}),
            "data: {\"id\":\"cmpl-1\",\"object\":\"text_completion\",\"created\":7,\"model\":\"m\","
            "\"system_fingerprint\":\"f\",\"choices\":[],\"usage\":{\"prompt_tokens\":2,"
            "\"completion_tokens\":3,\"total_tokens\":5,\"prompt_tokens_details\":"
            "{\"cached_tokens\":0},\"completion_tokens_details\":{\"reasoning_tokens\":0}}}\n\n"
            "data: [DONE]\n\n");
}

TEST(OpenaiCompletions, DocumentWithLogprobs) {
  auto parsed = ParseOpenaiCompletions(R"({"prompt":"a","logprobs":1})", {});
  ASSERT_TRUE(parsed.ok());
  AnswerWriter& writer = *parsed->writer;
  writer.Begin({.id = "1", .created_s = 7, .model = "m"});
  AnswerEvent event = TextEvent(0, "é!");
  event.logprobs = {{.token = {.id = 3, .logprob = -0.5F, .bytes = "\xc3"}, .top = {}},
                    {.token = {.id = 4, .logprob = -INFINITY, .bytes = "\xa9!"},
                     .top = {{.id = 5, .logprob = -0.25F, .bytes = "x"}}}};
  EXPECT_EQ(writer.Write(event), "");
  writer.Write(FinishedEvent(0, FinishReason::kStop));
  EXPECT_EQ(writer.End({}),
            R"({"id":"cmpl-1","object":"text_completion","created":7,"model":"m",)"
            R"("system_fingerprint":null,"choices":[{"index":0,"text":"é!","logprobs":{)"
            R"("tokens":["bytes:\\xc3","bytes:\\xa9\\x21"],"token_logprobs":[-0.5,-9999],)"
            R"("top_logprobs":[{},{"x":-0.25}],"text_offset":[0,1]},"finish_reason":"stop"}],)"
            R"("usage":{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0,)"
            R"("prompt_tokens_details":{"cached_tokens":0},)"
            R"("completion_tokens_details":{"reasoning_tokens":0}}})");
}

}  // namespace
}  // namespace tutti::server
