// The vocabularies of GGUF files, against what llama.cpp recorded for them and against the
// tokenizer.json of the same model.
#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>
#include <sstream>

#include "tests/shared_fixtures.h"
#include "tutti/format/checkpoint.h"
#include "tutti/text/tokenizer.h"
#include "tutti/text/tokenizer_files.h"

namespace tutti::text {
namespace {

namespace fs = std::filesystem;

std::string ReadAll(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  EXPECT_TRUE(in.good()) << path;
  return {std::istreambuf_iterator<char>(in), {}};
}

std::unique_ptr<Tokenizer> MakeTokenizer(Result<VocabSpec> spec) {
  EXPECT_TRUE(spec.ok()) << spec.status().message();
  if (!spec.ok()) return nullptr;
  auto tokenizer = Tokenizer::Create(std::move(*spec));
  EXPECT_TRUE(tokenizer.ok()) << tokenizer.status().message();
  return tokenizer.ok() ? std::move(*tokenizer) : nullptr;
}

std::unique_ptr<Tokenizer> FromGguf(const fs::path& path) {
  auto checkpoint = format::OpenCheckpoint(path);
  EXPECT_TRUE(checkpoint.ok()) << checkpoint.status().message();
  if (!checkpoint.ok()) return nullptr;
  EXPECT_NE(checkpoint->vocab, nullptr);
  return MakeTokenizer(*checkpoint->vocab);
}

// NAME.inp has texts between lines "__ggml_vocab_test__", NAME.out their ids, a line each.
void ExpectLlamaCppCases(const Tokenizer& tokenizer, const fs::path& base) {
  const std::string separator = "\n__ggml_vocab_test__\n";
  const std::string texts = ReadAll(base.string() + ".inp");
  std::istringstream answers(ReadAll(base.string() + ".out"));
  int cases = 0;
  for (size_t pos = 0, end; (end = texts.find(separator, pos)) != std::string::npos;
       pos = end + separator.size()) {
    const std::string text = texts.substr(pos, end - pos);
    std::string line;
    ASSERT_TRUE(std::getline(answers, line));
    std::istringstream numbers(line);
    const TokenIds want{std::istream_iterator<TokenId>(numbers), {}};
    EXPECT_EQ(tokenizer.Encode(text, {false, false}), want) << base << ": \"" << text << '"';
    ++cases;
  }
  EXPECT_GT(cases, 40);
  std::printf("%5d cases: %s\n", cases, base.filename().c_str());
}

class GgmlVocabTest : public ::testing::TestWithParam<const char*> {};

TEST_P(GgmlVocabTest, EveryCase) {
  const std::string name = std::string("tokenizers/ggml-vocab/ggml-vocab-") + GetParam() + ".gguf";
  TUTTI_NEEDS_SHARED(name);
  const auto tokenizer = FromGguf(testing::SharedFixture(name));
  ASSERT_NE(tokenizer, nullptr);
  ExpectLlamaCppCases(*tokenizer, testing::SharedFixture(name));
}

INSTANTIATE_TEST_SUITE_P(LlamaCpp, GgmlVocabTest,
                         ::testing::Values("deepseek-coder", "deepseek-llm", "falcon", "gpt-2",
                                           "llama-spm", "phi-3", "starcoder"));

// The vocabularies that llama.cpp's cases need but that are not there as GGUF come from other
// files.
TEST(GgmlVocabTest, Llama3FromItsRankFile) {
  TUTTI_NEEDS_SHARED("tokenizers/llama3");
  const auto tokenizer = MakeTokenizer(
      ReadVocab(testing::SharedFixture("tokenizers/llama3/meta-llama-3-8B.tiktoken")));
  ASSERT_NE(tokenizer, nullptr);
  ExpectLlamaCppCases(*tokenizer,
                      testing::SharedFixture("tokenizers/ggml-vocab/ggml-vocab-llama-bpe.gguf"));
}

TEST(GgmlVocabTest, Qwen2FromItsVocabJson) {
  TUTTI_NEEDS_SHARED("tokenizers/qwen2.5_qwen3");
  const auto tokenizer =
      MakeTokenizer(ReadVocab(testing::SharedFixture("tokenizers/qwen2.5_qwen3/vocab.json")));
  ASSERT_NE(tokenizer, nullptr);
  ExpectLlamaCppCases(*tokenizer,
                      testing::SharedFixture("tokenizers/ggml-vocab/ggml-vocab-qwen2.gguf"));
}

// A file without tokenizer.ggml.pre.
TEST(GgmlVocabTest, GptNeoXIsADefault) {
  const std::string name = "tokenizers/ggml-vocab/ggml-vocab-gpt-neox.gguf";
  TUTTI_NEEDS_SHARED(name);
  const auto tokenizer = FromGguf(testing::SharedFixture(name));
  ASSERT_NE(tokenizer, nullptr);
  EXPECT_EQ(tokenizer->Decode(tokenizer->Encode("Hello world, 12345!", {}), true),
            "Hello world, 12345!");
}

// The same model as GGUF and as folder.
TEST(GgufTokenizerTest, AgreesWithTheFolder) {
  TUTTI_NEEDS_SHARED("gguf/llama2.gguf");
  const auto gguf = FromGguf(testing::SharedFixture("gguf/llama2.gguf"));
  const auto folder = MakeTokenizer(ReadVocab(testing::SharedFixture("golden/llama2")));
  ASSERT_NE(gguf, nullptr);
  ASSERT_NE(folder, nullptr);
  EXPECT_EQ(gguf->spec().end_of_generation, folder->spec().end_of_generation);
  EXPECT_EQ(gguf->spec().chat_template, folder->spec().chat_template);
  for (const char* text : {"", "Hello, world! It's 12:34.", "<|im_start|>user\nhi<|im_end|>\n",
                           "  two  spaces\n\n\tand \xff bytes", "Tiếng Việt 中文 😀"}) {
    for (const bool parse : {false, true}) {
      const TokenIds ids = gguf->Encode(text, {true, parse});
      EXPECT_EQ(ids, folder->Encode(text, {true, parse})) << text;
      EXPECT_EQ(gguf->Decode(ids, true), folder->Decode(ids, true));
    }
  }
}

}  // namespace
}  // namespace tutti::text
