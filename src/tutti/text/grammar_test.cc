// What grammars accept, text by text; masks against masks computed the slow way.
#include "tutti/text/grammar.h"

#include <gtest/gtest.h>

#include "tutti/base/rng.h"
#include "tutti/text/grammar_testing.h"

namespace tutti::text {
namespace {

using testing::IsSet;
using testing::Matcher;
using testing::ToyTokenizer;
using testing::VocabularyOf;

std::shared_ptr<const Grammar> Compiled(Result<std::shared_ptr<const Grammar>> grammar) {
  EXPECT_TRUE(grammar.ok()) << grammar.status().message();
  return grammar.ok() ? std::move(grammar).value() : nullptr;
}

const std::vector<std::string>& Texts() {
  static const std::vector<std::string> texts = {
      "{\"",      "\":",      "\": ",
      "\", \"",   "\"}",      "}}",
      "]}",       "[[",       "true",
      "fal",      "se",       "null",
      "nul",      "12",       "123",
      "1234567",  "-1",       "0.",
      "e+",       "abc",      " the",
      "name",     "        ", "\n  ",
      "\n\n",     "\xC3\xA9", "\xE4\xBD\xA0\xE5\xA5\xBD",
      "\xE4\xBD", "\xA0\xE5", "\\n",
      "\\u00",    "a\"",      "averyverylongtokenofmanycharacters",
      "\",",      "},",       "{}",
      "[]",       "x\ty"};
  return texts;
}

TEST(GrammarTest, JsonValues) {
  const auto grammar = Compiled(CompileJson(JsonRoot::kAny));
  Matcher matcher(*grammar);
  for (const char* text :
       {"{}", "[]", "{ }", "[\n  1,\n  2\n]", "{\"a\": 1, \"b\":[true,false,null]}", "\"\"", "0",
        "-12.5e+10", "\"\\u00e9\\ud83d\\ude00\\n\"", "\"\xF0\x9F\x98\x80\"", "[[[[]]]]",
        "{\"a\":{\"b\":{}}}"}) {
    EXPECT_TRUE(matcher.Matches(text)) << text;
  }
  for (const char* text : {"",
                           "{",
                           "{a:1}",
                           "[1,]",
                           "{\"a\":1,}",
                           "01",
                           "1.",
                           ".5",
                           "+1",
                           "1e",
                           "1e100",
                           "\"\t\"",
                           "\"\\x\"",
                           "\"\\ud83d\"",
                           "\"\\ude00\"",
                           "\"\xC3\"",
                           "\"\xED\xA0\x80\"",
                           "\"\xC0\x80\"",
                           "nul",
                           "tru e",
                           "[1 2]",
                           "{} ",
                           " {}",
                           "[]]",
                           "\"\xF4\x90\x80\x80\"",
                           "{\"a\" 1}"}) {
    EXPECT_FALSE(matcher.Matches(text)) << text;
  }
}

TEST(GrammarTest, JsonObjectOnly) {
  const auto grammar = Compiled(CompileJson(JsonRoot::kObject));
  Matcher matcher(*grammar);
  EXPECT_TRUE(matcher.Matches("{\"a\":[1]}"));
  EXPECT_FALSE(matcher.Begins("["));
  EXPECT_FALSE(matcher.Begins("1"));
}

TEST(GrammarTest, DeepNestingTakesLinearMemory) {
  const auto grammar = Compiled(CompileJson(JsonRoot::kAny));
  Matcher matcher(*grammar);
  const std::string open(20000, '[');
  EXPECT_TRUE(matcher.Begins(open));
  EXPECT_TRUE(matcher.Matches(open + std::string(20000, ']')));
  EXPECT_FALSE(matcher.Begins(open + std::string(20001, ']')));
}

// Walks at random through masks, each of which must be the one computed slowly.
void ExpectMasks(const std::shared_ptr<const Grammar>& grammar, uint64_t seed, int walks,
                 int tokens) {
  const auto tokenizer = ToyTokenizer(Texts());
  const auto vocabulary = VocabularyOf(*tokenizer);
  const auto masks = GrammarMasks::Create(grammar, vocabulary);
  ASSERT_TRUE(masks.ok()) << masks.status().message();
  Matcher matcher(*grammar);
  Rng rng(seed);
  for (int walk = 0; walk < walks; ++walk) {
    const auto constraint = Constrain(*masks);
    std::string text;
    for (int i = 0; i < tokens && !constraint->Ended(); ++i) {
      const std::span<const uint32_t> allowed = constraint->Allowed();
      ASSERT_EQ(std::vector<uint32_t>(allowed.begin(), allowed.end()),
                matcher.SlowMask(*vocabulary, text))
          << text;
      TokenIds possible;
      for (TokenId id = 0; id < vocabulary->vocab_size(); ++id) {
        if (IsSet(allowed, id)) possible.push_back(id);
      }
      ASSERT_FALSE(possible.empty()) << text;
      const TokenId id = possible[rng.NextU64() % possible.size()];
      constraint->Accept(id);
      text += vocabulary->Bytes(id);
    }
    if (constraint->Ended()) {
      EXPECT_TRUE(matcher.Matches(text)) << text;
    } else {
      EXPECT_TRUE(matcher.Begins(text)) << text;
    }
  }
}

TEST(GrammarTest, MasksAreThoseOfEachTokenAlone) {
  ExpectMasks(Compiled(CompileJson(JsonRoot::kAny)), 1, 300, 60);
  ExpectMasks(Compiled(CompileJson(JsonRoot::kObject)), 2, 200, 60);
}

TEST(GrammarTest, CopiesGoTheirOwnWay) {
  const auto tokenizer = ToyTokenizer(Texts());
  const auto vocabulary = VocabularyOf(*tokenizer);
  const auto masks = GrammarMasks::Create(Compiled(CompileJson(JsonRoot::kAny)), vocabulary);
  ASSERT_TRUE(masks.ok());
  const auto one = Constrain(*masks);
  one->Accept('[');
  const auto other = one->Clone();
  one->Accept(']');
  EXPECT_TRUE(one->Ended());
  EXPECT_FALSE(other->Ended());
  other->Accept('1');
  EXPECT_TRUE(IsSet(other->Allowed(), ','));
  EXPECT_FALSE(IsSet(other->Allowed(), 256 + static_cast<TokenId>(Texts().size())));
}

TEST(GrammarTest, EndsWhereTheTextMayEnd) {
  const auto tokenizer = ToyTokenizer();
  const auto vocabulary = VocabularyOf(*tokenizer);
  const auto masks = GrammarMasks::Create(Compiled(CompileJson(JsonRoot::kAny)), vocabulary);
  ASSERT_TRUE(masks.ok());
  const auto constraint = Constrain(*masks);
  EXPECT_FALSE(IsSet(constraint->Allowed(), 256));
  constraint->Accept('7');
  EXPECT_FALSE(constraint->Ended());
  EXPECT_TRUE(IsSet(constraint->Allowed(), 256));
  constraint->Accept(256);
  EXPECT_TRUE(constraint->Ended());
}

TEST(GrammarTest, ForgetsBeyondItsMemoryAndGoesOn) {
  const auto tokenizer = ToyTokenizer();
  const auto vocabulary = VocabularyOf(*tokenizer);
  const auto masks = GrammarMasks::Create(Compiled(CompileJson(JsonRoot::kAny)), vocabulary);
  ASSERT_TRUE(masks.ok());
  const auto deep = Constrain(*masks);
  const auto early = deep->Clone();
  early->Accept('[');
  size_t most = 0;
  for (int i = 0; i < 60000; ++i) {
    ASSERT_TRUE(IsSet(deep->Allowed(), '['));
    deep->Accept('[');
    most = std::max(most, (*masks)->size_bytes());
  }
  EXPECT_LT((*masks)->size_bytes(), most);
  for (int i = 0; i < 60000; ++i) {
    ASSERT_FALSE(deep->Ended());
    ASSERT_TRUE(IsSet(deep->Allowed(), ']'));
    deep->Accept(']');
  }
  EXPECT_TRUE(deep->Ended());
  early->Accept(']');
  EXPECT_TRUE(early->Ended());
}

TEST(GrammarTest, AVocabularyWithoutItsBytesIsRefused) {
  VocabSpec spec;
  spec.pretokenizer = "gpt-2";
  for (const char* token : {"a", "b", "<end>"}) {
    spec.tokens.emplace_back(token);
    spec.kinds.push_back(TokenKind::kNormal);
  }
  const auto tokenizer = Tokenizer::Create(spec);
  ASSERT_TRUE(tokenizer.ok());
  const auto vocabulary = VocabularyOf(**tokenizer);
  const auto masks = GrammarMasks::Create(Compiled(CompileJson(JsonRoot::kAny)), vocabulary);
  ASSERT_FALSE(masks.ok());
  EXPECT_EQ(masks.status().code(), StatusCode::kUnsupported);
}

}  // namespace
}  // namespace tutti::text
