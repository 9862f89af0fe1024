// The quantised forms of Hugging Face against what another converter made of the same weights:
// every matrix, decoded from the published form, must equal the one in the GGUF.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/shared_fixtures.h"
#include "tutti/format/gguf_reader.h"
#include "tutti/format/hugging_face.h"
#include "tutti/format/safetensors.h"
#include "tutti/os/mmap.h"
#include "tutti/tensor/decode.h"
#include "tutti/tensor/weight_lookup.h"

namespace tutti::format {
namespace {

using tensor::WeightView;

void ExpectEqual(const Result<WeightView>& published, const Result<WeightView>& converted,
                 const std::string& name, int* compared) {
  ASSERT_TRUE(published.ok()) << published.status().message();
  ASSERT_TRUE(converted.ok()) << converted.status().message();
  ASSERT_EQ(published->rows, converted->rows) << name;
  ASSERT_EQ(published->cols, converted->cols) << name;
  std::vector<float> a(static_cast<size_t>(published->cols));
  std::vector<float> b(a.size());
  for (int64_t row = 0; row < published->rows; ++row) {
    DecodeRow(*published, row, a);
    DecodeRow(*converted, row, b);
    ASSERT_EQ(a, b) << name << " row " << row;
  }
  ++*compared;
}

struct Pair {
  Checkpoint published;
  Checkpoint converted;
};

class PublishedForms : public ::testing::Test {
 protected:
  void Load(const std::string& name) {
    auto published = OpenHuggingFace(testing::SharedFixture("golden/" + name));
    ASSERT_TRUE(published.ok()) << published.status().message();
    auto converted = OpenGguf(testing::SharedFixture("gguf/" + name + ".gguf"));
    ASSERT_TRUE(converted.ok()) << converted.status().message();
    pair_ = {std::move(published).value(), std::move(converted).value()};
  }
  void Compare(const std::string& published, const std::string& converted) {
    ExpectEqual(FindMatrix(pair_.published.tensors, published),
                FindMatrix(pair_.converted.tensors, converted), published, &compared_);
  }
  void CompareExpert(const std::string& published, const std::string& converted, int64_t index) {
    ExpectEqual(FindMatrix(pair_.published.tensors, published),
                FindStackedMatrix(pair_.converted.tensors, converted, index), published,
                &compared_);
  }

  Pair pair_;
  int compared_ = 0;
};

TEST_F(PublishedForms, PackedInt4OfKimiK2) {
  TUTTI_NEEDS_SHARED("gguf/kimi_k2_int4.gguf");
  Load("kimi_k2_int4");
  for (int layer = 1; layer < 3; ++layer) {
    for (int expert = 0; expert < 24; ++expert) {
      for (const std::string part : {"gate", "up", "down"}) {
        CompareExpert(
            fmt::format("model.layers.{}.mlp.experts.{}.{}_proj.weight", layer, expert, part),
            fmt::format("blk.{}.ffn_{}_exps.weight", layer, part), expert);
      }
    }
  }
  EXPECT_EQ(compared_, 144);
}

TEST_F(PublishedForms, Fp8BlocksOfDeepSeekV3) {
  TUTTI_NEEDS_SHARED("gguf/deepseek_v3_fp8.gguf");
  Load("deepseek_v3_fp8");
  for (int expert = 0; expert < 16; ++expert) {
    for (const std::string part : {"gate", "up", "down"}) {
      CompareExpert(fmt::format("model.layers.1.mlp.experts.{}.{}_proj", expert, part),
                    fmt::format("blk.1.ffn_{}_exps", part), expert);
    }
  }
  for (int layer = 0; layer < 2; ++layer) {
    const std::string hf = fmt::format("model.layers.{}.self_attn.", layer);
    const std::string gguf = fmt::format("blk.{}.attn_", layer);
    Compare(hf + "kv_a_proj_with_mqa", gguf + "kv_a_mqa");
    Compare(hf + "o_proj", gguf + "output");
    Compare(hf + "q_a_proj", gguf + "q_a");
    Compare(hf + "q_b_proj", gguf + "q_b");
  }
  EXPECT_EQ(compared_, 56);
}

TEST_F(PublishedForms, Fp8BlocksOfMiniMaxM2) {
  TUTTI_NEEDS_SHARED("gguf/minimax_m2_fp8.gguf");
  Load("minimax_m2_fp8");
  for (int layer = 0; layer < 2; ++layer) {
    const std::string hf = fmt::format("model.layers.{}.", layer);
    const std::string gguf = fmt::format("blk.{}.", layer);
    Compare(hf + "self_attn.v_proj", gguf + "attn_v");
    Compare(hf + "self_attn.o_proj", gguf + "attn_output");
    for (int expert = 0; expert < 6; ++expert) {
      const std::string experts = hf + fmt::format("block_sparse_moe.experts.{}.", expert);
      CompareExpert(experts + "w1", gguf + "ffn_gate_exps", expert);
      CompareExpert(experts + "w2", gguf + "ffn_down_exps", expert);
      CompareExpert(experts + "w3", gguf + "ffn_up_exps", expert);
    }
  }
  EXPECT_EQ(compared_, 40);
}

TEST_F(PublishedForms, SplitMxfp4OfGptOss) {
  TUTTI_NEEDS_SHARED("gguf/gpt_oss_mxfp4.gguf");
  Load("gpt_oss_mxfp4");
  for (int layer = 0; layer < 3; ++layer) {
    const std::string hf = fmt::format("model.layers.{}.mlp.experts.", layer);
    const std::string gguf = fmt::format("blk.{}.ffn_", layer);
    for (int expert = 0; expert < 8; ++expert) {
      const auto both = FindStackedMatrix(pair_.published.tensors, hf + "gate_up_proj", expert);
      ASSERT_TRUE(both.ok()) << both.status().message();
      const auto in_gguf = [&](const std::string& part) {
        return FindStackedMatrix(pair_.converted.tensors, gguf + part, expert);
      };
      ExpectEqual(EveryOtherRow(*both, 0), in_gguf("gate_exps"), "gate", &compared_);
      ExpectEqual(EveryOtherRow(*both, 1), in_gguf("up_exps"), "up", &compared_);
      ExpectEqual(FindStackedMatrix(pair_.published.tensors, hf + "down_proj", expert),
                  in_gguf("down_exps"), "down", &compared_);
    }
  }
  EXPECT_EQ(compared_, 72);
}

TEST(PublishedFormsRecorded, Fp8BlocksAsPyTorchDecodesThem) {
  TUTTI_NEEDS_SHARED("quants/fp8_block.safetensors");
  auto file = os::MmapFile::Open(testing::SharedFixture("quants/fp8_block.safetensors"));
  ASSERT_TRUE(file.ok());
  const auto recorded = OpenSafetensorsBytes(file->bytes(), "fp8_block");
  ASSERT_TRUE(recorded.ok()) << recorded.status().message();
  int compared = 0;
  ExpectEqual(FindMatrix(recorded->tensors, "weight"), FindMatrix(recorded->tensors, "dequant"),
              "weight", &compared);
  EXPECT_EQ(compared, 1);
}

}  // namespace
}  // namespace tutti::format
