#include "tutti/tensor/view.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "tutti/base/check.h"
#include "tutti/base/checked_math.h"

namespace tutti::tensor {
namespace {

int64_t RowBytes(DType dtype, int64_t cols) {
  const DTypeInfo& info = InfoOf(dtype);
  TUTTI_CHECK(cols % info.block_size == 0, "a row must consist of whole blocks");
  return cols / info.block_size * info.block_bytes;
}

}  // namespace

std::string Shape::ToString() const {
  return fmt::format("[{}]", fmt::join(dims.begin(), dims.begin() + rank, ", "));
}

WeightView WeightView::Rows(int64_t begin, int64_t end) const {
  TUTTI_CHECK(0 <= begin && begin <= end && end <= rows, "row range outside the matrix");
  TUTTI_CHECK(begin % scale_block_rows == 0, "a row slice must begin at a block of scales");
  WeightView slice = *this;
  slice.rows = end - begin;
  slice.data += begin * row_stride_bytes;
  if (scales != nullptr) slice.scales += begin / scale_block_rows * scale_row_stride_bytes;
  return slice;
}

int64_t WeightView::ReadBytes() const {
  int64_t bytes = rows * RowBytes(dtype, cols);
  if (scales != nullptr) {
    bytes += DivCeil<int64_t>(rows, scale_block_rows) * DivCeil<int64_t>(cols, scale_block_cols) *
             InfoOf(scale_dtype).block_bytes;
  }
  return bytes;
}

WeightView WholeMatrix(const TensorView& tensor) {
  TUTTI_CHECK(tensor.shape.rank == 1 || tensor.shape.rank == 2,
              "a matrix has one or two dimensions");
  const bool is_row = tensor.shape.rank == 1;
  WeightView view;
  view.dtype = tensor.dtype;
  view.rows = is_row ? 1 : tensor.shape[0];
  view.cols = is_row ? tensor.shape[0] : tensor.shape[1];
  view.data = tensor.data;
  view.row_stride_bytes = RowBytes(tensor.dtype, view.cols);
  return view;
}

WeightView MatrixOfStack(const TensorView& tensor, int64_t index) {
  TUTTI_CHECK(tensor.shape.rank == 3, "a stack of matrices has three dimensions");
  TUTTI_CHECK(0 <= index && index < tensor.shape[0], "index outside the stack");
  WeightView view;
  view.dtype = tensor.dtype;
  view.rows = tensor.shape[1];
  view.cols = tensor.shape[2];
  view.row_stride_bytes = RowBytes(tensor.dtype, view.cols);
  view.data = tensor.data + index * view.rows * view.row_stride_bytes;
  return view;
}

}  // namespace tutti::tensor
