#include "tutti/model/weight_copies.h"

#include <gtest/gtest.h>

#include <limits>

#include "tutti/base/rng.h"
#include "tutti/tensor/decode.h"

namespace tutti::model {
namespace {

constexpr int64_t kNoLimit = std::numeric_limits<int64_t>::max();

// Random bytes as a matrix; one byte off, as safetensors may have it.
struct Matrix {
  std::vector<std::byte> bytes;
  tensor::WeightView view;
};

Matrix RandomMatrix(DType dtype, int64_t rows, int64_t cols) {
  Matrix matrix;
  const DTypeInfo& info = InfoOf(dtype);
  const int64_t stride = cols / info.block_size * info.block_bytes;
  matrix.bytes.resize(static_cast<size_t>(rows * stride + 1));
  Rng rng(static_cast<uint64_t>(rows * 1000 + cols));
  for (std::byte& byte : matrix.bytes) byte = static_cast<std::byte>(rng.NextU64() & 0x3f);
  matrix.view = {.dtype = dtype,
                 .rows = rows,
                 .cols = cols,
                 .data = matrix.bytes.data() + 1,
                 .row_stride_bytes = stride};
  return matrix;
}

std::vector<float> RowOf(const tensor::WeightView& view, int64_t row) {
  std::vector<float> values(static_cast<size_t>(view.cols));
  tensor::DecodeRow(view, row, values);
  return values;
}

TEST(WeightCopiesTest, TransposedOfEveryKindAndSize) {
  for (const DType dtype : {DType::kF32, DType::kBF16, DType::kF16, DType::kQ8_0, DType::kQ4_0}) {
    for (const int64_t rows : {1, 31, 32, 33, 70}) {
      for (const int64_t cols : {32, 64, 96}) {
        const Matrix matrix = RandomMatrix(dtype, rows, cols);
        std::vector<std::vector<std::byte>> owned;
        const auto turned = WeightCopies(owned, kNoLimit).Transposed(matrix.view);
        ASSERT_TRUE(turned.ok());
        ASSERT_EQ(turned->rows, cols);
        ASSERT_EQ(turned->cols, rows);
        EXPECT_EQ(turned->dtype, InfoOf(dtype).block_size > 1 ? DType::kF32 : dtype);
        for (int64_t r = 0; r < rows; ++r) {
          const std::vector<float> row = RowOf(matrix.view, r);
          for (int64_t c = 0; c < cols; ++c) {
            ASSERT_EQ(RowOf(*turned, c)[static_cast<size_t>(r)], row[static_cast<size_t>(c)]);
          }
        }
      }
    }
  }
}

TEST(WeightCopiesTest, DecodedIsTheSameMatrix) {
  const Matrix matrix = RandomMatrix(DType::kQ8_0, 7, 64);
  std::vector<std::vector<std::byte>> owned;
  const auto copy = WeightCopies(owned, kNoLimit).Decoded(matrix.view);
  ASSERT_TRUE(copy.ok());
  EXPECT_EQ(copy->dtype, DType::kF32);
  for (int64_t r = 0; r < 7; ++r) EXPECT_EQ(RowOf(*copy, r), RowOf(matrix.view, r));
}

TEST(WeightCopiesTest, LateOnesAreThereWhenTheyAreWanted) {
  std::vector<std::vector<std::byte>> owned;
  LateCopies late;
  WeightCopies copies(owned, 0, &late);
  for (const DType dtype : {DType::kBF16, DType::kQ8_0}) {
    const Matrix matrix = RandomMatrix(dtype, 33, 64);
    const auto turned = copies.Transposed(matrix.view);
    ASSERT_TRUE(turned.ok()) << turned.status().message();
    std::vector<std::vector<std::byte>> now;
    const auto expected = WeightCopies(now, kNoLimit).Transposed(matrix.view);
    ASSERT_TRUE(expected.ok());
    const tensor::WeightView last = turned->Rows(63, 64);  // a part of it will do
    for (int turn = 0; turn < 2; ++turn) {
      late.Make(last);
      for (int64_t r = 0; r < 64; ++r) ASSERT_EQ(RowOf(*turned, r), RowOf(*expected, r));
      late.Drop(last);
      EXPECT_EQ(RowOf(*turned, 5), std::vector<float>(33, 0.0F)) << "the memory is given back";
    }
    late.Make(matrix.view);  // no copy
    EXPECT_EQ(RowOf(*turned, 5), std::vector<float>(33, 0.0F));
  }
  EXPECT_TRUE(owned.empty());
}

TEST(WeightCopiesTest, LimitIsForAllCopiesTogether) {
  const Matrix matrix = RandomMatrix(DType::kF32, 4, 32);  // 512 bytes
  std::vector<std::vector<std::byte>> owned;
  WeightCopies copies(owned, 1000);
  EXPECT_TRUE(copies.Transposed(matrix.view).ok());
  const auto second = copies.Decoded(matrix.view);
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.status().code(), StatusCode::kResource);
  EXPECT_NE(second.status().message().find("1000 bytes"), std::string::npos);
  EXPECT_EQ(owned.size(), 1u);
}

}  // namespace
}  // namespace tutti::model
