#include "tutti/engine/synth.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "tutti/engine/gguf_export.h"
#include "tutti/engine/synth_shapes.h"
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

// As published: numbers of config.json, and how many parameters the model cards name (without the
// layers that predict further tokens).
struct Published {
  const char* shape;
  size_t layers;
  int64_t dim, experts, experts_per_token, vocab_size, context;
  double beta_fast;        // of YaRN, 0: another scaling or none
  double billions, close;  // parameters, and how exactly they are known
};

TEST(SynthShapesTest, AreThoseOfThePublishedModels) {
  const Published all[] = {
      {"llama-3.2-1b", 16, 2048, 0, 0, 128256, 131072, 0, 1.236, 0.001},
      {"llama-3.1-8b", 32, 4096, 0, 0, 128256, 131072, 0, 8.030, 0.001},
      {"qwen3-30b-a3b", 48, 2048, 128, 8, 151936, 40960, 0, 30.53, 0.01},
      {"deepseek-v2-lite", 27, 2048, 64, 6, 102400, 163840, 32, 15.71, 0.01},
      {"deepseek-v3", 61, 7168, 256, 8, 129280, 163840, 32, 671.0, 0.1},
      {"kimi-k2", 61, 7168, 384, 8, 163840, 131072, 1, 1026.4, 0.1},
      {"glm-4.5-air", 46, 4096, 128, 8, 151552, 131072, 0, 106.9, 0.1},
      {"gpt-oss-20b", 24, 2880, 32, 4, 201088, 131072, 32, 20.91, 0.01},
  };
  ASSERT_EQ(std::size(all), SynthShapes().size());
  for (const Published& published : all) {
    SCOPED_TRACE(published.shape);
    SynthOptions options;
    options.shape = published.shape;
    const auto config = SynthConfigOf(options);
    ASSERT_TRUE(config.ok()) << config.status().message();
    const model::ModelSource source{false, "synth", config->metadata, config->tensors};
    const auto architecture = model::FindArchitecture(source);
    ASSERT_TRUE(architecture.ok()) << architecture.status().message();
    const auto spec = model::ReadModelSpec(**architecture, source);
    ASSERT_TRUE(spec.ok()) << spec.status().message();
    EXPECT_EQ(spec->layers.size(), published.layers);
    EXPECT_EQ(spec->dim, published.dim);
    EXPECT_EQ(spec->moe.experts, published.experts);
    EXPECT_EQ(spec->moe.experts_per_token, published.experts_per_token);
    EXPECT_EQ(spec->vocab_size, published.vocab_size);
    EXPECT_EQ(spec->context_length, published.context);
    const RopeSpec& rope = spec->rope[0];
    EXPECT_EQ(rope.scaling == RopeScaling::kYarn ? rope.beta_fast : 0, published.beta_fast);
    double parameters = 0;
    for (const GgufTensor& tensor : GgufTensorsOf(*spec, model::NamesOf(**architecture, true))) {
      parameters += static_cast<double>(tensor.shape.elements());
    }
    EXPECT_NEAR(parameters / 1e9, published.billions, published.close);
  }
}

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
