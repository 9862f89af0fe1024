#include "tutti/server/chat_render.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "tests/shared_fixtures.h"

namespace tutti::server {
namespace {

constexpr std::string_view kNow = "2026-01-15T12:34:56";

TEST(ChatRender, Shapes) {
  constexpr std::string_view kMessages =
      R"([{"role":"system","content":"s"},{"role":"user","content":"a"},)"
      R"({"role":"system","content":"b"},{"role":"assistant","content":"c","tool_calls":[)"
      R"({"function":{"name":"f","arguments":{"x":0.5}}}]},{"role":"assistant","content":"d"}])";
  const std::pair<MessageShape, std::string> cases[] = {
      {{.joined = true},
       R"([{"role":"system","content":"s"},{"role":"user","content":"a\n\nb"},)"
       R"({"role":"assistant","content":"c","tool_calls":[{"function":{"name":"f",)"
       R"("arguments":{"x":0.5}}}]},{"role":"assistant","content":"d"}])"},
      {{.joined = true, .system = false, .text_arguments = true},
       R"([{"role":"user","content":"s\n\na\n\nb"},)"
       R"({"role":"assistant","content":"c","tool_calls":[{"function":{"name":"f",)"
       R"("arguments":"{\"x\":0.5}"}}]},{"role":"assistant","content":"d"}])"},
  };
  for (const auto& [shape, expected] : cases) {
    const auto shaped = ShapedMessages(kMessages, shape);
    ASSERT_TRUE(shaped.ok());
    EXPECT_EQ(*shaped, expected);
  }
  EXPECT_EQ(*ShapedMessages(R"([{"role":"tool","content":"x"},{"role":"user","content":"y"}])",
                            {.joined = true, .after_tools = true}),
            R"([{"role":"tool","content":"x\n\ny"}])");
  // The same id is the same in its new form; one that is short already stays.
  EXPECT_EQ(*ShapedMessages(R"([{"tool_calls":[{"id":"call_1_0_0"},{"id":"Abc123xyz"},{}]},)"
                            R"({"tool_call_id":"call_1_0_0"},{"tool_call_id":"Abc123xyz"}])",
                            {.short_ids = true}),
            R"([{"tool_calls":[{"id":"hg51jgi5u"},{"id":"Abc123xyz"},{}]},)"
            R"({"tool_call_id":"hg51jgi5u"},{"tool_call_id":"Abc123xyz"}])");
  EXPECT_FALSE(ShapedMessages("{}", {}).ok());
  EXPECT_FALSE(ShapedMessages("[1]", {}).ok());
}

TEST(ChatRender, TheTemplatesOwnRefusalCounts) {
  const auto chat = text::ChatTemplate::Parse("{{ raise_exception('never') }}");
  ASSERT_TRUE(chat.ok());
  text::Conversation conversation;
  conversation.messages_json = R"([{"role":"user","content":"a"}])";
  const auto result = RenderForgiving(*chat, conversation, false, kNow);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(text::RaisedMessage(result.status()), "never");
}

// A turn as agents send it, by every family's template.
TEST(ChatRender, AgentsConversations) {
  TUTTI_NEEDS_SHARED("templates/families");
  text::Conversation conversation;
  conversation.messages_json =
      R"([{"role":"system","content":"SYS1"},{"role":"user","content":"USR1"},)"
      R"({"role":"system","content":"SYS2"},{"role":"user","content":"USR2"},)"
      R"({"role":"assistant","content":"","tool_calls":[{"id":"call_1_0_0","type":"function",)"
      R"("function":{"name":"get_weather","arguments":{"city":"Bern"}}}]},)"
      R"({"role":"tool","content":"OUT1","name":"get_weather","tool_call_id":"call_1_0_0"},)"
      R"({"role":"user","content":"USR3"}])";
  conversation.tools_json =
      R"([{"type":"function","function":{"name":"get_weather","description":"d","parameters":)"
      R"({"type":"object","properties":{"city":{"type":"string","description":"c"}}}}}])";
  conversation.bos_token = "<s>";
  conversation.eos_token = "</s>";
  std::set<std::string> refused;
  int shown = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator(testing::SharedFixture("templates/families"))) {
    if (entry.path().extension() != ".jinja") continue;
    std::ifstream in(entry.path(), std::ios::binary);
    std::ostringstream source;
    source << in.rdbuf();
    const auto chat = text::ChatTemplate::Parse(source.str());
    ASSERT_TRUE(chat.ok()) << entry.path();
    const auto result = RenderForgiving(*chat, conversation, false, kNow);
    if (!result.ok()) {
      refused.insert(entry.path().stem().string());
      continue;
    }
    ++shown;
    for (const char* text : {"USR1", "USR2", "USR3"}) {
      EXPECT_NE(result->Text().find(text), std::string::npos) << entry.path() << text;
    }
  }
  // Without a role for tools, with variables of their own, or not for this sandbox.
  const std::set<std::string> expected = {
      "Kimi-K2-Instruct",     "Kimi-K2-Thinking",      "MiroThinker",
      "google-gemma-2-2b-it", "llama-cpp-deepseek-r1", "fireworks-ai-llama-3-firefunction-v2"};
  EXPECT_EQ(refused, expected);
  EXPECT_GE(shown, 45);
}

}  // namespace
}  // namespace tutti::server
