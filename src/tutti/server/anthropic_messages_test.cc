#include "tutti/server/anthropic_messages.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>

namespace tutti::server {
namespace {

namespace json = boost::json;

GenerationRequest Parse(std::string_view body) {
  auto parsed = ParseAnthropicMessages(body, {});
  EXPECT_TRUE(parsed.ok()) << body << ": " << parsed.error().message;
  return parsed.ok() ? std::move(parsed->generation) : GenerationRequest();
}

TEST(AnthropicMessages, ConversationsBecomeWhatTemplatesExpect) {
  const std::pair<std::string, std::string> cases[] = {
      {R"({"system":"s","messages":[{"role":"user","content":"a"}]})",
       R"([{"role":"system","content":"s"},{"role":"user","content":"a"}])"},
      // As Claude Code does: three blocks, and a system role among the messages.
      {R"({"messages":[{"role":"user","content":[{"type":"text","text":"a"},)"
       R"({"type":"text","text":"b","cache_control":{"type":"ephemeral"}}]},)"
       R"({"role":"system","content":"late"}],"system":[{"type":"text","text":"1"},)"
       R"({"type":"text","text":"2"},{"type":"text","text":"3"}]})",
       R"([{"role":"system","content":"1\n2\n3"},{"role":"user","content":"a\nb"},)"
       R"({"role":"system","content":"late"}])"},
      {R"({"messages":[{"role":"assistant","content":[{"type":"thinking","thinking":"hm",)"
       R"("signature":"x"},{"type":"redacted_thinking","data":"x"},{"type":"text","text":"t"},)"
       R"({"type":"tool_use","id":"1","name":"f","input":{"a":1}}]},)"
       R"({"role":"user","content":[{"type":"tool_result","tool_use_id":"1","content":"r"},)"
       R"({"type":"tool_result","tool_use_id":"2","is_error":true,)"
       R"("content":[{"type":"text","text":"x"}]},{"type":"text","text":"go on"}]}]})",
       R"([{"role":"assistant","content":"t","reasoning_content":"hm","tool_calls":[{"id":"1",)"
       R"("type":"function","function":{"name":"f","arguments":{"a":1}}}]},)"
       R"({"role":"tool","content":"r","name":"f","tool_call_id":"1"},)"
       R"({"role":"tool","content":"x","tool_call_id":"2"},)"
       R"({"role":"user","content":"go on"}])"},
      {R"({"messages":[{"role":"user","content":[]}]})", R"([{"role":"user","content":""}])"},
      {R"({"messages":[{"role":"user","content":[{"type":"tool_result"}]}]})",
       R"([{"role":"tool","content":""}])"},
  };
  for (const auto& [body, expected] : cases) {
    const GenerationRequest request = Parse(body);
    ASSERT_TRUE(request.conversation.has_value());
    EXPECT_EQ(request.conversation->messages_json, expected);
  }
}

TEST(AnthropicMessages, ValuesArriveWhereTheyBelong) {
  const GenerationRequest request = Parse(
      R"({"model":"m","max_tokens":32000,"messages":[{"role":"user","content":"a"}],"top_k":3,)"
      R"("temperature":0,"stop_sequences":["x"],"stream":true,"thinking":{"type":"enabled",)"
      R"("budget_tokens":1024},"metadata":{"user_id":"u"},"context_management":{"edits":[]},)"
      R"("tools":[{"name":"f","input_schema":{"type":"object"}},{"type":"custom","name":"g",)"
      R"("description":"d","input_schema":{}},{"type":"web_search_20250305","name":"w"}],)"
      R"("tool_choice":{"type":"any","disable_parallel_tool_use":true},"new":1})");
  EXPECT_EQ(request.model, "m");
  EXPECT_EQ(request.max_tokens, 32000);
  EXPECT_EQ(request.sampling.top_k, 3);
  EXPECT_EQ(request.sampling.temperature, 0);
  EXPECT_EQ(request.stop, std::vector<std::string>{"x"});
  EXPECT_TRUE(request.stream);
  ASSERT_EQ(request.tools.size(), 2U);
  EXPECT_EQ(request.tools[0].parameters_json, R"({"type":"object"})");
  EXPECT_EQ(request.tool_choice, ToolChoice::kRequired);
  EXPECT_FALSE(request.parallel_tool_calls);
  EXPECT_EQ(request.conversation->extra_json, R"({"enable_thinking":true,"thinking":true})");
  EXPECT_EQ(request.warnings.size(), 1U);
  EXPECT_EQ(request.unknown_fields, 1);
}

TEST(AnthropicMessages, OneToolOrAFormat) {
  EXPECT_EQ(Parse(R"({"messages":[{"role":"user","content":"a"}],"tools":[{"name":"f",)"
                  R"("input_schema":{}}],"tool_choice":{"type":"tool","name":"f"}})")
                .tool_name,
            "f");
  const GenerationRequest request =
      Parse(R"({"messages":[{"role":"user","content":"a"}],"thinking":{"type":"adaptive"},)"
            R"("output_config":{"format":{"type":"json_schema","schema":{"type":"object"}}}})");
  EXPECT_EQ(request.format.kind, OutputKind::kJsonSchema);
  EXPECT_EQ(request.format.source, R"({"type":"object"})");
  EXPECT_TRUE(request.conversation->extra_json.empty());
}

TEST(AnthropicMessages, ALastAnswerIsContinued) {
  const GenerationRequest request =
      Parse(R"({"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"The"}]})");
  EXPECT_TRUE(request.continue_last_message);
  EXPECT_FALSE(request.conversation->add_generation_prompt);
}

