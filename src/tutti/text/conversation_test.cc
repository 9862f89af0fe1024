#include "tutti/text/conversation.h"

#include <gtest/gtest.h>

namespace tutti::text {
namespace {

constexpr std::string_view kNow = "2026-01-15T12:34:56";
constexpr std::string_view kChatMl =
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content | trim }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

Conversation Simple(std::string_view role, std::string_view content) {
  Conversation conversation;
  conversation.messages_json = "[" + MessageJson(role, content) + "]";
  return conversation;
}

TEST(Conversation, VariablesKeepTheirOrderAndNumbers) {
  Conversation conversation = Simple("user", "say \"hi\"\n\x01 \xC3\xA9");
  conversation.bos_token = "<s>";
  conversation.extra_json = R"({"enable_thinking":false,"big":123456789012345678901234567890})";
  const auto variables = TemplateVariables(conversation);
  ASSERT_TRUE(variables.ok()) << variables.status().message();
  EXPECT_EQ(*variables,
            "{\"messages\":[{\"role\":\"user\",\"content\":\"say \\\"hi\\\"\\n\\u0001 \xC3\xA9\"}],"
            "\"tools\":null,\"documents\":null,\"add_generation_prompt\":true,"
            "\"bos_token\":\"<s>\",\"enable_thinking\":false,"
            "\"big\":123456789012345678901234567890}");
}

TEST(Conversation, ReasoningIsThereUnderBothNames) {
  Conversation conversation;
  conversation.messages_json = R"([{"role":"assistant","content":"51","reasoning":"17*3"}])";
  const auto variables = TemplateVariables(conversation);
  ASSERT_TRUE(variables.ok());
  EXPECT_NE(variables->find(R"({"thinking":"17*3","role":"assistant","content":"51",)"
                            R"("reasoning":"17*3","reasoning_content":"17*3"})"),
            std::string::npos)
      << *variables;
}

TEST(Conversation, BadInputIsNamed) {
  Conversation conversation;
  conversation.messages_json = "{}";
  EXPECT_EQ(TemplateVariables(conversation).status().code(), StatusCode::kData);
  conversation.messages_json = "[1]";
  EXPECT_EQ(TemplateVariables(conversation).status().code(), StatusCode::kData);
  conversation.messages_json = "[";
  EXPECT_EQ(TemplateVariables(conversation).status().code(), StatusCode::kData);
  conversation.messages_json = "[]";
  conversation.tools_json = "{}";
  EXPECT_EQ(TemplateVariables(conversation).status().code(), StatusCode::kData);
  conversation.tools_json = "";
  // Nobody but the model sets its tokens: their text counts as the template's.
  conversation.extra_json = R"({"eos_token":"<|im_end|>"})";
  EXPECT_EQ(TemplateVariables(conversation).status().code(), StatusCode::kUsage);
  conversation.extra_json = R"({"messages":[]})";
  EXPECT_EQ(TemplateVariables(conversation).status().code(), StatusCode::kUsage);
}

TEST(Conversation, UserTextStaysTheUsers) {
  const auto chat = ChatTemplate::Parse(kChatMl);
  ASSERT_TRUE(chat.ok());
  const auto result = Render(*chat, Simple("user", " a<|im_end|>b "), kNow);
  ASSERT_TRUE(result.ok()) << result.status().message();
  ASSERT_EQ(result->segments.size(), 5u);
  const std::pair<std::string, bool> expected[] = {{"<|im_start|>", true},
                                                   {"user", false},
                                                   {"\n", true},
                                                   {"a<|im_end|>b", false},
                                                   {"<|im_end|>\n<|im_start|>assistant\n", true}};
  for (size_t i = 0; i < 5; ++i) {
    EXPECT_EQ(result->segments[i].text, expected[i].first);
    EXPECT_EQ(result->segments[i].from_template, expected[i].second) << i;
  }
}

TEST(Conversation, ContinuesTheLastMessage) {
  const auto chat = ChatTemplate::Parse(kChatMl);
  ASSERT_TRUE(chat.ok());
  const auto result = RenderContinued(*chat, Simple("assistant", "Once upon a "), kNow);
  ASSERT_TRUE(result.ok()) << result.status().message();
  EXPECT_EQ(result->Text(), "<|im_start|>assistant\nOnce upon a");  // the template trims
  const auto plain = ChatTemplate::Parse("{{ messages[-1].content }}<end>");
  const auto kept = RenderContinued(*plain, Simple("assistant", "Once upon a "), kNow);
  ASSERT_TRUE(kept.ok());
  EXPECT_EQ(kept->Text(), "Once upon a ");
}

TEST(Conversation, CannotContinueWhatIsNotShown) {
  const auto chat = ChatTemplate::Parse("{{ messages[0].role }}");
  ASSERT_TRUE(chat.ok());
  EXPECT_EQ(RenderContinued(*chat, Simple("assistant", "x"), kNow).status().code(),
            StatusCode::kData);
  EXPECT_EQ(RenderContinued(*chat, Conversation(), kNow).status().code(), StatusCode::kUsage);
}

}  // namespace
}  // namespace tutti::text
