// GGUF files written by other tools: every one opens, and equal models read equal.
#include <cstring>

#include "tests/shared_fixtures.h"
#include "tutti/format/checkpoint.h"
#include "tutti/format/gguf_reader.h"

namespace tutti::format {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> GgufFilesBelow(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.path().extension() == ".gguf") files.push_back(entry.path());
  }
  return files;
}

void ExpectSameVocab(const VocabSpec& a, const VocabSpec& b) {
  EXPECT_EQ(a.algorithm, b.algorithm);
  EXPECT_EQ(a.pretokenizer, b.pretokenizer);
  EXPECT_EQ(a.tokens, b.tokens);
  EXPECT_EQ(a.kinds, b.kinds);
  EXPECT_EQ(a.merges, b.merges);
  EXPECT_EQ(a.end_of_generation, b.end_of_generation);
  EXPECT_EQ(a.chat_template, b.chat_template);
}

void ExpectSameModel(const Checkpoint& a, const Checkpoint& b) {
  EXPECT_EQ(a.metadata.values(), b.metadata.values());
  ASSERT_EQ(a.tensors.size(), b.tensors.size());
  for (const auto& [name, tensor] : a.tensors) {
    const tensor::TensorView* other = b.Find(name);
    ASSERT_NE(other, nullptr) << name;
    EXPECT_EQ(tensor.dtype, other->dtype) << name;
    EXPECT_EQ(tensor.shape, other->shape) << name;
    ASSERT_EQ(tensor.size_bytes, other->size_bytes) << name;
    EXPECT_EQ(std::memcmp(tensor.data, other->data, tensor.size_bytes), 0) << name;
  }
  ASSERT_TRUE(a.vocab && b.vocab);
  ExpectSameVocab(*a.vocab, *b.vocab);
}

Checkpoint Open(const fs::path& path) {
  Result<Checkpoint> checkpoint = OpenCheckpoint(path);
  EXPECT_TRUE(checkpoint.ok()) << checkpoint.status().message();
  return checkpoint.ok() ? std::move(*checkpoint) : Checkpoint();
}

TEST(GgufFixturesTest, EveryModelOpens) {
  TUTTI_NEEDS_SHARED("gguf");
  const auto files = GgufFilesBelow(testing::SharedFixture("gguf"));
  EXPECT_GE(files.size(), 50u);
  for (const fs::path& file : files) {
    SCOPED_TRACE(file.string());
    const Checkpoint model = Open(file);
    EXPECT_GE(model.tensors.size(), 21u);  // two dense layers
    EXPECT_TRUE(model.metadata.Has("general.architecture"));
    ASSERT_NE(model.vocab, nullptr);
    EXPECT_EQ(model.vocab->tokens.size(), 512u);
    EXPECT_FALSE(model.vocab->merges.empty());
    const tensor::TensorView* embedding = model.Find("token_embd.weight");
    ASSERT_NE(embedding, nullptr);
    EXPECT_EQ(embedding->shape[0], 512);
  }
}

TEST(GgufFixturesTest, EveryVocabularyOpens) {
  TUTTI_NEEDS_SHARED("tokenizers/ggml-vocab");
  const auto files = GgufFilesBelow(testing::SharedFixture("tokenizers/ggml-vocab"));
  EXPECT_EQ(files.size(), 8u);
  for (const fs::path& file : files) {
    SCOPED_TRACE(file.string());
    const Checkpoint model = Open(file);
    EXPECT_TRUE(model.tensors.empty());
    ASSERT_NE(model.vocab, nullptr);
    EXPECT_GE(model.vocab->tokens.size(), 32000u);
    EXPECT_EQ(model.vocab->kinds.size(), model.vocab->tokens.size());
    EXPECT_NE(model.vocab->eos, kNoToken);
    if (model.vocab->algorithm == TokenizerAlgorithm::kByteBpe) {
      EXPECT_GE(model.vocab->merges.size(), 30000u);
    } else {
      EXPECT_EQ(model.vocab->scores.size(), model.vocab->tokens.size());
      EXPECT_TRUE(model.vocab->add_bos);
      EXPECT_TRUE(model.vocab->add_space_prefix);
    }
  }
}

TEST(GgufFixturesTest, SplitModelEqualsWholeModelFromAnyPart) {
  TUTTI_NEEDS_SHARED("gguf/split");
  const Checkpoint whole = Open(testing::SharedFixture("gguf/qwen3_moe.gguf"));
  for (int part = 1; part <= 4; ++part) {
    const Checkpoint split = Open(testing::SharedFixture(
        fmt::format("gguf/split/qwen3_moe-split-{:05}-of-00004.gguf", part)));
    ExpectSameModel(whole, split);
  }
  ExpectSameModel(whole, Open(testing::SharedFixture("gguf/split")));
}

TEST(GgufFixturesTest, Version2EqualsVersion3) {
  TUTTI_NEEDS_SHARED("gguf/qwen3_moe-v2.gguf");
  ExpectSameModel(Open(testing::SharedFixture("gguf/qwen3_moe.gguf")),
                  Open(testing::SharedFixture("gguf/qwen3_moe-v2.gguf")));
}

}  // namespace
}  // namespace tutti::format
