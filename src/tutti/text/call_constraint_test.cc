// Answers of random tokens that call tools: whatever is free, each call obeys.
#include "tutti/text/call_constraint.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "tutti/base/json.h"
#include "tutti/base/rng.h"
#include "tutti/text/grammar_testing.h"

namespace tutti::text {
namespace {

using testing::IsSet;
using testing::ToyTokenizer;
using testing::VocabularyOf;

constexpr std::string_view kArguments =
    R"({"type":"object","properties":{"n":{"enum":[1,22]},"s":{"type":"string","maxLength":4}},)"
    R"("required":["n","s"],"additionalProperties":false})";

struct Family {
  std::string_view source;  // of its template
  std::string open;         // what the model writes of itself before the arguments
  std::string close;
};

const std::vector<Family>& Families() {
  static const std::vector<Family> families = {
      {"<tool_call><think>", "<tool_call>", "</tool_call>"},
      {"<｜tool▁calls▁begin｜>", "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>f<｜tool▁sep｜>",
       "<｜tool▁call▁end｜><｜tool▁calls▁end｜>"},
      {"<｜tool▁calls▁begin｜>```json",
       "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>f\n```json\n",
       "\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>"},
      {"<|tool_calls_section_begin|>",
       "<|tool_calls_section_begin|><|tool_call_begin|>functions.f:0<|tool_call_argument_begin|>",
       "<|tool_call_end|><|tool_calls_section_end|>"},
      {"[TOOL_CALLS][ARGS]", "[TOOL_CALLS]f[ARGS]", ""},
      {"<function=example_function_name>", "<function=f>", "</function>"},
      {"<|channel|><|message|>", "<|channel|>commentary to=functions.f<|message|>", "<|call|>"}};
  return families;
}

class CallConstraintTest : public ::testing::Test {
 protected:
  CallConstraintTest()
      : tokenizer_(ToyTokenizer({"]{\"", "<tool_call>", "</tool_call>", "{\"", "\": ", "\"}", "}}",
                                 "true", "name", "{\"name\": \"", "ab", "22", "\", \""})),
        vocabulary_(VocabularyOf(*tokenizer_)) {
    const std::vector<ToolSchema> tools = {{"f", std::string(kArguments)}};
    masks_["f"] = MasksOf(kArguments);
    masks_[""] = MasksOf(CallSchema(tools, "").value());
  }

  std::shared_ptr<GrammarMasks> MasksOf(std::string_view schema) const {
    auto grammar = CompileJsonSchema(schema, true);
    EXPECT_TRUE(grammar.ok()) << grammar.status().message();
    auto masks = GrammarMasks::Create(std::move(grammar).value(), vocabulary_);
    EXPECT_TRUE(masks.ok()) << masks.status().message();
    return std::move(masks).value();
  }

  std::unique_ptr<TokenConstraint> Make(std::string_view source, std::string begun = {},
                                        AnswerPartsOptions options = {
                                            .tools = {{"f", std::string(kArguments)}}}) {
    CallConstraintParts parts;
    parts.tokenizer = tokenizer_.get();
    parts.vocab_size = Size();
    parts.is_text = [end = Size() - 1](TokenId id) { return id != end; };
    parts.format = AnswerFormatOf(source);
    parts.options = std::move(options);
    parts.begun = std::move(begun);
    parts.masks = masks_;
    return ConstrainCalls(std::move(parts))->Clone();
  }

  int32_t Size() const { return static_cast<int32_t>(tokenizer_->spec().tokens.size()); }
  bool IsFree(TokenConstraint& constraint) const {
    const auto mask = constraint.Allowed();
    return IsSet(mask, Size() - 1) && IsSet(mask, 'x') && IsSet(mask, '}');
  }
  void Write(TokenConstraint& constraint, std::string_view text) const {
    for (const char c : text) constraint.Accept(static_cast<uint8_t>(c));
  }
  // Random tokens until the call has ended; their text.
  std::string Walk(TokenConstraint& constraint, Rng& rng) const {
    std::string text;
    while (!IsFree(constraint)) {
      std::vector<TokenId> possible;
      const auto mask = constraint.Allowed();
      for (TokenId id = 0; id < Size(); ++id) {
        if (IsSet(mask, id)) possible.push_back(id);
      }
      if (possible.empty() || text.size() > 1000) {
        ADD_FAILURE() << "no way on from " << text;
        break;
      }
      const TokenId id = possible[rng.NextU64() % possible.size()];
      text += tokenizer_->TokenBytes(id);
      constraint.Accept(id);
    }
    return text;
  }