TEST(AnthropicMessages, RefusalsNameTheField) {
  const std::pair<std::string, std::string> cases[] = {
      {R"({})", "messages"},
      {R"({"messages":[]})", "messages"},
      {R"({"messages":[{"role":"tool","content":"a"}]})", "messages[0].role"},
      {R"({"messages":[{"role":"user"}]})", "messages[0].content"},
      {R"({"messages":[{"role":"user","content":7}]})", "messages[0].content"},
      {R"({"messages":[{"role":"user","content":[{"type":"image","source":{}}]}]})",
       "messages[0].content[0].type"},
      {R"({"messages":[{"role":"user","content":[{"type":"tool_result","content":)"
       R"([{"type":"image"}]}]}]})",
       "messages[0].content[0].content[0].type"},
      {R"({"messages":[{"role":"assistant","content":[{"type":"tool_use"}]}]})",
       "messages[0].content[0].name"},
      {R"({"messages":[{"role":"user","content":"a"}],"max_tokens":0})", "max_tokens"},
      {R"({"messages":[{"role":"user","content":"a"}],"system":3})", "system"},
      {R"({"messages":[{"role":"user","content":"a"}],"tool_choice":{"type":"x"}})",
       "tool_choice.type"},
      {R"({"messages":[{"role":"user","content":"a"}],"tools":[{"name":"f","input_schema":1}]})",
       "tools[0].input_schema"},
      {R"({"messages":[{"role":"user","content":"a"}],"thinking":{"type":"x"}})", "thinking.type"},
  };
  for (const auto& [body, param] : cases) {
    auto parsed = ParseAnthropicMessages(body, {});
    ASSERT_FALSE(parsed.ok()) << body;
    EXPECT_EQ(parsed.error().param, param) << parsed.error().message;
  }
}

AnswerEvent Event(AnswerEventKind kind, std::string text = {}, std::string call_id = {}) {
  AnswerEvent event;
  event.kind = kind;
  event.text = std::move(text);
  event.call_id = std::move(call_id);
  return event;
}

std::unique_ptr<AnswerWriter> Writer(bool stream) {
  return std::move(ParseAnthropicMessages(fmt::format(R"({{"messages":[{{"role":"user",)"
                                                      R"("content":"a"}}],"stream":{}}})",
                                                      stream),
                                          {})
                       ->writer);
}

