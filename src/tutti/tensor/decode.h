// Weights of any number format to float32: the one place where the formats are defined.
//
// These are the scalar twins: plain, exact and total. Every pattern of bytes gives some floats
// (also NaN and infinities, where a scale is one), nothing outside the row is read. Faster versions
// for common types are in kernels/decode_simd.h. Formulas: docs/formats/quantisation.md.
#pragma once
#include <cstdint>
#include <span>

#include "tutti/tensor/view.h"

namespace tutti::tensor {

// out[c] = W[row][c] for every column; out.size() == w.cols.
//
// Plain numbers of every type (integers too) are converted. Where a product with a scale has to be
// rounded it is rounded as float32, in the order that the formulas show.
// Threads: any. Errors: none; a view that contradicts itself (columns that are no whole number of
// blocks, a format whose scales are missing) is the caller's bug and checked.
void DecodeRow(const WeightView& w, int64_t row, std::span<float> out);

}  // namespace tutti::tensor
