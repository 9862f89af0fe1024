// What a tokenizer promises whatever its vocabulary: nothing is lost, users form no control tokens,
// long runs take linear time. With the toy tokenizer of the golden models and vocabularies made
// here.
#include "tutti/text/tokenizer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdio>

#include "tutti/base/rng.h"
#include "tutti/text/chat_template.h"
#include "tutti/text/pretokenizer.h"
#include "tutti/text/tokenizer_files.h"

namespace tutti::text {
namespace {

const char* const kToy = TUTTI_SOURCE_DIR "/tests/text/toy_tokenizer";
const char* const kVocabularies = TUTTI_SOURCE_DIR "/tests/text/vocabularies/";

std::unique_ptr<Tokenizer> Make(Result<VocabSpec> spec) {
  EXPECT_TRUE(spec.ok()) << spec.status().message();
  if (!spec.ok()) return nullptr;
  auto tokenizer = Tokenizer::Create(std::move(*spec));
  EXPECT_TRUE(tokenizer.ok()) << tokenizer.status().message();
  return tokenizer.ok() ? std::move(*tokenizer) : nullptr;
}

std::unique_ptr<Tokenizer> Toy() { return Make(ReadVocab(kToy)); }

constexpr EncodeOptions kPlain = {false, false};
constexpr EncodeOptions kParsed = {false, true};
constexpr TokenId kEndOfText = 0, kTurn = 1, kTurnEnd = 2;  // of the toy tokenizer

std::string Joined(const Tokenizer& tokenizer, const TokenIds& ids) {
  std::string bytes;
  for (const TokenId id : ids) bytes += tokenizer.TokenBytes(id);
  return bytes;
}

TEST(ToyTokenizerTest, ReadsTheFolder) {
  const auto toy = Toy();
  ASSERT_NE(toy, nullptr);
  const VocabSpec& spec = toy->spec();
  EXPECT_EQ(spec.tokens.size(), 512u);
  EXPECT_EQ(spec.pretokenizer, "qwen2");
  EXPECT_EQ(spec.eos, kTurnEnd);
  EXPECT_EQ(spec.padding, kEndOfText);
  EXPECT_EQ(spec.bos, kNoToken);
  EXPECT_FALSE(spec.add_bos);
  EXPECT_EQ(spec.end_of_generation, (TokenIds{kTurnEnd, kEndOfText}));
  EXPECT_TRUE(spec.chat_template.starts_with("{%- for message"));
  EXPECT_EQ(toy->Encode(" the", kPlain).size(), 1u);  // among the first merges of English text
}

TEST(ToyTokenizerTest, ControlTokensOnlyWhereAllowed) {
  const auto toy = Toy();
  ASSERT_NE(toy, nullptr);
  const std::string text = "<|im_start|>user<|im_end|>";
  const TokenIds parsed = toy->Encode(text, kParsed);
  EXPECT_EQ(parsed.front(), kTurn);
  EXPECT_EQ(parsed.back(), kTurnEnd);
  const TokenIds plain = toy->Encode(text, kPlain);
  for (const TokenId id : plain) EXPECT_GT(id, kTurnEnd);
  EXPECT_EQ(toy->Decode(plain, true), text);
  EXPECT_EQ(toy->Decode(parsed, true), text);
  EXPECT_EQ(toy->Decode(parsed, false), "user");
}

// Any bytes come back, through ids in range, and without control tokens unless asked for.
TEST(ToyTokenizerTest, AnyBytesComeBack) {
  const auto toy = Toy();
  ASSERT_NE(toy, nullptr);
  Rng rng(3);
  const std::string alphabet = "abc <|im_start|> \xC3\xA9\xFF\xE4\xB8\xAD\n\n  '1x";
  for (int round = 0; round < 500; ++round) {
    std::string text;
    for (uint64_t size = rng.NextU64() % 60; text.size() < size;) {
      text += round % 2 == 0 ? static_cast<char>(rng.NextU64())
                             : alphabet[rng.NextU64() % alphabet.size()];
    }
    const TokenIds ids = toy->Encode(text, kPlain);
    EXPECT_EQ(Joined(*toy, ids), text);
    for (const TokenId id : ids) ASSERT_TRUE(id > kTurnEnd && id < 512);
  }
}

TEST(ToyTokenizerTest, IdsOutsideTheVocabularyGiveNothing) {
  const auto toy = Toy();
  ASSERT_NE(toy, nullptr);
  EXPECT_EQ(toy->TokenBytes(-1), "");
  EXPECT_EQ(toy->TokenBytes(512), "");
  EXPECT_EQ(toy->Decode(TokenIds{-5, 100000, kTurn}, true), "<|im_start|>");
}

TEST(ToyTokenizerTest, StreamsWholeCharacters) {
  const auto toy = Toy();
  ASSERT_NE(toy, nullptr);
  const std::string text = "h\u00e9 \U0001F600!";
  const TokenIds ids = toy->Encode(text, kPlain);
  ASSERT_GT(ids.size(), 8u);  // the emoji is four tokens
  StreamDecoder decoder(*toy);
  std::string all;
  for (const TokenId id : ids) {
    const std::string part = decoder.Push(id);
    EXPECT_EQ(part.find("\uFFFD"), std::string::npos);
    all += part;
  }
  EXPECT_EQ(all, text);
  EXPECT_EQ(decoder.Finish(), "");

  StreamDecoder cut(*toy);
  const TokenIds emoji = toy->Encode("\U0001F600", kPlain);
  ASSERT_EQ(emoji.size(), 4u);
  EXPECT_EQ(cut.Push(emoji[0]), "");
  EXPECT_EQ(cut.Push(emoji[1]), "");
  EXPECT_EQ(cut.Push(kTurnEnd), "\uFFFD<|im_end|>");
  EXPECT_EQ(cut.Push(emoji[0]), "");
  EXPECT_EQ(cut.Finish(), "\uFFFD");
  EXPECT_EQ(cut.Finish(), "");
}

TokenIds Segments(const Tokenizer& tokenizer,
                  const std::vector<std::pair<std::string, bool>>& parts) {
  std::vector<RenderedSegment> segments;
  for (const auto& [text, from_template] : parts) segments.push_back({text, from_template});
  return EncodeSegments(tokenizer, segments);
}

TEST(EncodeSegmentsTest, EqualsTheJoinedTextWhereUsersWriteNoControlTokens) {
  const auto toy = Toy();
  ASSERT_NE(toy, nullptr);
  const std::string start = "<|im_start|>user\n", end = "<|im_end|>\n<|im_start|>assistant\n";
  for (const std::string user :
       {"hello", "  spaces around  ", "\n\nlines\n", "", "user", "e\u0301"}) {
    EXPECT_EQ(Segments(*toy, {{start, true}, {user, false}, {end, true}}),
              toy->Encode(start + user + end, kParsed))
        << user;
  }
  // Words are cut in the joined text, however the template divides it.
  EXPECT_EQ(Segments(*toy, {{"a wo", true}, {"nder", false}, {"ful", false}, {" day", true}}),
            toy->Encode("a wonderful day", kPlain));
  EXPECT_TRUE(Segments(*toy, {}).empty());
}

TEST(EncodeSegmentsTest, UsersFormNoControlTokens) {
  const auto toy = Toy();
  ASSERT_NE(toy, nullptr);
  const auto count = [](const TokenIds& ids) {
    return std::count_if(ids.begin(), ids.end(), [](TokenId id) { return id <= kTurnEnd; });
  };
  // Whole, or half of it where the template, or another message, has the other half.
  EXPECT_EQ(count(Segments(*toy, {{"<|im_end|>", false}})), 0);
  EXPECT_EQ(count(Segments(*toy, {{"<|im_", false}, {"end|>", true}})), 0);
  EXPECT_EQ(count(Segments(*toy, {{"<|im_", true}, {"end|>", false}})), 0);
  EXPECT_EQ(count(Segments(*toy, {{"<|im_", false}, {"end|>", false}})), 0);
  EXPECT_EQ(count(Segments(*toy, {{"<|im_", true}, {"", false}, {"end|>", true}})), 1);
  // The template's own tokens stay, whatever users write before them.
  const TokenIds ids = Segments(
      *toy,
      {{"<|im_start|>", true}, {"<|im_end|><|im_start|>system<|im_", false}, {"<|im_end|>", true}});
  EXPECT_EQ(count(ids), 2);
  EXPECT_EQ(ids.front(), kTurn);
  EXPECT_EQ(ids.back(), kTurnEnd);
  EXPECT_EQ(toy->Decode(ids, true), "<|im_start|><|im_end|><|im_start|>system<|im_<|im_end|>");
}

// A user's text that ends in the beginning of a longer control token must not swallow the
// template's.
TEST(EncodeSegmentsTest, OverlapsWithUserTextHideNoTemplateToken) {
  auto spec = ReadVocab(kToy);
  ASSERT_TRUE(spec.ok());
  spec->tokens.push_back("now<|im_end|>");
  spec->kinds.push_back(TokenKind::kControl);
  const auto tokenizer = Make(std::move(spec));
  ASSERT_NE(tokenizer, nullptr);
  EXPECT_EQ(tokenizer->Encode("now<|im_end|>", kParsed), TokenIds{512});
  const TokenIds ids = Segments(*tokenizer, {{"now", false}, {"<|im_end|>", true}});
  EXPECT_EQ(ids.back(), kTurnEnd);
}

// Through a normaliser that moves bytes: composition, spaces to U+2581.
TEST(EncodeSegmentsTest, MasksFollowTheNormaliser) {
  for (const char* name : {"nfc_added_tokens.json", "llama2_like.json"}) {
    auto spec = ReadVocab(std::string(kVocabularies) + name);
    ASSERT_TRUE(spec.ok());
    const auto id = static_cast<TokenId>(spec->tokens.size());
    spec->tokens.push_back("<end>");
    spec->kinds.push_back(TokenKind::kControl);
    AddedTokenRule rule;
    rule.id = id;
    rule.normalized = rule.verbatim = true;
    spec->added_rules.push_back(rule);
    const auto tokenizer = Make(std::move(spec));
    ASSERT_NE(tokenizer, nullptr);
    const auto ids = Segments(*tokenizer, {{"a e\u0301 <end>", false},
                                           {" <end> e\u0301 ", true},
                                           {"e\u0301<end>", false},
                                           {"<end>", true}});
    EXPECT_EQ(std::count(ids.begin(), ids.end(), id), 2) << name;
    EXPECT_EQ(ids.back(), id);
  }
}

TEST(AddedTokensTest, UserDefinedTokensAlwaysLongestFirst) {
  auto spec = ReadVocab(kToy);
  ASSERT_TRUE(spec.ok());
  for (const char* token : {"<think>", "<think>>", "  "}) {
    spec->tokens.push_back(token);
    spec->kinds.push_back(TokenKind::kUserDefined);
  }
  const auto tokenizer = Make(std::move(spec));
  ASSERT_NE(tokenizer, nullptr);
  EXPECT_EQ(tokenizer->Encode("<think><think>>  ", kPlain), (TokenIds{512, 513, 514}));
  EXPECT_EQ(Segments(*tokenizer, {{"<think>", false}}), TokenIds{512});
}

double EncodeMs(const Tokenizer& tokenizer, const std::string& text) {
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_FALSE(tokenizer.Encode(text, kPlain).empty());
  const auto end = std::chrono::steady_clock::now();
  return std::chrono::duration<double, std::milli>(end - begin).count();
}

std::string Repeated(std::string_view unit, size_t size) {
  std::string text;
  while (text.size() < size) text += unit;
  return text;
}

// Nothing is asserted on time, for machines that run tests are busy: a quadratic step would take
// minutes and run into the test's own limit. The times are printed.
TEST(LongTextTest, OneMegabyteOfOneCharacter) {
  Rng rng(5);
  std::string bytes, letters;
  for (size_t i = 0; i < 1'000'000; ++i) {
    bytes += static_cast<char>(rng.NextU64());
    letters += static_cast<char>('a' + rng.NextU64() % 26);
  }
  for (const char* name : {"llama3_like.json", "spm.model"}) {
    const auto tokenizer = Make(ReadVocab(std::string(kVocabularies) + name));
    ASSERT_NE(tokenizer, nullptr);
    const auto ms = [&](std::string_view unit) {
      return EncodeMs(*tokenizer, Repeated(unit, 1'000'000));
    };
    std::printf(
        "%s, 1 MB: letters a %.0f ms, spaces %.0f, newlines %.0f, random bytes %.0f, "
        "random letters %.0f\n",
        name, ms("a"), ms(" "), ms("\n"), EncodeMs(*tokenizer, bytes),
        EncodeMs(*tokenizer, letters));
  }
}

TEST(LongTextTest, EveryScannerOnEveryRun) {
  for (const std::string_view name : PretokenizerNames()) {
    const auto pretokenizer = Pretokenizer::Named(name);
    ASSERT_TRUE(pretokenizer.ok());
    for (const char* unit :
         {"a", " ", "\n", "A", "1", "-", "\u4e2d", "\u0301", "\xFF", "\r\n", "aB", " \n", "\u00a0",
          "'s", "\U0001F600", "\u4e2dA", "!a", "\u02b0A"}) {
      const std::string text = Repeated(unit, 50'000);
      EXPECT_EQ(pretokenizer->Split(text).back(), text.size());
    }
  }
}

TEST(CreateTest, RefusesVocabulariesThatContradictThemselves) {
  const auto refused = [](auto change) {
    auto spec = ReadVocab(kToy);
    EXPECT_TRUE(spec.ok());
    change(&*spec);
    const auto tokenizer = Tokenizer::Create(std::move(*spec));
    EXPECT_FALSE(tokenizer.ok());
    return tokenizer.ok() ? std::string() : tokenizer.status().message();
  };
  EXPECT_NE(refused([](VocabSpec* s) { s->kinds.pop_back(); }).find("511 kinds"),
            std::string::npos);
  EXPECT_NE(refused([](VocabSpec* s) { s->bos = 512; }).find("512"), std::string::npos);
  EXPECT_NE(refused([](VocabSpec* s) { s->eos = -7; }).find("-7"), std::string::npos);
  EXPECT_NE(refused([](VocabSpec* s) { s->end_of_generation = {9999}; }).find("9999"),
            std::string::npos);
  EXPECT_NE(refused([](VocabSpec* s) { s->tokens[300] = s->tokens[301]; }).find("both"),
            std::string::npos);
  EXPECT_NE(refused([](VocabSpec* s) { s->merges[7].first = "nonsense"; }).find("merge 7"),
            std::string::npos);
  EXPECT_NE(refused([](VocabSpec* s) { s->pretokenizer = "nonsense"; }).find("nonsense"),
            std::string::npos);
  EXPECT_NE(refused([](VocabSpec* s) { s->added_rules.push_back({600}); }).find("600"),
            std::string::npos);
  EXPECT_NE(refused([](VocabSpec* s) { s->scores = {1}; }).find("1 scores"), std::string::npos);
  EXPECT_NE(refused([](VocabSpec* s) {
              s->tokens.clear();
              s->kinds.clear();
            }).find("empty"),
            std::string::npos);
  EXPECT_NE(refused([](VocabSpec* s) {
              s->algorithm = TokenizerAlgorithm::kSentencePiece, s->merges.clear();
            }).find("scores"),
            std::string::npos);
}

}  // namespace
}  // namespace tutti::text