TEST(AnthropicMessages, StreamOfThinkingTextAndACall) {
  const auto writer = Writer(true);
  EXPECT_EQ(writer->Begin({.id = "1", .model = "m", .prompt_tokens = 9}),
            "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\","
            "\"type\":\"message\",\"role\":\"assistant\",\"model\":\"m\",\"content\":[],"
            "\"stop_reason\":null,\"stop_sequence\":null,\"usage\":{\"input_tokens\":9,"
            "\"cache_creation_input_tokens\":0,\"cache_read_input_tokens\":0,\"output_tokens\":0}}}"
            "\n\nevent: ping\ndata: {\"type\":\"ping\"}\n\n");
  using enum AnswerEventKind;
  std::string out;
  for (const AnswerEvent& event :
       {Event(kReasoning, "h"), Event(kReasoning, "m"), Event(kText, "a"), Event(kText, "\n"),
        Event(kToolCall, "f", "c1"), Event(kArguments, "{}"), Event(kToolCallEnd),
        Event(kFinished)}) {
    out += writer->Write(event);
  }
  const auto start = [](int index, std::string_view block) {
    return fmt::format(
        "event: content_block_start\ndata: {{\"type\":\"content_block_start\",\"index\":{},"
        "\"content_block\":{}}}\n\n",
        index, block);
  };
  const auto delta = [](int index, std::string_view body) {
    return fmt::format(
        "event: content_block_delta\ndata: {{\"type\":\"content_block_delta\",\"index\":{},"
        "\"delta\":{}}}\n\n",
        index, body);
  };
  const auto stop = [](int index) {
    return fmt::format(
        "event: content_block_stop\ndata: {{\"type\":\"content_block_stop\",\"index\":{}}}\n\n",
        index);
  };
  EXPECT_EQ(out, start(0, R"({"type":"thinking","thinking":"","signature":""})") +
                     delta(0, R"({"type":"thinking_delta","thinking":"h"})") +
                     delta(0, R"({"type":"thinking_delta","thinking":"m"})") +
                     delta(0, R"({"type":"signature_delta","signature":"msg_1"})") + stop(0) +
                     start(1, R"({"type":"text","text":""})") +
                     delta(1, R"({"type":"text_delta","text":"a"})") +
                     delta(1, R"({"type":"text_delta","text":"\n"})") + stop(1) +
                     start(2, R"({"type":"tool_use","id":"c1","name":"f","input":{}})") +
                     delta(2, R"({"type":"input_json_delta","partial_json":"{}"})") + stop(2));
  EXPECT_EQ(writer->End({.prompt_tokens = 9, .cached_tokens = 4, .generated_tokens = 5}),
            "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":"
            "\"tool_use\",\"stop_sequence\":null},\"usage\":{\"input_tokens\":5,"
            "\"cache_creation_input_tokens\":0,\"cache_read_input_tokens\":4,\"output_tokens\":5}}"
            "\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n");
}

TEST(AnthropicMessages, ReasonsToStop) {
  const std::tuple<FinishReason, std::string, std::string> cases[] = {
      {FinishReason::kEndOfGeneration, "", R"("stop_reason":"end_turn","stop_sequence":null)"},
      {FinishReason::kStop, "x", R"("stop_reason":"stop_sequence","stop_sequence":"x")"},
      {FinishReason::kMaxTokens, "", R"("stop_reason":"max_tokens","stop_sequence":null)"},
  };
  for (const auto& [reason, stop, expected] : cases) {
    for (const bool stream : {false, true}) {
      const auto writer = Writer(stream);
      writer->Begin({.id = "1"});
      AnswerEvent event = Event(AnswerEventKind::kFinished);
      event.reason = reason;
      event.stop = stop;
      writer->Write(event);
      EXPECT_NE(writer->End({}).find(expected), std::string::npos) << expected;
    }
  }
}

TEST(AnthropicMessages, Document) {
  const auto writer = Writer(false);
  EXPECT_EQ(writer->Begin({.id = "1", .model = "m"}), "");
  using enum AnswerEventKind;
  for (const AnswerEvent& event :
       {Event(kReasoning, "hm"), Event(kText, "a"), Event(kText, "b"), Event(kToolCall, "f", "c1"),
        Event(kArguments, "{\"a\""), Event(kArguments, ":1}"), Event(kToolCallEnd),
        Event(kToolCall, "g", "c2"), Event(kArguments, "{oops"), Event(kToolCallEnd),
        Event(kFinished)}) {
    EXPECT_EQ(writer->Write(event), "");
  }
  EXPECT_EQ(writer->End({.prompt_tokens = 3, .generated_tokens = 4}),
            R"({"id":"msg_1","type":"message","role":"assistant","model":"m","content":[)"
            R"({"type":"thinking","thinking":"hm","signature":"msg_1"},)"
            R"({"type":"text","text":"ab"},)"
            R"({"type":"tool_use","id":"c1","name":"f","input":{"a":1}},)"
            R"({"type":"tool_use","id":"c2","name":"g","input":{"raw_arguments":"{oops"}}],)"
            R"("stop_reason":"tool_use","stop_sequence":null,"usage":{"input_tokens":3,)"
            R"("cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":4}})");
}

TEST(AnthropicMessages, ErrorsAndCounts) {
  EXPECT_EQ(Writer(true)->Fail({.status = 503, .message = "later"}),
            "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\","
            "\"message\":\"later\"}}\n\n");
  EXPECT_EQ(AnthropicTokenCount(7), R"({"input_tokens":7})");
}

}  // namespace
}  // namespace tutti::server
