// What calls of tools must obey, for one model: how much it may take, and what it forces.
#include "tutti/server/tool_constraint.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "fake_model.h"

namespace tutti::server {
namespace {

using ::testing::HasSubstr;

constexpr const char* kGeneral = "{# <tool_call> #}";
constexpr const char* kMarked = "{# <|tool_calls_section_begin|> #}";

std::shared_ptr<ModelHost> HostOf(const char* chat_template) {
  auto model = tutti::testing::MakeFakeModel(256, chat_template);
  auto host = ModelHost::Create("fake", std::move(model.hosted), {});
  EXPECT_TRUE(host.ok()) << host.status().message();
  return std::move(host).value();
}

Result<std::shared_ptr<const TokenConstraint>> Constrain(ModelHost& host,
                                                         const GenerationRequest& request) {
  text::AnswerPartsOptions options;
  options.tools = ToolSchemas(request);
  return ConstrainTools(host, request, std::move(options),
                        BegunCall(host.answer_format().form, request));
}

// Three lists of ten alternatives, which combine to a thousand.
std::string LargeSchema(int tool) {
  std::string schema = R"({"type":"object","allOf":[)";
  for (int list = 0; list < 3; ++list) {
    schema += list == 0 ? R"({"anyOf":[)" : R"(,{"anyOf":[)";
    for (int i = 0; i < 10; ++i) {
      schema += fmt::format(R"({}{{"properties":{{"t{}l{}p{}":{{"enum":[1,2,3]}}}}}})",
                            i == 0 ? "" : ",", tool, list, i);
    }
    schema += "]}";
  }
  return schema + "]}";
}

// Whether the answer may go on with the text.
bool MayWrite(const TokenConstraint& constraint, std::string_view text) {
  const auto copy = constraint.Clone();
  for (const char c : text) {
    const TokenId id = c == ' ' ? '~' + 1 - '!' : c - '!';  // CharacterVocab
    const auto mask = copy->Allowed();
    if ((mask[static_cast<size_t>(id) / 32] >> (id % 32) & 1) == 0) return false;
    copy->Accept(id);
  }
  return true;
}

TEST(ToolConstraint, AllToolsOfARequestShareTheLimitsOfOneGrammar) {
  const auto host = HostOf(kMarked);
  GenerationRequest request;
  request.conversation.emplace();
  for (int i = 0; i < 40; ++i) {
    request.tools.push_back(
        {.name = fmt::format("f{}", i), .parameters_json = LargeSchema(i), .strict = true});
  }
  const auto refused = Constrain(*host, request);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.status().code(), StatusCode::kUsage);
  EXPECT_THAT(refused.status().message(), HasSubstr("tools: "));
  EXPECT_THAT(refused.status().message(), HasSubstr("400000"));
  // One of them is possible, and so are many that say the same, or that promise nothing.
  for (size_t i = 1; i < request.tools.size(); ++i) {
    request.tools[i].parameters_json = request.tools.front().parameters_json;
    request.tools[i].strict = i % 2 == 0;
  }
  const auto made = Constrain(*host, request);
  EXPECT_TRUE(made.ok()) << made.status().message();
}

TEST(ToolConstraint, WhatIsRememberedHasALimitInBytes) {
  const auto vocab = tutti::testing::CharacterVocab();
  const auto size = static_cast<int32_t>(vocab.tokens.size());
  auto tokenizer = text::Tokenizer::Create(vocab);
  ASSERT_TRUE(tokenizer.ok());
  constexpr size_t kLimit = size_t{16} << 20;
  Constraints constraints(**tokenizer, size, kLimit);
  size_t all = 0;
  for (int i = 0; i < 12; ++i) {
    const OutputFormat format{.kind = OutputKind::kRegex,
                              .source = fmt::format("(ab|c){{{}}}", 45'000 - i)};
    const auto masks = constraints.MasksOf(format);
    ASSERT_TRUE(masks.ok()) << masks.status().message();
    all += (*masks)->size_bytes();
    EXPECT_LE(constraints.remembered_bytes(), kLimit);
    EXPECT_EQ(constraints.MasksOf(format).value(), *masks);
  }
  EXPECT_GT(all, kLimit);  // or this says nothing
}

TEST(ToolConstraint, ArgumentsAreObjects) {
  for (const char* family : {kGeneral, kMarked}) {
    const auto host = HostOf(family);
    for (const char* schema :
         {R"({"properties":{"a":{"type":"string"}},"required":["a"]})",
          R"({"type":["object","null"]})", R"({"type":"object","nullable":true})",
          R"({"required":["a"]})", ""}) {
      GenerationRequest request;
      request.conversation.emplace();
      request.tools = {{.name = "f", .parameters_json = schema, .strict = true}};
      for (const ToolChoice choice : {ToolChoice::kAuto, ToolChoice::kRequired}) {
        request.tool_choice = choice;
        const auto made = Constrain(*host, request);
        ASSERT_TRUE(made.ok()) << made.status().message();
        std::string text = BegunCall(host->answer_format().form, request);
        if (text.empty()) {
          text = family == kGeneral ? "<tool_call>"
                                    : "<|tool_calls_section_begin|><|tool_call_begin|>functions.f:0"
                                      "<|tool_call_argument_begin|>";
        } else {
          text.clear();
        }
        if (family == kGeneral) text += R"({"name":"f","arguments":)";
        const auto may = [&](std::string_view more) {
          return MayWrite(**made, text + std::string(more));
        };
        EXPECT_TRUE(may("{")) << family << schema;
        EXPECT_FALSE(may("1")) << family << schema;
        EXPECT_FALSE(may("null")) << family << schema;
      }
    }
    GenerationRequest request;
    request.conversation.emplace();
    request.tools = {{.name = "f", .parameters_json = R"({"type":"string"})", .strict = true}};
    const auto refused = Constrain(*host, request);
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.status().code(), StatusCode::kUsage);
    EXPECT_THAT(refused.status().message(), HasSubstr("must be an object"));
    request.tools.front().parameters_json = R"({"enum":["a"]})";
    EXPECT_FALSE(Constrain(*host, request).ok());
    // Nothing is promised of it.
    request.tools.front().strict = false;
    EXPECT_TRUE(Constrain(*host, request).ok());
  }
}

// With an output format too: a call in the family's form, or a text that obeys it.
TEST(ToolConstraint, ACallOrATextOfTheFormat) {
  for (const char* family : {kGeneral, kMarked}) {
    const auto host = HostOf(family);
    GenerationRequest request;
    request.conversation.emplace();
    request.tools = {{.name = "f", .parameters_json = R"({"type":"object"})"}};
    request.format = {.kind = OutputKind::kJsonSchema,
                      .source = R"({"type":"object","properties":{"a":{"enum":[1,2]}},)"
                                R"("required":["a"],"additionalProperties":false})"};
    const auto made = Constrain(*host, request);
    ASSERT_TRUE(made.ok()) << made.status().message();
    ASSERT_NE(*made, nullptr);
    EXPECT_TRUE(MayWrite(**made, R"({"a":1})")) << family;
    EXPECT_FALSE(MayWrite(**made, R"({"a":3})")) << family;
    EXPECT_FALSE(MayWrite(**made, "Hello")) << family;
    EXPECT_FALSE(MayWrite(**made, "<b")) << family;
    if (family == kGeneral) {
      EXPECT_TRUE(MayWrite(**made, R"(<tool_call>{"name":"f","arguments":{"b":3}}</tool_call>)"));
      EXPECT_FALSE(MayWrite(**made, R"(<tool_call>{"name":"g")"));
      EXPECT_FALSE(MayWrite(**made, R"(<tool{)"));
    } else {
      EXPECT_TRUE(MayWrite(**made,
                           "<|tool_calls_section_begin|><|tool_call_begin|>functions.f:0"
                           R"(<|tool_call_argument_begin|>{"b":3})"));
    }
    // A copy goes on where it was.
    const auto text = (*made)->Clone();
    text->Accept('{' - '!');
    EXPECT_FALSE(MayWrite(*text, "<"));
    EXPECT_TRUE(MayWrite(*text, R"("a":2)"));
    const auto call = (*made)->Clone();
    call->Accept('<' - '!');
    EXPECT_FALSE(MayWrite(*call, "{"));
    EXPECT_TRUE(MayWrite(*call, family == kGeneral ? "tool_call>" : "|tool_calls"));
    // Nothing is called: the format alone.
    request.tool_choice = ToolChoice::kNone;
    EXPECT_FALSE(MayWrite(**Constrain(*host, request), "<"));
  }
  // A family whose calls no grammar follows.
  const auto host = HostOf("{# <minimax:tool_call> #}");
  GenerationRequest request;
  request.conversation.emplace();
  request.tools = {{.name = "f"}};
  request.format = {.kind = OutputKind::kJson, .source = {}};
  request.format_field = "response_format";
  const auto refused = Constrain(*host, request);
  ASSERT_FALSE(refused.ok());
  EXPECT_THAT(refused.status().message(), HasSubstr("tools and response_format"));
}

// What is not called needs no grammar.
TEST(ToolConstraint, OfANamedToolOnlyItsOwn) {
  const auto host = HostOf(kMarked);
  GenerationRequest request;
  request.conversation.emplace();
  request.tools = {{.name = "f", .parameters_json = R"({"not":{}})", .strict = true},
                   {.name = "g", .parameters_json = {}, .strict = true}};
  EXPECT_FALSE(Constrain(*host, request).ok());
  request.tool_choice = ToolChoice::kNamed;
  request.tool_name = "g";
  const auto made = Constrain(*host, request);
  EXPECT_TRUE(made.ok()) << made.status().message();
}

// Only what the vocabulary cannot write leaves answers free, and only where nothing was promised.
TEST(ToolConstraint, OtherErrorsAreNotForgotten) {
  const auto host = HostOf(kGeneral);
  GenerationRequest request;
  request.conversation.emplace();
  for (int i = 0; i < 8000; ++i) request.tools.push_back({.name = fmt::format("tool_{:060}", i)});
  const auto refused = Constrain(*host, request);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.status().code(), StatusCode::kUsage);

  auto model = tutti::testing::MakeFakeModel(256, kGeneral);
  VocabSpec vocab = tutti::testing::CharacterVocab();
  vocab.tokens['{' - '!'] = "{{";
  vocab.chat_template = kGeneral;
  auto tokenizer = text::Tokenizer::Create(std::move(vocab));
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status().message();
  model.hosted.tokenizer = std::move(tokenizer).value();
  const auto other = ModelHost::Create("fake", std::move(model.hosted), {});
  ASSERT_TRUE(other.ok()) << other.status().message();
  request.tools.resize(1);
  const auto free = Constrain(**other, request);
  ASSERT_TRUE(free.ok()) << free.status().message();
  EXPECT_EQ(*free, nullptr);
  request.tools.front().strict = true;
  EXPECT_FALSE(Constrain(**other, request).ok());
}

}  // namespace
}  // namespace tutti::server
