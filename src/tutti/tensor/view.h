// Non-owning views of weights as they lie in a mapped file.
//
// Nothing here owns memory: a view is valid as long as the checkpoint (format/checkpoint.h) that
// handed it out. Views are values, cheap to copy, and immutable data behind them may be read from
// any thread.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "tutti/spec/dtype.h"

namespace tutti::tensor {

inline constexpr int kMaxDims = 4;

// Outermost dimension first, as in safetensors and NumPy: a matrix is [rows, cols] and `cols` is
// contiguous. (GGUF lists dimensions innermost first; format/ turns them around.)
struct Shape {
  std::array<int64_t, kMaxDims> dims{};
  int rank = 0;

  int64_t operator[](int i) const { return dims[static_cast<size_t>(i)]; }
  int64_t elements() const {
    int64_t n = 1;
    for (int i = 0; i < rank; ++i) n *= dims[static_cast<size_t>(i)];
    return n;
  }
  std::string ToString() const;  // "[512, 64]"
  friend bool operator==(const Shape&, const Shape&) = default;
};

// One tensor of a file: contiguous, size checked against the file when the checkpoint was opened.
struct TensorView {
  DType dtype = DType::kF32;
  Shape shape;
  const std::byte* data = nullptr;
  size_t size_bytes = 0;
};

// One weight matrix [rows, cols], ready for kernels: y = W x with x [cols], y [rows].
//
// Value (r, c) is decode(data + r * row_stride_bytes, c), times the scale of its block where the
// format keeps scales in a second tensor:
//   kF8E4M3 with scales   f32 per scale_block_rows x scale_block_cols (128 x 128; edges partial)
//   kInt4Packed           bf16/f16/f32 per 1 x group (32 or so); value = (nibble - 8) * scale
//   kMXFP4Split           u8 E8M0 per 1 x 32
struct WeightView {
  DType dtype = DType::kF32;
  int64_t rows = 0;
  int64_t cols = 0;
  const std::byte* data = nullptr;
  int64_t row_stride_bytes = 0;

  const std::byte* scales = nullptr;  // null: the format has none
  DType scale_dtype = DType::kF32;
  int64_t scale_row_stride_bytes = 0;  // between rows of *blocks*
  int32_t scale_block_rows = 1;
  int32_t scale_block_cols = 0;

  bool empty() const { return data == nullptr; }
  // Rows [begin, end) as a view; begin must be a multiple of scale_block_rows.
  WeightView Rows(int64_t begin, int64_t end) const;
  // Bytes of weights (and scales) that a product with this matrix reads.
  int64_t ReadBytes() const;
};

// A contiguous matrix. `tensor` must have rank 2 (or rank 1: one row).
WeightView WholeMatrix(const TensorView& tensor);
// Matrix `index` of a stack [n, rows, cols].
WeightView MatrixOfStack(const TensorView& tensor, int64_t index);

}  // namespace tutti::tensor
