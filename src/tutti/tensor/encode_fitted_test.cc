#include "tutti/tensor/encode_fitted.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "tutti/tensor/decode.h"
#include "tutti/tensor/encode.h"

namespace tutti::tensor {
namespace {

constexpr size_t kCols = 2048;

std::vector<float> RoundTrip(DType dtype, const std::vector<float>& in,
                             std::span<const float> importance = {}) {
  const DTypeInfo& info = InfoOf(dtype);
  std::vector<std::byte> bytes(in.size() / static_cast<size_t>(info.block_size) *
                               static_cast<size_t>(info.block_bytes));
  EncodeFittedRow(dtype, in, importance, bytes);
  std::vector<float> out(in.size());
  const Shape shape{{1, static_cast<int64_t>(in.size())}, 2};
  DecodeRow(WholeMatrix({dtype, shape, bytes.data(), bytes.size()}), 0, out);
  return out;
}

double RelativeError(const std::vector<float>& in, const std::vector<float>& out) {
  double error = 0, power = 0;
  for (size_t i = 0; i < in.size(); ++i) {
    error += std::pow(in[i] - out[i], 2);
    power += std::pow(in[i], 2);
  }
  return std::sqrt(error / power);
}

struct Case {
  DType dtype;
  // Relative RMS error on normal weights that a careful encoder reaches: at most what the formats'
  // reference encoder (llama-quantize) has on the same distribution, see docs/LOG.md.
  double error_max;
};

class EncodeFittedTest : public ::testing::TestWithParam<Case> {
 protected:
  static std::vector<float> Normal(unsigned seed) {
    std::mt19937 rng(seed);
    std::normal_distribution<float> normal(0, 0.02f);
    std::vector<float> values(kCols);
    for (float& value : values) value = normal(rng);
    return values;
  }
};

TEST_P(EncodeFittedTest, NormalWeightsComeBackClose) {
  const std::vector<float> in = Normal(1);
  const double error = RelativeError(in, RoundTrip(GetParam().dtype, in));
  EXPECT_LT(error, GetParam().error_max);
  EXPECT_GT(error, GetParam().error_max / 3) << "better than the format can be";
}

TEST_P(EncodeFittedTest, WhatWasDecodedIsEncodedAlmostWithoutLoss) {
  const std::vector<float> once = RoundTrip(GetParam().dtype, Normal(2));
  EXPECT_LT(RelativeError(once, RoundTrip(GetParam().dtype, once)), GetParam().error_max / 3);
}

TEST_P(EncodeFittedTest, ImportanceMovesTheErrorToWhereItMattersLess) {
  const std::vector<float> in = Normal(3);
  std::vector<float> importance(kCols);
  for (size_t i = 0; i < kCols; ++i) importance[i] = i % 4 == 0 ? 100.0f : 1.0f;
  const auto weighted = [&](const std::vector<float>& out) {
    double error = 0;
    for (size_t i = 0; i < kCols; ++i) error += importance[i] * std::pow(in[i] - out[i], 2);
    return error;
  };
  EXPECT_LT(weighted(RoundTrip(GetParam().dtype, in, importance)),
            weighted(RoundTrip(GetParam().dtype, in)));
}

TEST_P(EncodeFittedTest, OddInputsGiveFiniteValues) {
  for (const float value : {0.0f, -0.0f, 1e-30f, -1e-38f, 1.0f, -1.0f, 6e4f}) {
    const std::vector<float> out = RoundTrip(GetParam().dtype, std::vector<float>(kCols, value));
    for (const float v : out) {
      ASSERT_TRUE(std::isfinite(v)) << value;
      ASSERT_NEAR(v, value, 0.2f * std::abs(value) + 1e-6f);
    }
  }
  std::vector<float> spike(kCols, 0.001f);
  spike[77] = 10;
  const std::vector<float> out = RoundTrip(GetParam().dtype, spike);
  EXPECT_NEAR(out[77], 10, 0.4);
  EXPECT_NEAR(out[1024], 0.001f, 0.001f);
}

// The formats that have a reference encoder, too: with an importance matrix the fit is closer.
TEST(EncodeFitted, BeatsTheReferenceEncoderWhereItMatters) {
  std::mt19937 rng(4);
  std::normal_distribution<float> normal(0, 0.02f);
  std::vector<float> in(kCols), importance(kCols);
  for (float& value : in) value = normal(rng);
  for (float& value : importance) value = std::exp(100 * normal(rng));
  const auto weighted = [&](DType dtype, bool fitted) {
    const DTypeInfo& info = InfoOf(dtype);
    std::vector<std::byte> bytes(kCols / static_cast<size_t>(info.block_size) *
                                 static_cast<size_t>(info.block_bytes));
    if (fitted) {
      EncodeFittedRow(dtype, in, importance, bytes);
    } else {
      EncodeRow(dtype, in, bytes);
    }
    std::vector<float> out(kCols);
    const Shape shape{{1, static_cast<int64_t>(kCols)}, 2};
    DecodeRow(WholeMatrix({dtype, shape, bytes.data(), bytes.size()}), 0, out);
    double error = 0;
    for (size_t i = 0; i < kCols; ++i) error += importance[i] * std::pow(in[i] - out[i], 2);
    return error;
  };
  for (const DType dtype : {DType::kQ4_0, DType::kQ4_1, DType::kQ5_0, DType::kQ5_1}) {
    EXPECT_LT(weighted(dtype, true), 0.8 * weighted(dtype, false)) << NameOf(dtype);
  }
}

INSTANTIATE_TEST_SUITE_P(Types, EncodeFittedTest,
                         ::testing::Values(Case{DType::kQ2_K, 0.30}, Case{DType::kQ3_K, 0.16},
                                           Case{DType::kQ4_K, 0.080}, Case{DType::kQ5_K, 0.040},
                                           Case{DType::kQ6_K, 0.020}, Case{DType::kQ4_0, 0.095},
                                           Case{DType::kQ4_1, 0.085}, Case{DType::kQ5_0, 0.047},
                                           Case{DType::kQ5_1, 0.042}, Case{DType::kIQ4_NL, 0.080},
                                           Case{DType::kIQ4_XS, 0.080}),
                         [](const auto& test) { return std::string(NameOf(test.param.dtype)); });

}  // namespace
}  // namespace tutti::tensor
