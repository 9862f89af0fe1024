// Tensors and keys against the files that llama.cpp's converter made of the same models.
#include "tutti/engine/gguf_export.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "tests/shared_fixtures.h"
#include "tutti/format/gguf_reader.h"

namespace tutti::engine {
namespace {

const char* const kModels[] = {
    "deepseek_v2", "deepseek_v3", "ernie4_5_moe", "glm4_moe",   "gpt_oss", "hunyuan_a13b",
    "kimi_k2",     "llama2",      "llama3_rope",  "minimax_m2", "mixtral", "olmoe",
    "qwen2_bias",  "qwen2_moe",   "qwen3_dense",  "qwen3_moe",
};

class GgufExportTest : public ::testing::TestWithParam<const char*> {
 protected:
  void Open() {
    auto opened =
        format::OpenCheckpoint(testing::SharedFixture(std::string("gguf/") + GetParam() + ".gguf"));
    ASSERT_TRUE(opened.ok()) << opened.status().message();
    checkpoint_ = std::move(opened).value();
    source_.emplace(
        model::ModelSource{true, GetParam(), checkpoint_.metadata, checkpoint_.tensors});
    const auto architecture = model::FindArchitecture(*source_);
    ASSERT_TRUE(architecture.ok()) << architecture.status().message();
    architecture_ = *architecture;
    const auto spec = model::ReadModelSpec(*architecture_, *source_);
    ASSERT_TRUE(spec.ok()) << spec.status().message();
    spec_ = *spec;
  }

  format::Checkpoint checkpoint_;
  std::optional<model::ModelSource> source_;
  const model::Architecture* architecture_ = nullptr;
  ModelSpec spec_;
};

TEST_P(GgufExportTest, NamesTheSameTensorsWithTheSameShapes) {
  TUTTI_NEEDS_SHARED(std::string("gguf/") + GetParam() + ".gguf");
  Open();
  std::set<std::string> names;
  for (const GgufTensor& tensor : GgufTensorsOf(spec_, model::NamesOf(*architecture_, true))) {
    const tensor::TensorView* expected = checkpoint_.Find(tensor.name);
    ASSERT_NE(expected, nullptr) << tensor.name;
    EXPECT_EQ(tensor.shape.elements(), expected->shape.elements()) << tensor.name;
    if (tensor.shape.rank > 1) {
      EXPECT_EQ(tensor.shape[tensor.shape.rank - 1], expected->shape[expected->shape.rank - 1])
          << tensor.name;
    }
    EXPECT_TRUE(names.insert(tensor.name).second) << tensor.name;
  }
  EXPECT_EQ(names.size(), checkpoint_.tensors.size());
}

TEST_P(GgufExportTest, WritesTheKeysOfTheConverter) {
  TUTTI_NEEDS_SHARED(std::string("gguf/") + GetParam() + ".gguf");
  Open();
  format::GgufWriter writer;
  ASSERT_TRUE(SetGgufModelKeys(*architecture_, spec_, writer).ok());
  const auto bytes = writer.ToBytes();
  ASSERT_TRUE(bytes.ok());
  const auto written = format::OpenGgufBytes(std::as_bytes(std::span(*bytes)), "written");
  ASSERT_TRUE(written.ok()) << written.status().message();
  const std::string prefix = std::string(architecture_->gguf[0]) + ".";
  int compared = 0;
  for (const auto& [key, value] : checkpoint_.metadata.values()) {
    if (key.find(prefix) != 0) continue;
    // gpt-oss: a wish that readers ignore (model/common_spec.cc), so the spec does not keep it.
    if (key == "gpt-oss.rope.scaling.yarn_truncate") continue;
    // GLM: the converter counts the layer that predicts a second token, which is not in the file.
    if (key == "glm4moe.block_count" || key == "glm4moe.nextn_predict_layers") continue;
    const auto expected = checkpoint_.metadata.Number(key);
    const auto actual = written->metadata.Number(key);
    if (!expected.ok()) continue;  // true or false
    ASSERT_TRUE(actual.ok() && actual->has_value()) << key;
    EXPECT_NEAR(**actual, **expected, 1e-5 * std::abs(**expected)) << key;
    ++compared;
  }
  EXPECT_GE(compared, 8);
}

INSTANTIATE_TEST_SUITE_P(Models, GgufExportTest, ::testing::ValuesIn(kModels),
                         [](const auto& test) { return std::string(test.param); });

}  // namespace
}  // namespace tutti::engine
