// The scales of one row where a format keeps them in a second tensor: shared by the decoders here
// and in kernels/.
#pragma once
#include <algorithm>
#include <cstdint>

#include "tutti/tensor/view.h"

namespace tutti::tensor {

struct RowScales {
  const std::byte* data = nullptr;
  DType dtype = DType::kF32;
  int64_t block_cols = 0;

  // The scale of columns [block * block_cols, (block + 1) * block_cols). A byte (kU8) is a power of
  // two (E8M0), every other type of plain numbers means itself.
  float At(int64_t block) const;
};

// w.scales must be there, with a block size.
RowScales ScalesOfRow(const WeightView& w, int64_t row);

// Calls body(begin, end, scale) for each run of columns with the same scale, in order.
template <typename Body>
void ForEachScale(const RowScales& scales, int64_t cols, const Body& body) {
  for (int64_t begin = 0, block = 0; begin < cols; begin += scales.block_cols, ++block) {
    body(begin, std::min(cols, begin + scales.block_cols), scales.At(block));
  }
}

}  // namespace tutti::tensor
