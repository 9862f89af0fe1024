#include "tutti/tensor/random_blocks.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "tutti/tensor/decode.h"

namespace tutti::tensor {
namespace {

TEST(RandomBlocksTest, EveryTypeDecodesToTheWantedDeviationAroundZero) {
  constexpr int64_t kCols = 4096;
  constexpr float kDeviation = 0.02f;
  int types = 0;
  for (int i = 0; i <= static_cast<int>(DType::kMXFP4Split); ++i) {
    const auto dtype = static_cast<DType>(i);
    if (!CanFillRandom(dtype)) continue;
    ++types;
    Rng rng(1);
    const DTypeInfo& info = InfoOf(dtype);
    std::vector<std::byte> bytes(static_cast<size_t>(kCols / info.block_size * info.block_bytes));
    FillRandom(dtype, kDeviation, rng, bytes);
    std::vector<float> values(kCols);
    DecodeRow(WholeMatrix({dtype, Shape{{1, kCols}, 2}, bytes.data(), bytes.size()}), 0, values);
    double sum = 0, squares = 0;
    for (float value : values) {
      sum += value;
      squares += static_cast<double>(value) * value;
    }
    const double deviation = std::sqrt(squares / kCols);
    // MXFP4's scales are powers of two, so its deviation is right within a factor of sqrt(2).
    const double tolerance = dtype == DType::kMXFP4 ? 0.42 : 0.05;
    EXPECT_NEAR(deviation / kDeviation, 1, tolerance) << info.name;
    // The asymmetric grids (IQ4, Q3_K's -4..3, Q4_0's -8..7) are off by less than a sixth.
    EXPECT_LT(std::abs(sum / kCols), kDeviation / 4) << info.name;
  }
  EXPECT_EQ(types, 16);
}

}  // namespace
}  // namespace tutti::tensor
