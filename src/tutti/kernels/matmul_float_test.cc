// The float32 product against double arithmetic on the same decoded weights, and against itself:
// a sum must not depend on its neighbours.
#include "tutti/kernels/matmul_float.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "tutti/base/rng.h"
#include "tutti/kernels/simd_targets_test.h"
#include "tutti/tensor/decode.h"
#include "tutti/tensor/half.h"

namespace tutti::kernels {
namespace {

class MatMulFloatTest : public SimdTest {};

std::vector<float> RandomFloats(size_t count, Rng& rng) {
  std::vector<float> values(count);
  for (float& value : values) value = static_cast<float>(rng.NextDouble() * 2 - 1);
  return values;
}

// A matrix of small floats of one type, owning its bytes.
struct Matrix {
  std::vector<std::byte> bytes;
  tensor::WeightView view;
};

Matrix MakeMatrix(DType dtype, int64_t rows, int64_t cols, Rng& rng) {
  const DTypeInfo& info = InfoOf(dtype);
  Matrix matrix;
  matrix.view.dtype = dtype;
  matrix.view.rows = rows;
  matrix.view.cols = cols;
  matrix.view.row_stride_bytes = cols / info.block_size * info.block_bytes;
  matrix.bytes.resize(static_cast<size_t>(rows * matrix.view.row_stride_bytes));
  if (dtype == DType::kF32) {
    const std::vector<float> values = RandomFloats(static_cast<size_t>(rows * cols), rng);
    std::memcpy(matrix.bytes.data(), values.data(), matrix.bytes.size());
  } else if (dtype == DType::kBF16) {
    for (size_t i = 0; i < matrix.bytes.size(); i += 2) {
      const uint16_t half = tensor::FloatToBF16(static_cast<float>(rng.NextDouble() * 2 - 1));
      std::memcpy(matrix.bytes.data() + i, &half, 2);
    }
  } else {
    // Q8_0: random codes with a scale of 1/128.
    for (std::byte& byte : matrix.bytes) byte = static_cast<std::byte>(rng.NextU64() & 0xff);
    const uint16_t scale = tensor::FloatToF16(0x1p-7f);
    for (size_t i = 0; i < matrix.bytes.size(); i += 34) {
      std::memcpy(matrix.bytes.data() + i, &scale, 2);
    }
  }
  matrix.view.data = matrix.bytes.data();
  return matrix;
}

std::vector<float> Product(const Matrix& matrix, const Activations& x, const float* bias,
                           int64_t split) {
  const int64_t rows = matrix.view.rows;
  // A margin behind every row of out must stay untouched.
  const int64_t out_stride = rows + 3;
  std::vector<float> padded(static_cast<size_t>(x.rows * out_stride), -7.0f);
  std::vector<float> scratch(MatMulFloatScratch(matrix.view.cols));
  const MatMulJob job{matrix.view, bias, padded.data(), out_stride};
  MatMulFloatRows(x, job, 0, split, scratch);
  MatMulFloatRows(x, job, split, rows, scratch);
  std::vector<float> out;
  for (int64_t t = 0; t < x.rows; ++t) {
    const float* row = padded.data() + t * out_stride;
    out.insert(out.end(), row, row + rows);
    for (int64_t i = rows; i < out_stride; ++i) EXPECT_EQ(row[i], -7.0f);
  }
  return out;
}

TEST_P(MatMulFloatTest, MatchesDoubleArithmetic) {
  Rng rng(1);
  for (const DType dtype : {DType::kF32, DType::kBF16, DType::kQ8_0}) {
    for (const int64_t cols : {32, 64, 96, 544, 4096}) {
      const int64_t rows = 37;
      const Matrix matrix = MakeMatrix(dtype, rows, cols, rng);
      const std::vector<float> bias = RandomFloats(rows, rng);
      for (const int64_t tokens : {1, 2, 3, 4, 5, 9}) {
        const std::vector<float> input = RandomFloats(static_cast<size_t>(tokens * cols), rng);
        const Activations x{input.data(), tokens, cols, cols};
        const std::vector<float> out = Product(matrix, x, bias.data(), 0);
        std::vector<float> weights(static_cast<size_t>(cols));
        for (int64_t r = 0; r < rows; ++r) {
          tensor::DecodeRow(matrix.view, r, weights);
          for (int64_t t = 0; t < tokens; ++t) {
            double sum = 0;
            double magnitude = 0;
            for (int64_t c = 0; c < cols; ++c) {
              const double term =
                  static_cast<double>(weights[static_cast<size_t>(c)]) * x.Row(t)[c];
              sum += term;
              magnitude += std::abs(term);
            }
            sum += bias[static_cast<size_t>(r)];
            // A bound of rounding for sums of lanes: some eps times the sum of magnitudes.
            ASSERT_NEAR(out[static_cast<size_t>(t * rows + r)], sum, 3e-7 * magnitude + 1e-7)
                << NameOf(dtype) << " " << cols << " columns, row " << r << ", token " << t;
          }
        }
      }
    }
  }
}

// Odd numbers of columns have tails that are no whole vector; addresses need no alignment.
TEST_P(MatMulFloatTest, AnyNumberOfColumnsAtAnyAddress) {
  Rng rng(2);
  for (int64_t cols = 1; cols <= 67; ++cols) {
    for (const DType dtype : {DType::kF32, DType::kBF16}) {
      for (const int64_t tokens : {3, 5}) {
        Matrix matrix = MakeMatrix(dtype, 6, cols, rng);
        const std::vector<float> input = RandomFloats(static_cast<size_t>(tokens * cols), rng);
        const Activations x{input.data(), tokens, cols, cols};
        const std::vector<float> out = Product(matrix, x, nullptr, 3);
        for (int64_t r = 0; r < 6; ++r) {
          std::vector<float> weights(static_cast<size_t>(cols));
          tensor::DecodeRow(matrix.view, r, weights);
          for (int64_t t = 0; t < tokens; ++t) {
            double sum = 0;
            for (int64_t c = 0; c < cols; ++c) {
              sum += static_cast<double>(weights[static_cast<size_t>(c)]) * x.Row(t)[c];
            }
            ASSERT_NEAR(out[static_cast<size_t>(t * 6 + r)], sum, 1e-5);
          }
        }
        matrix.bytes.insert(matrix.bytes.begin(), std::byte{0});
        matrix.view.data = matrix.bytes.data() + 1;
        ASSERT_EQ(Product(matrix, x, nullptr, 3), out) << cols;
      }
    }
  }
}

TEST_P(MatMulFloatTest, ASumDependsOnItsOwnRowsOnly) {
  Rng rng(3);
  const int64_t rows = 75;
  const int64_t tokens = 11;
  for (const DType dtype : {DType::kF32, DType::kBF16, DType::kQ8_0}) {
    for (const int64_t cols : {96, 1056}) {
      const Matrix matrix = MakeMatrix(dtype, rows, cols, rng);
      const std::vector<float> input = RandomFloats(static_cast<size_t>(tokens * cols), rng);
      const Activations x{input.data(), tokens, cols, cols};
      const std::vector<float> whole = Product(matrix, x, nullptr, 0);
      for (const int64_t split : {1, 2, 3, 7, 31, 74}) {
        ASSERT_EQ(Product(matrix, x, nullptr, split), whole) << "split at " << split;
      }
      for (int64_t count = 1; count < tokens; ++count) {
        for (int64_t first = 0; first + count <= tokens; first += count) {
          const Activations part{x.Row(first), count, cols, cols};
          const auto begin = whole.begin() + first * rows;
          ASSERT_EQ(Product(matrix, part, nullptr, 0),
                    std::vector<float>(begin, begin + count * rows));
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(AllTargets, MatMulFloatTest, ::testing::ValuesIn(SimdTargets()),
                         SimdTargetName);

}  // namespace
}  // namespace tutti::kernels
