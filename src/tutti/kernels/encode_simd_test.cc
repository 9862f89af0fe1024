// The fast fits against their scalar twin, on every SIMD target of this machine.
#include "tutti/kernels/encode_simd.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "tutti/base/rng.h"
#include "tutti/kernels/simd_targets_test.h"
#include "tutti/tensor/encode_fitted.h"

namespace tutti::kernels {
namespace {

using tensor::AffineGrid;
using tensor::FitGroups;
using tensor::GroupFits;
using tensor::kFitLanes;
using tensor::ScaledGrid;

class EncodeSimdTest : public SimdTest {};

// Groups of the kinds that take different ways: bell-shaped, one-sided, constant, zero, tiny.
struct Sample {
  std::vector<float> x, w;
  explicit Sample(uint64_t seed, int n) {
    Rng rng(seed);
    for (int i = 0; i < n * kFitLanes; ++i) {
      const double bell = rng.NextDouble() + rng.NextDouble() + rng.NextDouble() - 1.5;
      double value = 0.02 * bell;
      const int kind = i % kFitLanes;
      if (kind == 1) value = std::abs(value);
      if (kind == 2) value = -std::abs(value);
      if (kind == 3) value = 0.125;
      if (kind == 4) value = 0;
      if (kind == 5) value = i / kFitLanes == 3 ? -7.5 : 0;
      if (kind == 6) value *= 1e-36;
      if (kind == 7) value = 3 + bell;
      x.push_back(static_cast<float>(value));
      w.push_back(static_cast<float>(kind == 8 ? 0 : rng.NextDouble() + 0.01));
    }
  }
};

void ExpectSame(const std::vector<float>& expected, const std::vector<float>& actual,
                const char* what) {
  for (size_t g = 0; g < expected.size(); ++g) {
    ASSERT_EQ(expected[g], actual[g]) << what << " of group " << g;
  }
}

template <typename Grid>
void ExpectTwins(const Grid& grid, int n, uint64_t seed) {
  const Sample sample(seed, n);
  const FitGroups groups{sample.x.data(), sample.w.data(), n};
  std::vector<float> scale[2], minimum[2], error[2];
  std::vector<uint8_t> levels[2];
  int side = 0;
  for (const GroupFits* fits : {&tensor::ScalarGroupFits(), &FastGroupFits()}) {
    scale[side].resize(kFitLanes);
    minimum[side].resize(kFitLanes);
    error[side].resize(kFitLanes);
    levels[side].resize(static_cast<size_t>(n * kFitLanes), 99);
    if constexpr (std::is_same_v<Grid, AffineGrid>) {
      fits->fit_affine(groups, grid, scale[side].data(), minimum[side].data());
      fits->place_affine(groups, grid, scale[side].data(), minimum[side].data(),
                         levels[side].data(), error[side].data());
    } else {
      fits->fit_scaled(groups, grid, scale[side].data());
      fits->place_scaled(groups, grid, scale[side].data(), levels[side].data(), error[side].data());
    }
    ++side;
  }
  ExpectSame(scale[0], scale[1], "scale");
  ExpectSame(minimum[0], minimum[1], "minimum");
  ExpectSame(error[0], error[1], "error");
  ASSERT_EQ(levels[0], levels[1]);
}

TEST_P(EncodeSimdTest, AffineFits) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    for (const int top : {3, 15, 31}) {
      for (const bool is_signed : {false, true}) {
        for (const int n : {16, 32}) {
          ASSERT_NO_FATAL_FAILURE(ExpectTwins(AffineGrid{top, is_signed}, n, seed));
        }
      }
    }
  }
}

TEST_P(EncodeSimdTest, ScaledFits) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    for (const ScaledGrid& grid : {ScaledGrid{-4, 3, false}, ScaledGrid{-8, 7, false},
                                   ScaledGrid{-32, 31, false}, ScaledGrid{0, 0, true}}) {
      for (const int n : {16, 32}) ASSERT_NO_FATAL_FAILURE(ExpectTwins(grid, n, seed));
    }
  }
}

TEST_P(EncodeSimdTest, TheSameBytes) {
  Rng rng(1);
  std::vector<float> row(256 * 5), importance(row.size());
  for (float& value : row) value = static_cast<float>(rng.NextDouble() - 0.4);
  for (float& value : importance) value = static_cast<float>(rng.NextDouble() + 0.001);
  for (int id = 0; id <= static_cast<int>(DType::kMXFP4Split); ++id) {
    const auto dtype = static_cast<DType>(id);
    if (!tensor::CanEncodeFitted(dtype)) continue;
    const DTypeInfo& info = InfoOf(dtype);
    const auto bytes =
        row.size() / static_cast<size_t>(info.block_size) * static_cast<size_t>(info.block_bytes);
    for (const bool weighted : {false, true}) {
      const auto weights = weighted ? std::span<const float>(importance) : std::span<const float>();
      std::vector<std::byte> expected(bytes), actual(bytes);
      tensor::EncodeFittedRow(dtype, row, weights, expected);
      tensor::EncodeFittedRow(dtype, row, weights, actual, FastGroupFits());
      ASSERT_TRUE(expected == actual) << NameOf(dtype);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Targets, EncodeSimdTest, ::testing::ValuesIn(SimdTargets()),
                         SimdTargetName);

}  // namespace
}  // namespace tutti::kernels
