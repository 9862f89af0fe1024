#include "tutti/format/gguf_vocab.h"

#include <gtest/gtest.h>

#include "tests/gguf_example.h"
#include "tutti/format/gguf_reader.h"

namespace tutti::format {
namespace {

// The vocabulary that a reader of `writer`'s file gets.
VocabSpec ReadBack(const GgufWriter& writer) {
  const Result<std::string> bytes = writer.ToBytes();
  const std::string aligned = *bytes;
  const Result<Checkpoint> checkpoint = OpenGgufBytes(
      {reinterpret_cast<const std::byte*>(aligned.data()), aligned.size()}, "vocabulary");
  EXPECT_TRUE(checkpoint.ok()) << checkpoint.status().message();
  EXPECT_TRUE(checkpoint.ok() && checkpoint->vocab != nullptr);
  return checkpoint.ok() && checkpoint->vocab != nullptr ? *checkpoint->vocab : VocabSpec();
}

void ExpectEqual(const VocabSpec& a, const VocabSpec& b) {
  EXPECT_EQ(a.algorithm, b.algorithm);
  EXPECT_EQ(a.pretokenizer, b.pretokenizer);
  EXPECT_EQ(a.tokens, b.tokens);
  EXPECT_EQ(a.kinds, b.kinds);
  EXPECT_EQ(a.scores, b.scores);
  EXPECT_EQ(a.merges, b.merges);
  EXPECT_EQ(a.merge_by_token_rank, b.merge_by_token_rank);
  EXPECT_EQ(a.ignore_merges, b.ignore_merges);
  EXPECT_EQ(a.add_space_prefix, b.add_space_prefix);
  EXPECT_EQ(a.remove_extra_whitespace, b.remove_extra_whitespace);
  EXPECT_EQ(a.bos, b.bos);
  EXPECT_EQ(a.eos, b.eos);
  EXPECT_EQ(a.unknown, b.unknown);
  EXPECT_EQ(a.padding, b.padding);
  EXPECT_EQ(a.add_bos, b.add_bos);
  EXPECT_EQ(a.add_eos, b.add_eos);
  EXPECT_EQ(a.end_of_generation, b.end_of_generation);
  EXPECT_EQ(a.chat_template, b.chat_template);
}

TEST(GgufVocabTest, WrittenVocabulariesAreReadBack) {
  VocabSpec vocab = testing::ExampleVocab();
  for (const TokenizerAlgorithm algorithm :
       {TokenizerAlgorithm::kByteBpe, TokenizerAlgorithm::kSentencePiece,
        TokenizerAlgorithm::kUnigram}) {
    for (const bool flag : {false, true}) {
      vocab.algorithm = algorithm;
      vocab.add_bos = vocab.add_space_prefix = flag;
      vocab.add_eos = vocab.remove_extra_whitespace = !flag;
      vocab.scores =
          flag ? std::vector<float>{0, -1, -2, -3, -4, -5, -6, -7} : std::vector<float>();
      vocab.unknown = flag ? 3 : kNoToken;
      GgufWriter writer;
      ASSERT_TRUE(SetGgufVocab(vocab, writer).ok());
      ExpectEqual(ReadBack(writer), vocab);
    }
  }
}

TEST(GgufVocabTest, EveryKindOfTokenIsKept) {
  VocabSpec vocab;
  vocab.tokens = {"n", "u", "c", "d", "x", "b"};
  vocab.kinds = {TokenKind::kNormal,      TokenKind::kUnknown, TokenKind::kControl,
                 TokenKind::kUserDefined, TokenKind::kUnused,  TokenKind::kByte};
  GgufWriter writer;
  ASSERT_TRUE(SetGgufVocab(vocab, writer).ok());
  ExpectEqual(ReadBack(writer), vocab);
}

TEST(GgufVocabTest, MergesSplitAtTheFirstSpaceThatLeavesBothHalvesSomething) {
  GgufWriter writer;
  ASSERT_TRUE(SetGgufVocab(testing::ExampleVocab(), writer).ok());
  writer.Set("tokenizer.ggml.merges",
             std::vector<std::string>{"a b", "  b", "a  ", "   ", "ab c d"});
  using Merges = std::vector<std::pair<std::string, std::string>>;
  EXPECT_EQ(ReadBack(writer).merges,
            (Merges{{"a", "b"}, {" ", "b"}, {"a", " "}, {" ", " "}, {"ab", "c d"}}));
}

TEST(GgufVocabTest, AbsentKeysMeanWhatConvertersLeaveOut) {
  const auto read = [](const char* model, const char* pre) {
    GgufWriter writer;
    writer.Set("tokenizer.ggml.model", std::string(model));
    if (*pre != '\0') writer.Set("tokenizer.ggml.pre", std::string(pre));
    writer.Set("tokenizer.ggml.tokens", std::vector<std::string>{"a", "b"});
    writer.Set("tokenizer.ggml.padding_token_id", ~uint32_t{0});  // "none" in some files
    return ReadBack(writer);
  };
  const VocabSpec llama = read("llama", "default");
  EXPECT_EQ(llama.algorithm, TokenizerAlgorithm::kSentencePiece);
  EXPECT_TRUE(llama.add_bos && llama.add_space_prefix && !llama.add_eos && !llama.ignore_merges);
  EXPECT_EQ(llama.kinds, (std::vector{TokenKind::kNormal, TokenKind::kNormal}));
  EXPECT_EQ(llama.padding, kNoToken);
  EXPECT_EQ(llama.bos, kNoToken);
  const VocabSpec gpt2 = read("gpt2", "");
  EXPECT_EQ(gpt2.pretokenizer, "");
  EXPECT_TRUE(!gpt2.add_bos && !gpt2.add_space_prefix && !gpt2.add_eos && !gpt2.ignore_merges);
  const VocabSpec llama3 = read("gpt2", "llama-bpe");
  EXPECT_EQ(llama3.pretokenizer, "llama-bpe");
  EXPECT_TRUE(llama3.add_bos && llama3.ignore_merges);
  const VocabSpec minicpm5 = read("gpt2", "minicpm5");
  EXPECT_TRUE(!minicpm5.add_bos && minicpm5.ignore_merges);
  const VocabSpec t5 = read("t5", "");
  EXPECT_EQ(t5.algorithm, TokenizerAlgorithm::kUnigram);
  EXPECT_TRUE(t5.add_eos && t5.add_space_prefix && t5.remove_extra_whitespace && !t5.add_bos);
}

TEST(GgufVocabTest, UnknownKindsOfVocabularyGiveNone) {
  GgufWriter writer;
  writer.Set("tokenizer.ggml.model", std::string("bert"));
  writer.Set("tokenizer.ggml.tokens", std::vector<std::string>{"a"});
  const std::string bytes = *writer.ToBytes();
  const Result<Checkpoint> checkpoint =
      OpenGgufBytes({reinterpret_cast<const std::byte*>(bytes.data()), bytes.size()}, "bert");
  ASSERT_TRUE(checkpoint.ok());
  EXPECT_EQ(checkpoint->vocab, nullptr);
  EXPECT_TRUE(checkpoint->metadata.Has("tokenizer.ggml.model"));
  EXPECT_FALSE(checkpoint->metadata.Has("tokenizer.ggml.tokens"));
}

TEST(GgufVocabTest, EndsOfTurnsAreFoundByIdAndByName) {
  VocabSpec vocab;
  vocab.tokens = {"<|end|>", "<|return|>", "<|call|>", "<|eot_id|>", "stop", "halt", "<|im_end|>"};
  vocab.kinds.assign(vocab.tokens.size(), TokenKind::kControl);
  vocab.kinds[3] = TokenKind::kNormal;  // ordinary text that looks like an end
  vocab.eos = 1;
  vocab.end_of_generation = {1, 4, 5, 2, 6};
  GgufWriter writer;
  ASSERT_TRUE(SetGgufVocab(vocab, writer).ok());
  // gpt-oss: "<|end|>" ends a message, not the answer.
  EXPECT_EQ(ReadBack(writer).end_of_generation, (TokenIds{1, 4, 5, 2, 6}));
  vocab.tokens[1] = "<eos>";
  GgufWriter phi;
  ASSERT_TRUE(SetGgufVocab(vocab, phi).ok());
  EXPECT_EQ(ReadBack(phi).end_of_generation, (TokenIds{1, 4, 5, 2, 6, 0}));
}

TEST(GgufVocabTest, WhatGgufCannotSayIsRefused) {
  GgufWriter writer;
  VocabSpec tiktoken = testing::ExampleVocab();
  tiktoken.merge_by_token_rank = true;
  tiktoken.merges.clear();
  EXPECT_EQ(SetGgufVocab(tiktoken, writer).code(), StatusCode::kUnsupported);
  VocabSpec ends = testing::ExampleVocab();
  ends.end_of_generation = {0, 1, 2, 3};
  EXPECT_EQ(SetGgufVocab(ends, writer).code(), StatusCode::kUnsupported);
  VocabSpec spaces = testing::ExampleVocab();
  spaces.merges = {{"a b", "c"}};
  EXPECT_EQ(SetGgufVocab(spaces, writer).code(), StatusCode::kUnsupported);
}

}  // namespace
}  // namespace tutti::format
