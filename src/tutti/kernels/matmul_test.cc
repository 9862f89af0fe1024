#include "tutti/kernels/matmul.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "tutti/base/checked_math.h"
#include "tutti/base/rng.h"
#include "tutti/kernels/strip.h"
#include "tutti/tensor/decode.h"
#include "tutti/tensor/random_blocks.h"

namespace tutti::kernels {
namespace {

// Any blocks whose largest value is neither zero nor huge.
void FillAny(DType dtype, Rng& rng, std::span<std::byte> bytes) {
  const DTypeInfo& info = InfoOf(dtype);
  std::vector<float> values(static_cast<size_t>(info.block_size));
  tensor::WeightView view;
  view.dtype = dtype;
  view.rows = 1;
  view.cols = info.block_size;
  view.row_stride_bytes = info.block_bytes;
  for (size_t at = 0; at < bytes.size(); at += static_cast<size_t>(info.block_bytes)) {
    view.data = &bytes[at];
    for (bool fits = false; !fits;) {
      for (int32_t i = 0; i < info.block_bytes; ++i) {
        bytes[at + static_cast<size_t>(i)] = static_cast<std::byte>(rng.NextU64());
      }
      tensor::DecodeRow(view, 0, values);
      float largest = 0;
      fits = true;
      for (const float v : values) {
        fits = fits && std::abs(v) <= 1;  // not for NaN
        largest = std::max(largest, std::abs(v));
      }
      fits = fits && largest >= 0x1p-7f;
    }
  }
}

struct TestMatrix {
  TestMatrix(DType dtype, int64_t rows, int64_t cols, Rng& rng) {
    const DTypeInfo& info = InfoOf(dtype);
    view.dtype = dtype;
    view.rows = rows;
    view.cols = cols;
    view.row_stride_bytes = cols / info.block_size * info.block_bytes;
    bytes.resize(static_cast<size_t>(rows * view.row_stride_bytes));
    view.data = bytes.data();
    if (dtype == DType::kInt4Packed || dtype == DType::kMXFP4Split) {
      for (std::byte& b : bytes) b = static_cast<std::byte>(rng.NextU64());
      AddScales(dtype == DType::kInt4Packed ? DType::kF32 : DType::kU8, 1, 32, rng);
    } else if (tensor::CanFillRandom(dtype)) {
      tensor::FillRandom(dtype, 0.05f, rng, bytes);
    } else {
      FillAny(dtype, rng, bytes);
      if (dtype == DType::kF8E4M3) AddScales(DType::kF32, 64, 128, rng);
    }
    bias.resize(static_cast<size_t>(rows));
    for (float& v : bias) v = static_cast<float>(rng.NextDouble());
  }
  // In a tensor of their own: 1/8 to 3/8, or powers of two.
  void AddScales(DType dtype, int64_t block_rows, int64_t block_cols, Rng& rng) {
    view.scale_dtype = dtype;
    view.scale_block_rows = static_cast<int32_t>(block_rows);
    view.scale_block_cols = static_cast<int32_t>(block_cols);
    const int64_t size = InfoOf(dtype).block_bytes;
    view.scale_row_stride_bytes = DivCeil(view.cols, block_cols) * size;
    scales.resize(
        static_cast<size_t>(DivCeil(view.rows, block_rows) * view.scale_row_stride_bytes));
    for (size_t at = 0; at < scales.size(); at += static_cast<size_t>(size)) {
      const float plain = 0.125f + static_cast<float>(rng.NextDouble()) / 4;
      const auto power = static_cast<uint8_t>(122 + rng.NextU64() % 4);
      if (dtype == DType::kF32) std::memcpy(&scales[at], &plain, sizeof plain);
      if (dtype == DType::kU8) std::memcpy(&scales[at], &power, sizeof power);
    }
    view.scales = scales.data();
  }
  tensor::WeightView view;
  std::vector<std::byte> bytes;
  std::vector<std::byte> scales;
  std::vector<float> bias;
};

std::vector<float> RandomFloats(int64_t count, Rng& rng) {
  std::vector<float> x(static_cast<size_t>(count));
  for (float& v : x) v = static_cast<float>(rng.NextDouble() * 2 - 1);
  return x;
}

// Relative error of a product against double arithmetic on the decoded weights.
double ErrorOf(const TestMatrix& m, const Activations& x, const float* out, int64_t stride) {
  double error = 0;
  double size = 0;
  std::vector<float> row(static_cast<size_t>(m.view.cols));
  for (int64_t r = 0; r < m.view.rows; ++r) {
    tensor::DecodeRow(m.view, r, row);
    for (int64_t t = 0; t < x.rows; ++t) {
      double sum = m.bias[static_cast<size_t>(r)];
      for (int64_t c = 0; c < x.cols; ++c) {
        sum += static_cast<double>(row[static_cast<size_t>(c)]) * x.Row(t)[c];
      }
      error += std::pow(out[t * stride + r] - sum, 2);
      size += sum * sum;
    }
  }
  return std::sqrt(error / size);
}

// Q, K and V in one call, in different formats and heights, with and without strips.
TEST(MatMulTest, JobsOfMixedFormatsShareTheirInput) {
  Rng rng(1);
  os::ThreadPool pool(2);
  KernelContext context{pool};
  constexpr int64_t kCols = 512, kTokens = 11;
  const TestMatrix q(DType::kQ4_K, 70, kCols, rng), k(DType::kQ6_K, 33, kCols, rng),
      v(DType::kBF16, 31, kCols, rng), odd(DType::kF16, 5, kCols, rng);
  const std::vector<float> in = RandomFloats(kTokens * 600, rng);
  const Activations x{in.data(), kTokens, kCols, 600};
  std::vector<float> out(kTokens * 200, -9.0f);
  const MatMulJob jobs[] = {{q.view, q.bias.data(), out.data(), 200},
                            {k.view, k.bias.data(), out.data() + 70, 200},
                            {v.view, v.bias.data(), out.data() + 103, 200},
                            {odd.view, odd.bias.data(), out.data() + 134, 200}};
  for (const bool exact : {false, true}) {
    context.exact = exact;
    const uint64_t runs = pool.runs();
    MatMul(x, jobs, context);
    EXPECT_EQ(pool.runs() - runs, 1u) << "one fork and join, the quantisation is small";
    const double int8_error = exact ? 1e-6 : 0.01;
    EXPECT_LT(ErrorOf(q, x, out.data(), 200), int8_error);
    EXPECT_LT(ErrorOf(k, x, out.data() + 70, 200), int8_error);
    EXPECT_LT(ErrorOf(v, x, out.data() + 103, 200), 1e-6);
    EXPECT_LT(ErrorOf(odd, x, out.data() + 134, 200), 1e-6);
    if (!exact) {
      EXPECT_GT(ErrorOf(q, x, out.data(), 200), 1e-5) << "the int8 path did not run";
    }
    for (int64_t t = 0; t < kTokens; ++t) {
      EXPECT_EQ(out[static_cast<size_t>(t * 200 + 139)], -9.0f) << "written outside";
    }
  }
}

bool MayBeWeights(DType dtype) {
  return InfoOf(dtype).block_size > 1 || dtype == DType::kF32 || dtype == DType::kF16 ||
         dtype == DType::kBF16 || dtype == DType::kF8E4M3;
}

void ExpectTheSameBitsInEveryCompany(const TestMatrix& m, bool exact, Rng& rng) {
  constexpr int64_t kTokens = 600;  // more than one block of columns
  const int64_t rows = m.view.rows, cols = m.view.cols;
  const std::vector<float> in = RandomFloats(kTokens * cols, rng);
  os::ThreadPool one(1), three(3);
  KernelContext alone{one, exact}, crowd{three, exact};
  std::vector<float> expected(static_cast<size_t>(kTokens * rows)), actual(expected.size());
  const MatMulJob job{m.view, m.bias.data(), expected.data(), rows};
  MatMul({in.data(), kTokens, cols, cols}, {&job, 1}, crowd);
  for (int64_t first = 0, count = 1; first < kTokens; first += count, count = count * 3 + 1) {
    count = std::min(count, kTokens - first);
    const MatMulJob part{m.view, m.bias.data(), actual.data() + first * rows, rows};
    MatMul({in.data() + first * cols, count, cols, cols}, {&part, 1}, alone);
  }
  EXPECT_EQ(0, std::memcmp(actual.data(), expected.data(), actual.size() * sizeof(float)));
  // The first tokens and, behind the border of a block, the last.
  for (const int64_t first : {int64_t{0}, kTokens - 3}) {
    const Activations some{in.data() + first * cols, 3, cols, cols};
    EXPECT_LT(ErrorOf(m, some, expected.data() + first * rows, rows),
              HasStrips(m.view) && !exact ? 0.01 : 1e-6);
  }
}

TEST(MatMulTest, ARowOfAnyTypeHasTheSameBitsInEveryCompanyOnAnyThreads) {
  for (int id = 0; id <= static_cast<int>(DType::kMXFP4Split); ++id) {
    const auto dtype = static_cast<DType>(id);
    if (!MayBeWeights(dtype)) continue;
    for (const bool exact : {false, true}) {
      SCOPED_TRACE(std::string(NameOf(dtype)) + (exact ? ", exact" : ""));
      Rng rng(2);
      const TestMatrix m(dtype, 97, 768, rng);
      ExpectTheSameBitsInEveryCompany(m, exact, rng);
    }
  }
}

// The heads of tokens: row h of each three goes to matrix h, as in three calls.
TEST(MatMulTest, JobsMayTakeRowsInSteps) {
  Rng rng(4);
  os::ThreadPool pool(2);
  KernelContext context{pool};
  constexpr int64_t kCols = 256, kHeads = 3, kTokens = 5, kRows = 40;
  for (const DType dtype : {DType::kQ4_K, DType::kBF16}) {
    const std::vector<float> in = RandomFloats(kTokens * kHeads * kCols, rng);
    const Activations x{in.data(), kTokens * kHeads, kCols, kCols};
    std::vector<TestMatrix> matrices;
    for (int64_t h = 0; h < kHeads; ++h) matrices.emplace_back(dtype, kRows, kCols, rng);
    std::vector<float> together(kTokens * kHeads * kRows), apart(together.size());
    std::vector<MatMulJob> jobs;
    for (int64_t h = 0; h < kHeads; ++h) {
      const tensor::WeightView& view = matrices[static_cast<size_t>(h)].view;
      jobs.push_back({.weight = view,
                      .out = together.data() + h * kRows,
                      .out_stride = kHeads * kRows,
                      .first = h,
                      .step = kHeads});
      const MatMulJob alone{
          .weight = view, .out = apart.data() + h * kRows, .out_stride = kHeads * kRows};
      MatMul({x.Row(h), kTokens, kCols, kHeads * kCols}, {&alone, 1}, context);
    }
    MatMul(x, jobs, context);
    EXPECT_EQ(together, apart);
  }
}

TEST(MatMulTest, NothingToDo) {
  os::ThreadPool pool(1);
  KernelContext context{pool};
  Rng rng(1);
  const TestMatrix m(DType::kQ8_0, 4, 32, rng);
  const MatMulJob job{m.view, nullptr, nullptr, 4};
  MatMul({nullptr, 0, 32, 32}, {&job, 1}, context);
  EXPECT_EQ(pool.runs(), 0u);
}

}  // namespace
}  // namespace tutti::kernels
