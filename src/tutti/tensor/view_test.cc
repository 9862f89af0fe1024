#include "tutti/tensor/view.h"

#include <gtest/gtest.h>

#include <vector>

namespace tutti::tensor {
namespace {

TEST(ViewTest, RowsOfABlockFormatAreWholeBlocks) {
  std::vector<std::byte> data(6 * 2 * 34);
  const TensorView tensor{DType::kQ8_0, Shape{{2, 3, 64}, 3}, data.data(), data.size()};
  const WeightView second = MatrixOfStack(tensor, 1);
  EXPECT_EQ(second.rows, 3);
  EXPECT_EQ(second.cols, 64);
  EXPECT_EQ(second.row_stride_bytes, 68);
  EXPECT_EQ(second.data - data.data(), 3 * 68);
  EXPECT_EQ(second.ReadBytes(), 3 * 68);
  const WeightView slice = second.Rows(1, 3);
  EXPECT_EQ(slice.rows, 2);
  EXPECT_EQ(slice.data - second.data, 68);
}

TEST(ViewTest, ScalesInASecondTensorMoveAlongAndCount) {
  std::vector<std::byte> data(300 * 200), scales(3 * 2 * 4);
  WeightView view = WholeMatrix({DType::kF8E4M3, Shape{{300, 200}, 2}, data.data(), data.size()});
  view.scales = scales.data();
  view.scale_row_stride_bytes = 8;
  view.scale_block_rows = 128;
  view.scale_block_cols = 128;
  EXPECT_EQ(view.ReadBytes(), 300 * 200 + 3 * 2 * 4);
  EXPECT_EQ(view.Rows(256, 300).scales - scales.data(), 16);
}

TEST(ViewTest, ShapesPrintLikeNumPy) {
  EXPECT_EQ((Shape{{2, 3, 64}, 3}).ToString(), "[2, 3, 64]");
  EXPECT_EQ((Shape{{2, 3, 64}, 3}).elements(), 384);
}

}  // namespace
}  // namespace tutti::tensor
