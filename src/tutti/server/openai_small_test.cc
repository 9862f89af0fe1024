// The small endpoints: embeddings, tokenize, detokenize, apply-template.
#include <gtest/gtest.h>

#include <cmath>

#include "tutti/server/openai_embeddings.h"
#include "tutti/server/openai_tokenize.h"

namespace tutti::server {
namespace {

TEST(OpenaiEmbeddings, InputsOfAllKinds) {
  auto parsed = ParseOpenaiEmbeddings(
      R"({"model":"m","input":["a",[1,2]],"encoding_format":"base64","dimensions":2,"x":1})");
  ASSERT_TRUE(parsed.ok());
  EXPECT_EQ(parsed->inputs, (std::vector<Prompt>{"a", TokenIds{1, 2}}));
  EXPECT_TRUE(parsed->base64);
  EXPECT_EQ(parsed->dimensions, 2);
  EXPECT_EQ(parsed->unknown_fields, 1);
  const std::pair<std::string, std::string> refused[] = {
      {R"({})", "input"},
      {R"({"input":[]})", "input"},
      {R"({"input":7})", "input"},
      {R"({"input":"a","encoding_format":"hex"})", "encoding_format"},
      {R"({"input":"a","dimensions":0})", "dimensions"},
  };
  for (const auto& [body, param] : refused) {
    const auto result = ParseOpenaiEmbeddings(body);
    ASSERT_FALSE(result.ok()) << body;
    EXPECT_EQ(result.error().param, param);
  }
}

TEST(OpenaiEmbeddings, NumbersOrBase64) {
  const std::vector<std::vector<float>> values = {{1.0F, -0.5F, 0.1F}, {}};
  EmbeddingsRequest request;
  EXPECT_EQ(OpenaiEmbeddingsBody(request, "m", values, 4),
            R"({"object":"list","data":[{"object":"embedding","index":0,"embedding":[1,-0.5,0.1]},)"
            R"({"object":"embedding","index":1,"embedding":[]}],"model":"m",)"
            R"("usage":{"prompt_tokens":4,"total_tokens":4}})");
  request.base64 = true;
  // python3: base64.b64encode(struct.pack("<3f", 1, -0.5, 0.1))
  EXPECT_NE(
      OpenaiEmbeddingsBody(request, "m", values, 4).find(R"("embedding":"AACAPwAAAL/NzMw9"})"),
      std::string::npos);
  const std::vector<std::vector<float>> one = {{1.0F}};
  EXPECT_NE(OpenaiEmbeddingsBody(request, "m", one, 4).find(R"("embedding":"AACAPw=="})"),
            std::string::npos);
}

TEST(OpenaiTokenize, BothNamesOfEverything) {
  for (const char* body : {R"({"prompt":"a","add_special_tokens":false,"return_token_strs":true})",
                           R"({"content":"a","add_special":false,"with_pieces":true})"}) {
    auto parsed = ParseTokenize(body);
    ASSERT_TRUE(parsed.ok());
    EXPECT_EQ(parsed->text, "a");
    EXPECT_FALSE(parsed->add_special);
    EXPECT_TRUE(parsed->pieces);
    EXPECT_FALSE(parsed->chat.conversation.has_value());
  }
  auto chat = ParseTokenize(R"({"messages":[{"role":"user","content":"a"}]})");
  ASSERT_TRUE(chat.ok());
  EXPECT_EQ(chat->chat.conversation->messages_json, R"([{"role":"user","content":"a"}])");
  EXPECT_EQ(ParseTokenize("{}").error().param, "prompt");
  EXPECT_EQ(ParseTokenize(R"({"messages":[]})").error().param, "messages");
  EXPECT_EQ(ParseTokenize(R"({"prompt":1})").error().param, "prompt");
  EXPECT_EQ(ParseApplyTemplate("{}").error().param, "messages");
  auto tokens = ParseDetokenize(R"({"tokens":[1,2.0]})");
  ASSERT_TRUE(tokens.ok());
  EXPECT_EQ(tokens->tokens, (TokenIds{1, 2}));
  EXPECT_EQ(ParseDetokenize(R"({"tokens":[1,-2]})").error().param, "tokens[1]");
  EXPECT_EQ(ParseDetokenize("{}").error().param, "tokens");
}

TEST(OpenaiTokenize, Bodies) {
  const TokenIds tokens = {5, 6};
  EXPECT_EQ(TokenizeBody(tokens, {}, 128), R"({"count":2,"max_model_len":128,"tokens":[5,6]})");
  const std::vector<std::string> pieces = {"a", "\xff"};
  EXPECT_EQ(TokenizeBody(tokens, pieces, 128),
            "{\"count\":2,\"max_model_len\":128,\"tokens\":[5,6],\"token_strs\":[\"a\","
            "\"\xef\xbf\xbd\"]}");
  EXPECT_EQ(DetokenizeBody("a"), R"({"prompt":"a","content":"a"})");
  EXPECT_EQ(ApplyTemplateBody("<s>"), R"({"prompt":"<s>"})");
}

}  // namespace
}  // namespace tutti::server
