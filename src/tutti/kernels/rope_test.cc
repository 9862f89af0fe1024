#include "tutti/kernels/rope.h"

#include <cmath>
#include <random>
#include <vector>

#include "tutti/kernels/simd_targets_test.h"

namespace tutti::kernels {
namespace {

class RopeTest : public SimdTest {};

TEST_P(RopeTest, RotatesEveryHeadOfEveryRowForEveryDim) {
  os::ThreadPool pool(2);
  KernelContext context{pool};
  std::mt19937 rng(5);
  std::normal_distribution<float> normal;
  for (const RopePairing pairing : {RopePairing::kHalves, RopePairing::kInterleaved}) {
    for (int32_t dim = 2; dim <= 70; dim += 2) {
      RopeSpec spec;
      spec.dim = dim;
      spec.pairing = pairing;
      spec.attention_factor = 1.25;
      const int64_t heads = 3, head_stride = dim + 5, row_stride = heads * head_stride + 2;
      const std::vector<int32_t> positions = {0,  1,    17,    4095, 131071, 3, 4, 5, 6,
                                              12, 1000, 40960, 2,    2,      7, 8, 9};
      std::vector<float> x(positions.size() * static_cast<size_t>(row_stride));
      for (float& v : x) v = normal(rng);
      std::vector<float> expected = x;
      for (size_t row = 0; row < positions.size(); ++row) {
        for (int64_t head = 0; head < heads; ++head) {
          const size_t at =
              row * static_cast<size_t>(row_stride) + static_cast<size_t>(head * head_stride);
          RopeReference(spec, positions[row], std::span(expected).subspan(at, dim));
        }
      }
      RopeTable table(spec);
      table.Fill(positions);
      table.Apply(x.data(), row_stride, heads, head_stride, context);
      for (size_t i = 0; i < x.size(); ++i) {
        ASSERT_NEAR(x[i], expected[i], 1e-6) << "dim " << dim << " at " << i;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Targets, RopeTest, ::testing::ValuesIn(SimdTargets()), SimdTargetName);

// Values of Hugging Face's ROPE_INIT_FUNCTIONS["llama3"](...) for Llama 3.1's parameters.
TEST(RopeFrequenciesTest, Llama3KeepsShortWavesAndSlowsLongOnes) {
  RopeSpec spec;
  spec.dim = 128;
  spec.theta = 500000;
  spec.scaling = RopeScaling::kLlama3;
  spec.factor = 8;
  spec.low_frequency_factor = 1;
  spec.high_frequency_factor = 4;
  spec.original_context = 8192;
  const std::vector<double> f = RopeFrequencies(spec);
  EXPECT_DOUBLE_EQ(f[0], 1);
  EXPECT_DOUBLE_EQ(f[63], std::pow(500000.0, -126.0 / 128) / 8);
  // The boundaries are waves of 2048 and 8192 positions.
  for (size_t i = 0; i < 64; ++i) {
    const double plain = std::pow(500000.0, -2.0 * static_cast<double>(i) / 128);
    const double wave = 2 * M_PI / plain;
    if (wave < 2048) {
      EXPECT_DOUBLE_EQ(f[i], plain);
    } else if (wave > 8192) {
      EXPECT_DOUBLE_EQ(f[i], plain / 8);
    } else {
      EXPECT_LT(f[i], plain);
      EXPECT_GT(f[i], plain / 8);
    }
  }
}

TEST(RopeFrequenciesTest, YarnRampHasWholeBoundsOnlyWhenTruncated) {
  RopeSpec spec;  // gpt-oss
  spec.dim = 64;
  spec.theta = 150000;
  spec.scaling = RopeScaling::kYarn;
  spec.factor = 32;
  spec.original_context = 4096;
  // pair(r) = 64 ln(4096 / (2 pi r)) / (2 ln 150000): 8.093 for r = 32, 17.398 for r = 1.
  const auto ramp_at = [&](size_t i) {
    const double plain = std::pow(150000.0, -2.0 * static_cast<double>(i) / 64);
    return (1 - RopeFrequencies(spec)[i] / plain) / (1 - 1.0 / 32);
  };
  spec.truncate = true;
  EXPECT_NEAR(ramp_at(8), 0, 1e-12);
  EXPECT_NEAR(ramp_at(13), 5.0 / 10, 1e-12);
  EXPECT_NEAR(ramp_at(17), 9.0 / 10, 1e-12);
  EXPECT_NEAR(ramp_at(18), 1, 1e-12);
  spec.truncate = false;
  const double low = 64 * std::log(4096 / (64 * M_PI)) / (2 * std::log(150000.0));
  const double high = 64 * std::log(4096 / (2 * M_PI)) / (2 * std::log(150000.0));
  EXPECT_NEAR(ramp_at(8), 0, 1e-12);
  EXPECT_NEAR(ramp_at(13), (13 - low) / (high - low), 1e-12);
  EXPECT_NEAR(ramp_at(18), 1, 1e-12);
}

TEST(RopeFrequenciesTest, LinearAndDivisors) {
  RopeSpec spec;
  spec.dim = 4;
  spec.theta = 10000;
  spec.scaling = RopeScaling::kLinear;
  spec.factor = 4;
  EXPECT_EQ(RopeFrequencies(spec), (std::vector<double>{0.25, 0.0025}));
  spec.frequency_divisors = {1, 2};
  EXPECT_EQ(RopeFrequencies(spec), (std::vector<double>{1, 0.005}));
}

}  // namespace
}  // namespace tutti::kernels
