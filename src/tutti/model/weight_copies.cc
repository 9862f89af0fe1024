#include "tutti/model/weight_copies.h"

#include <algorithm>
#include <cstring>
#include <span>
#include <utility>

#include "tutti/tensor/decode.h"

namespace tutti::model {
namespace {

using tensor::WeightView;

// Squares of this many values stay in the first-level cache on both sides.
constexpr int64_t kTile = 32;

// True for numbers that can be moved one by one.
bool IsPlain(const WeightView& view) {
  return view.scales == nullptr && InfoOf(view.dtype).block_size == 1;
}

// out[c * out_cols + r] = rows' value (r, c). The source need not be aligned.
template <size_t kBytes>
void TransposeValues(const std::byte* data, int64_t stride_bytes, int64_t rows, int64_t cols,
                     std::byte* out, int64_t out_cols) {
  for (int64_t row = 0; row < rows; row += kTile) {
    for (int64_t col = 0; col < cols; col += kTile) {
      const int64_t row_end = std::min(rows, row + kTile);
      const int64_t col_end = std::min(cols, col + kTile);
      for (int64_t r = row; r < row_end; ++r) {
        const std::byte* from = data + r * stride_bytes;
        for (int64_t c = col; c < col_end; ++c) {
          std::memcpy(out + (c * out_cols + r) * static_cast<int64_t>(kBytes),
                      from + c * static_cast<int64_t>(kBytes), kBytes);
        }
      }
    }
  }
}

void TransposePlain(const WeightView& matrix, std::byte* out) {
  const auto transpose = [&](auto bytes) {
    TransposeValues<bytes()>(matrix.data, matrix.row_stride_bytes, matrix.rows, matrix.cols, out,
                             matrix.rows);
  };
  switch (InfoOf(matrix.dtype).block_bytes) {
    case 1:
      return transpose(std::integral_constant<size_t, 1>());
    case 2:
      return transpose(std::integral_constant<size_t, 2>());
    case 4:
      return transpose(std::integral_constant<size_t, 4>());
    default:
      return transpose(std::integral_constant<size_t, 8>());
  }
}

// A few rows at a time are decoded, then turned.
void TransposeDecoded(const WeightView& matrix, std::byte* out) {
  constexpr auto kSize = static_cast<int64_t>(sizeof(float));
  std::vector<float> tile(static_cast<size_t>(kTile * matrix.cols));
  for (int64_t row = 0; row < matrix.rows; row += kTile) {
    const int64_t rows = std::min(kTile, matrix.rows - row);
    for (int64_t r = 0; r < rows; ++r) {
      tensor::DecodeRow(matrix, row + r,
                        {tile.data() + r * matrix.cols, static_cast<size_t>(matrix.cols)});
    }
    TransposeValues<sizeof(float)>(reinterpret_cast<const std::byte*>(tile.data()),
                                   matrix.cols * kSize, rows, matrix.cols, out + row * kSize,
                                   matrix.rows);
  }
}

void Transpose(const WeightView& matrix, std::byte* out) {
  if (IsPlain(matrix)) {
    TransposePlain(matrix, out);
  } else {
    TransposeDecoded(matrix, out);
  }
}

}  // namespace

LateCopies::Copy* LateCopies::Find(const std::byte* data) {
  auto it = copies_.upper_bound(data);
  if (it == copies_.begin()) return nullptr;
  Copy& copy = (--it)->second;
  return data < copy.memory.data() + copy.memory.size_bytes() ? &copy : nullptr;
}

void LateCopies::Make(const WeightView& view) {
  if (Copy* copy = Find(view.data)) Transpose(copy->from, copy->memory.data());
}

void LateCopies::Drop(const WeightView& view) {
  if (Copy* copy = Find(view.data)) copy->memory.Clear();
}

Result<std::byte*> WeightCopies::Allocate(int64_t size_bytes) {
  if (size_bytes > left_bytes_) {
    return Error(StatusCode::kResource,
                 "some weights are published in an order that must be rewritten in memory; they "
                 "take more than the {} bytes that are available: use a GGUF of the model, or a "
                 "machine with more memory",
                 limit_bytes_);
  }
  left_bytes_ -= size_bytes;
  return owned_.emplace_back(static_cast<size_t>(size_bytes)).data();
}

Result<WeightView> WeightCopies::Decoded(const WeightView& matrix) {
  WeightView copy;
  copy.rows = matrix.rows;
  copy.cols = matrix.cols;
  copy.row_stride_bytes = matrix.cols * static_cast<int64_t>(sizeof(float));
  TUTTI_ASSIGN_OR_RETURN(std::byte * bytes, Allocate(copy.rows * copy.row_stride_bytes));
  copy.data = bytes;
  std::vector<float> row(static_cast<size_t>(matrix.cols));
  for (int64_t r = 0; r < matrix.rows; ++r) {
    tensor::DecodeRow(matrix, r, row);
    std::memcpy(bytes + r * copy.row_stride_bytes, row.data(), row.size() * sizeof(float));
  }
  return copy;
}

Result<WeightView> WeightCopies::Transposed(const WeightView& matrix) {
  WeightView copy;
  copy.dtype = IsPlain(matrix) ? matrix.dtype : DType::kF32;
  copy.rows = matrix.cols;
  copy.cols = matrix.rows;
  copy.row_stride_bytes = copy.cols * InfoOf(copy.dtype).block_bytes;
  const int64_t size_bytes = copy.rows * copy.row_stride_bytes;
  if (late_ != nullptr) {
    TUTTI_ASSIGN_OR_RETURN(os::ReservedMemory memory,
                           os::ReservedMemory::Reserve(static_cast<size_t>(size_bytes)));
    copy.data = memory.data();
    late_->copies_.emplace(copy.data, LateCopies::Copy{matrix, std::move(memory)});
    return copy;
  }
  TUTTI_ASSIGN_OR_RETURN(std::byte * bytes, Allocate(size_bytes));
  copy.data = bytes;
  Transpose(matrix, bytes);
  return copy;
}

}  // namespace tutti::model
