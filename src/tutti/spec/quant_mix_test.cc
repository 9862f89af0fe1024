#include "tutti/spec/quant_mix.h"

#include <gtest/gtest.h>

namespace tutti {
namespace {

// What llama-quantize reports for a dense model of 16 layers with 4 query heads per KV head.
TEST(QuantMixTest, MediumMixturesRefineTheSensitiveMatrices) {
  const QuantMixModel model{.layers = 16, .experts = 0, .heads_per_kv_head = 4};
  const QuantMix q4 = *FindQuantMix("Q4_K_M");
  EXPECT_EQ(TypeInMix(q4, "output.weight", 2048, model), DType::kQ6_K);
  EXPECT_EQ(TypeInMix(q4, "token_embd.weight", 2048, model), DType::kQ4_K);
  EXPECT_EQ(TypeInMix(q4, "blk.0.attn_q.weight", 2048, model), DType::kQ4_K);
  const bool more[16] = {true,  true,  false, false, true,  false, false, true,
                         false, false, true,  false, false, true,  true,  true};
  for (int layer = 0; layer < 16; ++layer) {
    const DType expected = more[layer] ? DType::kQ6_K : DType::kQ4_K;
    EXPECT_EQ(TypeInMix(q4, "blk." + std::to_string(layer) + ".ffn_down.weight", 8192, model),
              expected)
        << layer;
    EXPECT_EQ(TypeInMix(q4, "blk." + std::to_string(layer) + ".attn_v.weight", 2048, model),
              expected)
        << layer;
  }
}

TEST(QuantMixTest, BlocksThatDoNotFitGiveWayToFinerOnes) {
  const QuantMixModel model{.layers = 24, .experts = 32, .heads_per_kv_head = 8};
  EXPECT_EQ(TypeInMix(*FindQuantMix("q4_k_m"), "blk.5.attn_q.weight", 2880, model), DType::kQ5_0);
  EXPECT_EQ(TypeInMix(*FindQuantMix("q8_0"), "blk.5.attn_q.weight", 40, model), DType::kF16);
  EXPECT_EQ(TypeInMix(*FindQuantMix("q3_k_m"), "blk.5.attn_q.weight", 64, model), DType::kIQ4_NL);
}

TEST(QuantMixTest, RoutersStayFloatAndExpertsMayBeMxfp4) {
  const QuantMixModel model{.layers = 24, .experts = 32};
  const QuantMix mxfp4 = *FindQuantMix("mxfp4");
  EXPECT_EQ(TypeInMix(mxfp4, "blk.0.ffn_gate_inp.weight", 2880, model), DType::kF32);
  EXPECT_EQ(TypeInMix(mxfp4, "blk.0.ffn_up_exps.weight", 2880, model), DType::kMXFP4);
  EXPECT_EQ(TypeInMix(mxfp4, "blk.0.attn_q.weight", 2880, model), DType::kQ8_0);
  EXPECT_EQ(FindQuantMix("q9_z"), std::nullopt);
}

}  // namespace
}  // namespace tutti
