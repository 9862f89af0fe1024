#include "tutti/kernels/rms_norm.h"

#include <random>
#include <vector>

#include "tutti/kernels/simd_targets_test.h"

namespace tutti::kernels {
namespace {

class RmsNormTest : public SimdTest {};

TEST_P(RmsNormTest, MatchesReferenceForEverySize) {
  std::mt19937 rng(42);
  std::normal_distribution<float> normal;
  for (size_t dim = 1; dim <= 133; ++dim) {  // 133 > 8 vectors of 16 lanes: every tail length
    std::vector<float> x(dim), weight(dim), expected(dim), actual(dim);
    for (float& v : x) v = normal(rng);
    for (float& v : weight) v = normal(rng);
    RmsNormReference(x, weight, 1e-6f, expected);
    RmsNorm(x, weight, 1e-6f, actual);
    for (size_t i = 0; i < dim; ++i) {
      ASSERT_NEAR(actual[i], expected[i], 1e-6f * (1 + std::abs(expected[i])))
          << "dim " << dim << " at " << i;
    }
    RmsNorm(x, weight, 1e-6f, x);  // in place, as the header allows
    ASSERT_EQ(x, actual);
  }
}

TEST_P(RmsNormTest, RowsOfHeadsAreNormalisedOneByOne) {
  constexpr int64_t kRows = 19, kHeads = 3, kDim = 20, kStride = 64;
  os::ThreadPool pool(2);
  KernelContext context{pool};
  std::mt19937 rng(7);
  std::normal_distribution<float> normal;
  std::vector<float> x(kRows * kStride), weight(kDim), out(kRows * kStride, -7.0f);
  for (float& v : x) v = normal(rng);
  for (float& v : weight) v = normal(rng);
  RmsNormRows(x.data(), kRows, kHeads, kStride, weight, 1e-5f, out.data(), kStride, context);
  for (int64_t row = 0; row < kRows; ++row) {
    for (int64_t head = 0; head < kHeads; ++head) {
      std::vector<float> expected(kDim);
      const size_t offset = static_cast<size_t>(row * kStride + head * kDim);
      RmsNorm(std::span(x).subspan(offset, kDim), weight, 1e-5f, expected);
      for (size_t i = 0; i < kDim; ++i) ASSERT_EQ(out[offset + i], expected[i]);
    }
    for (int64_t i = kHeads * kDim; i < kStride; ++i) {
      ASSERT_EQ(out[static_cast<size_t>(row * kStride + i)], -7.0f) << "outside the heads";
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Targets, RmsNormTest, ::testing::ValuesIn(SimdTargets()), SimdTargetName);

}  // namespace
}  // namespace tutti::kernels
