// Conversion of published models against the files that llama.cpp's converter made of them.
#include <fmt/ranges.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <vector>

#include "tests/shared_fixtures.h"
#include "tutti/engine/convert.h"
#include "tutti/engine/tensor_values_test.h"
#include "tutti/format/gguf_reader.h"
#include "tutti/format/hugging_face.h"
#include "tutti/model/architecture.h"
#include "tutti/model/weights.h"

namespace tutti::engine {
namespace {

namespace fs = std::filesystem;
using ::testing::FloatNear;
using ::testing::Pointwise;

struct Case {
  const char* name;
  const char* loss = "";  // what the report says that the file cannot
};

// A vector may be a matrix of one row.
std::vector<int64_t> DimsOf(const tensor::Shape& shape) {
  int first = 0;
  while (first + 1 < shape.rank && shape[first] == 1) ++first;
  return {shape.dims.begin() + first, shape.dims.begin() + shape.rank};
}

class ConvertFixtures : public ::testing::TestWithParam<Case> {};

TEST_P(ConvertFixtures, EqualsTheOtherConverter) {
  const std::string name = GetParam().name;
  TUTTI_NEEDS_SHARED("gguf/" + name + ".gguf");
  const auto published = format::OpenHuggingFace(testing::SharedFixture("golden/" + name));
  ASSERT_TRUE(published.ok()) << published.status().message();
  const auto expected = format::OpenGguf(testing::SharedFixture("gguf/" + name + ".gguf"));
  ASSERT_TRUE(expected.ok()) << expected.status().message();
  const fs::path path = fs::path(::testing::TempDir()) / ("tutti_convert_" + name + ".gguf");
  const bool floats = name.ends_with("_fp8") || name.ends_with("_int4");
  const auto report = ConvertToGguf(*published, expected->vocab.get(),
                                    {.mix = *FindQuantMix(floats ? "f32" : "bf16")}, path);
  ASSERT_TRUE(report.ok()) << report.status().message();
  EXPECT_EQ(fmt::format("{}", fmt::join(report->losses, "\n")), GetParam().loss);
  const auto written = format::OpenGguf(path);
  ASSERT_TRUE(written.ok()) << written.status().message();
  EXPECT_EQ(written->tensors.size(), expected->tensors.size());
  for (const auto& [tensor, view] : expected->tensors) {
    const tensor::TensorView* ours = written->Find(tensor);
    ASSERT_NE(ours, nullptr) << tensor;
    EXPECT_EQ(DimsOf(ours->shape), DimsOf(view.shape)) << tensor;
    EXPECT_EQ(ours->dtype, view.dtype) << tensor;
    if (tensor == "rope_freqs.weight") {  // computed, in double precision here
      EXPECT_THAT(ValuesOf(*ours), Pointwise(FloatNear(1e-5f), ValuesOf(view)));
    } else {
      ASSERT_EQ(ValuesOf(*ours), ValuesOf(view)) << tensor;
    }
  }
  EXPECT_EQ(written->metadata.String("general.size_label").value(),
            expected->metadata.String("general.size_label").value());
  EXPECT_EQ(written->vocab->tokens, expected->vocab->tokens);
  EXPECT_EQ(written->vocab->chat_template, expected->vocab->chat_template);
  fs::remove(path);
}

// What is transposed is not in memory all at once.
TEST(ConvertMemory, MatricesAreTransposedWhenTheyAreWritten) {
  for (const char* name : {"gpt_oss", "deepseek_v2"}) {
    SCOPED_TRACE(name);
    TUTTI_NEEDS_SHARED(std::string("golden/") + name);
    const auto published =
        format::OpenHuggingFace(testing::SharedFixture(std::string("golden/") + name));
    ASSERT_TRUE(published.ok()) << published.status().message();
    const model::ModelSource source{false, name, published->metadata, published->tensors};
    const auto architecture = model::FindArchitecture(source);
    ASSERT_TRUE(architecture.ok()) << architecture.status().message();
    const auto spec = model::ReadModelSpec(**architecture, source);
    ASSERT_TRUE(spec.ok()) << spec.status().message();
    const model::TensorNames names = model::NamesOf(**architecture, false);
    EXPECT_EQ(model::LoadWeights(*spec, names, source, 0).status().code(), StatusCode::kResource);
    const auto weights = model::LoadWeights(*spec, names, source, 0, model::CopyTime::kWhenWanted);
    ASSERT_TRUE(weights.ok()) << weights.status().message();
    EXPECT_TRUE(weights->owned.empty());
  }
}

INSTANTIATE_TEST_SUITE_P(
    Models, ConvertFixtures,
    ::testing::Values(
        Case{"deepseek_v2", "score of a group of experts: becomes another kind"},
        Case{"deepseek_v3"}, Case{"deepseek_v3_fp8"}, Case{"ernie4_5_moe"}, Case{"glm4_moe"},
        Case{"gpt_oss",
             "a frequency of the rotary embedding of layer 0: 0.3271681 becomes 0.3597958"},
        Case{"hunyuan_a13b"}, Case{"kimi_k2"}, Case{"kimi_k2_int4"}, Case{"llama2"},
        Case{"llama3_rope"}, Case{"llama_wide"}, Case{"minimax_m2"}, Case{"minimax_m2_fp8"},
        Case{"mistral_window", "sliding window of layer 0: 16 becomes 0"}, Case{"mixtral"},
        Case{"olmoe"}, Case{"qwen2_bias"}, Case{"qwen2_moe"}, Case{"qwen3_dense"},
        Case{"qwen3_moe"}, Case{"qwen3_moe_wide"}),
    [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace tutti::engine
