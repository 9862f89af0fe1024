#include "tutti/server/openai_chat_writer.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>

namespace tutti::server {
namespace {

constexpr std::string_view kHead =
    R"(data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":7,"model":"m",)"
    R"("system_fingerprint":"f","choices":[)";

AnswerHead Head() { return {.id = "1", .created_s = 7, .model = "m", .fingerprint = "f"}; }

AnswerEvent Event(AnswerEventKind kind, std::string text = {}, std::string call_id = {}) {
  AnswerEvent event;
  event.kind = kind;
  event.text = std::move(text);
  event.call_id = std::move(call_id);
  return event;
}

// A chunk of one choice, as it must be written.
std::string Chunk(std::string_view delta, std::string_view finish = "null", int choice = 0) {
  return fmt::format(R"({}{{"index":{},"delta":{},"logprobs":null,"finish_reason":{}}}]}})"
                     "\n\n",
                     kHead, choice, delta, finish);
}

TEST(OpenaiChatWriter, StreamOfReasoningTextAndTwoCalls) {
  GenerationRequest request;
  request.stream = true;
  const auto writer = MakeOpenaiChatWriter(request);
  EXPECT_EQ(writer->Begin(Head()), Chunk(R"({"role":"assistant","content":""})"));
  using enum AnswerEventKind;
  const std::pair<AnswerEvent, std::string> steps[] = {
      {Event(kReasoning, "hm"), Chunk(R"({"reasoning_content":"hm"})")},
      {Event(kText, "a\"b"), Chunk(R"({"content":"a\"b"})")},
      {Event(kToolCall, "f", "call_1"),
       Chunk(R"({"tool_calls":[{"index":0,"id":"call_1","type":"function",)"
             R"("function":{"name":"f","arguments":""}}]})")},
      {Event(kArguments, "{\"a\":"),
       Chunk(R"({"tool_calls":[{"index":0,"function":{"arguments":"{\"a\":"}}]})")},
      {Event(kToolCallEnd), ""},
      {Event(kToolCall, "g", "call_2"),
       Chunk(R"({"tool_calls":[{"index":1,"id":"call_2","type":"function",)"
             R"("function":{"name":"g","arguments":""}}]})")},
      {Event(kArguments, "{}"),
       Chunk(R"({"tool_calls":[{"index":1,"function":{"arguments":"{}"}}]})")},
      {Event(kToolCallEnd), ""},
      {Event(kFinished), Chunk("{}", "\"tool_calls\"")},
  };
  for (const auto& [event, expected] : steps) EXPECT_EQ(writer->Write(event), expected);
  EXPECT_EQ(writer->End({}), "data: [DONE]\n\n");
}

TEST(OpenaiChatWriter, EveryChoiceBeginsWithItsRole) {
  GenerationRequest request;
  request.stream = true;
  request.choices = 2;
  request.include_usage = true;
  const auto writer = MakeOpenaiChatWriter(request);
  const std::string begin = writer->Begin(Head());
  EXPECT_NE(begin.find(R"({"index":1,"delta":{"role":"assistant","content":""},)"
                       R"("logprobs":null,"finish_reason":null}],"usage":null})"),
            std::string::npos);
  EXPECT_EQ(
      writer->End(
          {.prompt_tokens = 5, .cached_tokens = 4, .generated_tokens = 3, .reasoning_tokens = 2}),
      std::string(kHead) + R"(],"usage":{"prompt_tokens":5,"completion_tokens":3,)"
                           R"("total_tokens":8,"prompt_tokens_details":{"cached_tokens":4},)"
                           R"("completion_tokens_details":{"reasoning_tokens":2}}})"
                           "\n\ndata: [DONE]\n\n");
}

TEST(OpenaiChatWriter, AnErrorInsideAStreamIsAnEvent) {
  GenerationRequest request;
  request.stream = true;
  const auto writer = MakeOpenaiChatWriter(request);
  writer->Begin(Head());
  EXPECT_EQ(writer->Fail({.status = 500, .type = "server_error", .message = "no\nmore"}),
            "data: {\"error\":{\"message\":\"no\\nmore\",\"type\":\"server_error\","
            "\"param\":null,\"code\":null}}\n\n");
}

TEST(OpenaiChatWriter, Document) {
  const auto writer = MakeOpenaiChatWriter(GenerationRequest());
  EXPECT_EQ(writer->Begin(Head()), "");
  using enum AnswerEventKind;
  AnswerEvent text = Event(kText, "hi");
  text.logprobs = {{.token = {.id = 3, .logprob = -0.5F, .bytes = "h\xff"},
                    .top = {{.id = 3, .logprob = -0.5F, .bytes = "h"}}}};
  EXPECT_EQ(writer->Write(text), "");
  EXPECT_EQ(writer->Write(Event(kReasoning, "because")), "");
  EXPECT_EQ(writer->Write(Event(kFinished)), "");
  EXPECT_EQ(writer->End({.prompt_tokens = 1, .generated_tokens = 2}),
            R"({"id":"chatcmpl-1","object":"chat.completion","created":7,"model":"m",)"
            R"("choices":[{"index":0,"message":{"role":"assistant","content":"hi",)"
            R"("refusal":null,"reasoning_content":"because"},"logprobs":{"content":[)"
            "{\"token\":\"h\xef\xbf\xbd\",\"logprob\":-0.5,\"bytes\":[104,255],"
            R"("top_logprobs":[{"token":"h","logprob":-0.5,"bytes":[104]}]}],"refusal":null},)"
            R"("finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":2,)"
            R"("total_tokens":3,"prompt_tokens_details":{"cached_tokens":0},)"
            R"("completion_tokens_details":{"reasoning_tokens":0}},"system_fingerprint":"f"})");
}

TEST(OpenaiChatWriter, DocumentOfCallsHasNoContent) {
  const auto writer = MakeOpenaiChatWriter(GenerationRequest());
  writer->Begin(Head());
  using enum AnswerEventKind;
  for (const AnswerEvent& event :
       {Event(kToolCall, "f", "call_1"), Event(kArguments, "{\"a\""), Event(kArguments, ":1}"),
        Event(kToolCallEnd), Event(kFinished)}) {
    writer->Write(event);
  }
  const auto document = boost::json::parse(writer->End({}));
  const auto& choice = document.at("choices").at(0);
  EXPECT_EQ(choice.at("finish_reason"), "tool_calls");
  EXPECT_EQ(boost::json::serialize(choice.at("message")),
            R"({"role":"assistant","content":null,"refusal":null,"tool_calls":[{"id":"call_1",)"
            R"("type":"function","function":{"name":"f","arguments":"{\"a\":1}"}}]})");
}

}  // namespace
}  // namespace tutti::server
