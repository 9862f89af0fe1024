#include "tutti/engine/synth.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "tutti/format/checkpoint.h"
#include "tutti/model/weights.h"

namespace tutti::engine {
namespace {

class SynthTest : public ::testing::TestWithParam<std::string> {
 protected:
  std::filesystem::path path_ = std::filesystem::path(::testing::TempDir()) / "tutti_synth.gguf";
  void TearDown() override { std::filesystem::remove(path_); }
};

// One layer of the models whose layers are small enough to write in a test.
TEST_P(SynthTest, AllWeightsAreFoundAgain) {
  SynthOptions options;
  options.shape = GetParam();
  options.mix = *FindQuantMix("q4_k_m");
  options.layers = 1;
  options.vocab_size = 512;
  int64_t done = 0, total = 0;
  const auto report = WriteSyntheticModel(options, path_, [&](int64_t d, int64_t t) {
    EXPECT_GE(d, done);
    done = d;
    total = t;
    return Status();
  });
  ASSERT_TRUE(report.ok()) << report.status().message();
  EXPECT_EQ(done, total);
  EXPECT_EQ(report->bytes, total);
  EXPECT_EQ(report->layers, 1);
  auto checkpoint = format::OpenCheckpoint(path_);
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status().message();
  const model::ModelSource source{true, "synth", checkpoint->metadata, checkpoint->tensors};
  const auto architecture = model::FindArchitecture(source);
  ASSERT_TRUE(architecture.ok()) << architecture.status().message();
  const auto spec = model::ReadModelSpec(**architecture, source);
  ASSERT_TRUE(spec.ok()) << spec.status().message();
  const auto weights = model::LoadWeights(*spec, model::NamesOf(**architecture, true), source);
  ASSERT_TRUE(weights.ok()) << weights.status().message();
  EXPECT_EQ(spec->layers.size(), 1u);
  EXPECT_EQ(spec->vocab_size, 512);
  ASSERT_NE(checkpoint->vocab, nullptr);
  EXPECT_EQ(checkpoint->vocab->tokens.size(), 512u);
}

INSTANTIATE_TEST_SUITE_P(Shapes, SynthTest,
                         ::testing::Values("llama-3.2-1b", "qwen3-30b-a3b", "deepseek-v2-lite"),
                         [](const auto& test) {
                           std::string name = test.param;
                           for (char& c : name)
                             c = std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
                           return name;
                         });

TEST(SynthErrorTest, UnknownShapesAreNamed) {
  SynthOptions options;
  options.shape = "llama-9";
  const Status shape = WriteSyntheticModel(options, "unused.gguf", {}).status();
  EXPECT_EQ(shape.code(), StatusCode::kUsage);
  EXPECT_NE(shape.message().find("qwen3-30b-a3b"), std::string::npos);
  options.shape = "llama-3.2-1b";
  options.mix = *FindQuantMix("q8_0");
  options.vocab_size = 100;
  EXPECT_EQ(WriteSyntheticModel(options, "unused.gguf", {}).status().code(), StatusCode::kUsage);
}

}  // namespace
}  // namespace tutti::engine
