#include "tutti/engine/importance.h"

#include <gtest/gtest.h>

#include <cmath>

#include <algorithm>
#include <filesystem>
#include <numeric>

#include "tutti/engine/importance_collector.h"
#include "tutti/engine/model_engine.h"
#include "tutti/format/gguf_writer.h"
#include "tutti/kernels/matmul.h"
#include "tutti/kernels/rms_norm.h"
#include "tutti/tensor/decode.h"
#include "tutti/tensor/weight_lookup.h"

namespace tutti::engine {
namespace {

namespace fs = std::filesystem;

const fs::path kStory = fs::path(TUTTI_SOURCE_DIR) / "models" / "story-moe-q8_0.gguf";

class ImportanceTest : public ::testing::Test {
 protected:
  fs::path path_ = fs::path(::testing::TempDir()) /
                   (std::string(::testing::UnitTest::GetInstance()->current_test_info()->name()) +
                    "_importance.gguf");
  void TearDown() override { fs::remove(path_); }

  static format::Checkpoint Story() { return format::OpenCheckpoint(kStory).value(); }
  static ImportanceOptions TwoChunksOf40() {
    ImportanceOptions options;
    options.engine.threads = 2;
    options.chunk_tokens = 16;
    return options;
  }
  static TokenIds Ids(int32_t count) {
    TokenIds ids(static_cast<size_t>(count));
    std::iota(ids.begin(), ids.end(), 20);
    return ids;
  }
};

TEST_F(ImportanceTest, MeansAreOfWhatWasSeen) {
  ImportanceMatrix matrix;
  matrix.entries["a"] = {{8, 2, 0, 0}, {2, 0}};  // the second of two experts was not used
  matrix.entries["b"] = {{8, 0, 2, 4}, {2}};
  EXPECT_EQ(matrix.Means("a"), (std::vector<float>{4, 1, 1, 1}));
  const std::vector<float> b = matrix.Means("b");
  ASSERT_EQ(b.size(), 4u);
  EXPECT_EQ(b[0], 4);
  EXPECT_GT(b[1], 0);
  EXPECT_LT(b[1], 1e-5f);
  EXPECT_TRUE(matrix.Means("c").empty());
}

TEST_F(ImportanceTest, IsReadAsItWasWritten) {
  ImportanceMatrix matrix;
  matrix.entries["blk.0.ffn_down_exps.weight"] = {{1, 2, 3, 4, 5, 6}, {7, 8}};
  matrix.chunks = 3;
  matrix.chunk_tokens = 512;
  ASSERT_TRUE(WriteImportanceMatrix(matrix, path_).ok());
  const auto read = ReadImportanceMatrix(path_);
  ASSERT_TRUE(read.ok()) << read.status().message();
  ASSERT_EQ(read->entries.size(), 1u);
  const auto& [name, entry] = *read->entries.begin();
  EXPECT_EQ(name, "blk.0.ffn_down_exps.weight");
  EXPECT_EQ(entry.sums, (std::vector<double>{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(entry.counts, (std::vector<int64_t>{7, 8}));
}

TEST_F(ImportanceTest, OtherFilesAreRefused) {
  EXPECT_EQ(ReadImportanceMatrix(kStory).status().code(), StatusCode::kData);
  const auto write = [&](std::vector<float> sums, std::vector<float> counts) {
    format::GgufWriter writer;
    writer.Set("general.type", std::string("imatrix"));
    const auto add = [&](const char* name, const std::vector<float>& values) {
      if (values.empty()) return;
      ASSERT_TRUE(writer
                      .AddTensor(name, DType::kF32, {{std::ssize(values)}, 1},
                                 std::as_bytes(std::span(values)))
                      .ok());
    };
    add("x.in_sum2", sums);
    add("x.counts", counts);
    ASSERT_TRUE(writer.Write(path_).ok());
  };
  ASSERT_NO_FATAL_FAILURE(write({1, 2, 3}, {1, 1}));
  EXPECT_EQ(ReadImportanceMatrix(path_).status().code(), StatusCode::kData);
  ASSERT_NO_FATAL_FAILURE(write({1, -2}, {1}));
  EXPECT_EQ(ReadImportanceMatrix(path_).status().code(), StatusCode::kData);
  ASSERT_NO_FATAL_FAILURE(write({1, NAN}, {1}));
  EXPECT_EQ(ReadImportanceMatrix(path_).status().code(), StatusCode::kData);
  ASSERT_NO_FATAL_FAILURE(write({1, 2}, {}));
  EXPECT_EQ(ReadImportanceMatrix(path_).status().code(), StatusCode::kData);
}

TEST_F(ImportanceTest, EveryTokenIsCountedOncePerMatrixAndExpert) {
  ImportanceOptions options = TwoChunksOf40();
  const auto matrix = MeasureImportance(Story(), Ids(40), options);
  ASSERT_TRUE(matrix.ok()) << matrix.status().message();
  EXPECT_EQ(matrix->chunks, 2);
  const ModelSpec spec =
      ModelEngine::Create(Story(), options.engine, os::ReadTopology(os::RealSystemFiles()))
          .value()
          ->spec();
  const auto count = [&](const std::string& name) {
    const auto it = matrix->entries.find(name);
    EXPECT_NE(it, matrix->entries.end()) << name;
    return it == matrix->entries.end()
               ? 0
               : std::accumulate(it->second.counts.begin(), it->second.counts.end(), int64_t{0});
  };
  EXPECT_EQ(count("blk.0.attn_q.weight"), 32);
  EXPECT_EQ(count("blk.1.attn_output.weight"), 32);
  EXPECT_EQ(count("blk.0.ffn_gate_inp.weight"), 32);
  for (const char* name : {"gate", "up", "down"}) {
    EXPECT_EQ(count(fmt::format("blk.1.ffn_{}_exps.weight", name)),
              32 * spec.moe.experts_per_token);
  }
  EXPECT_FALSE(matrix->entries.contains("output.weight"));
  // q and k are multiplied with the same inputs.
  EXPECT_EQ(matrix->entries.at("blk.0.attn_q.weight").sums,
            matrix->entries.at("blk.0.attn_k.weight").sums);
  options.chunk_tokens = 64;
  EXPECT_EQ(MeasureImportance(Story(), Ids(40), options).status().code(), StatusCode::kData);
}

// What the first layer's attention is multiplied with can be computed by hand: the embeddings of
// the text's two chunks behind a norm.
TEST_F(ImportanceTest, SumsAreOfTheSquaresOfTheInputs) {
  ImportanceOptions options = TwoChunksOf40();
  const auto matrix = MeasureImportance(Story(), Ids(40), options);
  ASSERT_TRUE(matrix.ok()) << matrix.status().message();
  const format::Checkpoint story = Story();
  const double epsilon =
      story.metadata.Number("qwen3moe.attention.layer_norm_rms_epsilon").value().value();
  const tensor::WeightView embedding = tensor::WholeMatrix(*story.Find("token_embd.weight"));
  const auto norm = tensor::FindVector(story.tensors, "blk.0.attn_norm.weight", embedding.cols);
  ASSERT_TRUE(norm.ok()) << norm.status().message();
  std::vector<float> x(norm->size());
  std::vector<double> expected(norm->size());
  for (const TokenId id : Ids(32)) {
    tensor::DecodeRow(embedding, id, x);
    kernels::RmsNormReference(x, *norm, static_cast<float>(epsilon), x);
    for (size_t c = 0; c < x.size(); ++c) expected[c] += double{x[c]} * x[c];
  }
  const std::vector<double>& sums = matrix->entries.at("blk.0.attn_q.weight").sums;
  ASSERT_EQ(sums.size(), expected.size());
  for (size_t c = 0; c < sums.size(); ++c) ASSERT_NEAR(sums[c], expected[c], 1e-5 * expected[c]);
}

// The heads of latent attention are matrices of their own, which see rows of their own.
TEST_F(ImportanceTest, EveryHeadSeesItsOwnInputs) {
  ImportanceOptions options;
  options.engine.threads = 2;
  options.chunk_tokens = 8;
  const auto matrix =
      MeasureImportance(format::OpenCheckpoint(fs::path(TUTTI_SOURCE_DIR) /
                                               "tests/golden/models/gguf/deepseek_v3.gguf")
                            .value(),
                        Ids(16), options);
  ASSERT_TRUE(matrix.ok()) << matrix.status().message();
  for (const char* name : {"blk.0.attn_k_b.weight", "blk.0.attn_v_b.weight"}) {
    ASSERT_TRUE(matrix->entries.contains(name)) << name;
    const ImportanceMatrix::Entry& entry = matrix->entries.at(name);
    ASSERT_EQ(entry.counts, (std::vector<int64_t>{16})) << name;
    const auto half = static_cast<std::ptrdiff_t>(entry.sums.size() / 2);
    EXPECT_FALSE(
        std::equal(entry.sums.begin(), entry.sums.begin() + half, entry.sums.begin() + half))
        << name;
  }
}

// Who is watched adds its experts up in another loop, which may round otherwise.
TEST_F(ImportanceTest, WatchingChangesNoMoreThanRounding) {
  class Watcher final : public kernels::MatMulObserver {
   public:
    int64_t calls = 0;
    void Observe(const kernels::Activations&, std::span<const kernels::MatMulJob>) override {
      ++calls;
    }
  };
  Watcher watcher;
  std::vector<float> logits[2];
  for (const bool watched : {false, true}) {
    const auto created = ModelEngine::Create(Story(), {.threads = 2, .exact = true},
                                             os::ReadTopology(os::RealSystemFiles()));
    ASSERT_TRUE(created.ok());
    auto& engine = static_cast<ModelEngine&>(**created);
    if (watched) engine.SetObserver(&watcher);
    const SequenceId sequence = engine.NewSequence().value();
    const TokenIds ids = Ids(24);
    Batch batch;
    batch.entries.push_back({sequence, ids, LogitsWanted::kAll});
    logits[watched] = engine.Forward(batch).value().logits;
  }
  EXPECT_GT(watcher.calls, 0);
  ASSERT_EQ(logits[0].size(), logits[1].size());
  for (size_t i = 0; i < logits[0].size(); ++i) ASSERT_NEAR(logits[0][i], logits[1][i], 1e-4) << i;
}

}  // namespace
}  // namespace tutti::engine
