// The values of a tensor as floats, for tests.
#pragma once
#include <span>
#include <vector>

#include "tutti/tensor/decode.h"
#include "tutti/tensor/view.h"

namespace tutti::engine {

inline std::vector<float> ValuesOf(const tensor::TensorView& view) {
  std::vector<float> values(static_cast<size_t>(view.shape.elements()));
  const int64_t cols = view.shape[view.shape.rank - 1];
  const tensor::TensorView flat{
      view.dtype, {{view.shape.elements() / cols, cols}, 2}, view.data, view.size_bytes};
  const tensor::WeightView matrix = WholeMatrix(flat);
  for (int64_t row = 0; row < matrix.rows; ++row) {
    DecodeRow(matrix, row, std::span(values).subspan(static_cast<size_t>(row * cols), cols));
  }
  return values;
}

}  // namespace tutti::engine