  std::unique_ptr<Tokenizer> tokenizer_;
  std::shared_ptr<const GrammarVocabulary> vocabulary_;  // shared with masks
  std::map<std::string, std::shared_ptr<GrammarMasks>> masks_;
};

// The arguments of the calls that a text makes.
std::vector<std::string> ArgumentsOf(std::string_view source, std::string_view text) {
  AnswerPartsOptions options;
  options.tools = {{"f", ""}};
  const auto parts = MakeAnswerParts(AnswerFormatOf(source), options);
  std::vector<std::string> calls;
  for (const auto& list : {parts->Push(text), parts->Finish()}) {
    for (const AnswerPart& part : list) {
      if (part.kind == PartKind::kToolCall) calls.emplace_back();
      if (part.kind == PartKind::kArguments) calls.back() += part.text;
    }
  }
  return calls;
}

TEST_F(CallConstraintTest, CallsObeyFromTheirMarkToTheirEnd) {
  auto schema = CompileJsonSchema(kArguments);
  ASSERT_TRUE(schema.ok());
  testing::Matcher matcher(**schema);
  Rng rng(7);
  for (const Family& family : Families()) {
    for (int round = 0; round < 20; ++round) {
      const auto constraint = Make(family.source);
      std::string text = "Let me see: {";
      if (family.source.starts_with("<|channel|>")) text.clear();
      EXPECT_TRUE(IsFree(*constraint));
      text += family.open;
      Write(*constraint, text.substr(0, text.size() - 1));
      EXPECT_TRUE(IsFree(*constraint)) << text;
      Write(*constraint, text.substr(text.size() - 1));
      ASSERT_FALSE(IsFree(*constraint)) << text;
      text += Walk(*constraint, rng);
      // Free again, and bound by the next call.
      text += family.close;
      Write(*constraint, family.close);
      EXPECT_TRUE(IsFree(*constraint)) << text;
      text += family.open;
      Write(*constraint, family.open);
      ASSERT_FALSE(IsFree(*constraint)) << text;
      text += Walk(*constraint, rng) + family.close;
      const std::vector<std::string> calls = ArgumentsOf(family.source, text);
      ASSERT_EQ(calls.size(), 2u) << text;
      for (const std::string& arguments : calls) {
        EXPECT_TRUE(matcher.Matches(arguments)) << arguments << " in " << text;
      }
    }
  }
}

TEST_F(CallConstraintTest, WhatIsNoCallIsFree) {
  for (const std::string_view text : {"<think>a <tool_call>", "plain { \"name\": 3", "<tool_cal",
                                      "</tool_call>{", "<tool_call>oops"}) {
    const auto constraint = Make("<tool_call><think>");
    for (const char c : text) {
      const auto mask = constraint->Allowed();
      if (!IsSet(mask, static_cast<uint8_t>(c))) {
        EXPECT_EQ(text, "<tool_call>oops");
        return;
      }
      constraint->Accept(static_cast<uint8_t>(c));
    }
    EXPECT_TRUE(IsFree(*constraint)) << text;
  }
  ADD_FAILURE() << "a call that is none was possible";
}

TEST_F(CallConstraintTest, AnAnswerMayHaveBegun) {
  Rng rng(11);
  const auto constraint = Make("<tool_call><think>", "<tool_call>");
  ASSERT_FALSE(IsFree(*constraint));
  const std::string text = Walk(*constraint, rng);
  const std::vector<std::string> calls =
      ArgumentsOf("<tool_call><think>", "<tool_call>" + text + "</tool_call>");
  ASSERT_EQ(calls.size(), 1u);
  EXPECT_TRUE(ParseJson(calls[0]).ok()) << calls[0];
  // A copy in the middle of a call goes on like the original.
  const auto half = Make("<tool_call><think>");
  Write(*half, "<tool_call>{\"name\": \"");
  const auto copy = half->Clone();
  EXPECT_TRUE(IsSet(copy->Allowed(), 'f'));
  EXPECT_FALSE(IsSet(copy->Allowed(), 'g'));
}

// Each object between the marks is a call.
TEST_F(CallConstraintTest, ObjectsBehindTheFirstObeyToo) {
  Rng rng(13);
  for (const std::string_view between : {"{", "\n{", ",{", "]; [ {"}) {
    const auto constraint = Make("<tool_call><think>", "<tool_call>");
    std::string text = "<tool_call>" + Walk(*constraint, rng);
    for (const char c : between) {
      EXPECT_TRUE(IsFree(*constraint)) << text;
      Write(*constraint, std::string(1, c));
      text += c;
    }
    ASSERT_FALSE(IsFree(*constraint)) << text;
    text += Walk(*constraint, rng) + "</tool_call>";
    Write(*constraint, "</tool_call>");
    EXPECT_TRUE(IsFree(*constraint)) << text;
    EXPECT_EQ(ArgumentsOf("<tool_call><think>", text).size(), 2u) << text;
  }
}

// Time must not grow with the square of what is written where a call was to be: this would take
// minutes then.
TEST_F(CallConstraintTest, LongAnswersThatAreNoCalls) {
  const std::string words(400000, 'x');
  const std::string spaces(400000, ' ');
  for (const auto& [source, begun] : std::vector<std::pair<std::string_view, std::string>>{
           {"<|channel|><|message|>", "<|channel|>commentary to=functions.g<|message|>" + words},
           {"<|channel|><|message|>", "<|channel|>commentary to=functions.g<|message|>{" + spaces},
           {"[TOOL_CALLS][ARGS]", "[TOOL_CALLS][{\"name\": \"f\", \"x\": \"" + words},
           {"[TOOL_CALLS][ARGS]", "[TOOL_CALLS]g[ARGS]{\"" + words},
           {"[TOOL_CALLS][ARGS]", "[TOOL_CALLS]g[ARGS]{" + spaces},
           {"<tool_call><think>", "<tool_call>" + words}}) {
    AnswerPartsOptions options;
    options.tools = {{"f", ""}, {"g", ""}};
    EXPECT_TRUE(IsFree(*Make(source, begun, options))) << begun.substr(0, 100);
  }
}

// A token that is more than the mark is obeyed as far as it goes.
TEST_F(CallConstraintTest, TokensOverTheMark) {
  const auto constraint = Make("[TOOL_CALLS][ARGS]");
  Write(*constraint, "[TOOL_CALLS]f[ARGS");
  constraint->Accept(256);
  EXPECT_TRUE(IsSet(constraint->Allowed(), 'n'));
  EXPECT_FALSE(IsSet(constraint->Allowed(), 'x'));
}

}  // namespace
}  // namespace tutti::text
