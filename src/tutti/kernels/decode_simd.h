// Weights to float32, as tensor/decode.h defines it, at the speed of memory for common types.
#pragma once
#include <cstdint>
#include <span>

#include "tutti/tensor/view.h"

namespace tutti::kernels {

// The same values as tensor::DecodeRow bit for bit, NaN payloads and the sign of zero excepted.
//
// Vectorised: F32, F16, BF16, F8, every GGUF block format, and packed INT4 and split MXFP4 in
// groups of a multiple of 32 columns (MXFP4 with E8M0 scales). The rest takes the scalar decoder.
// Threads: any. Shapes and errors: as tensor::DecodeRow.
void DecodeRowFast(const tensor::WeightView& w, int64_t row, std::span<float> out);

}  // namespace tutti::kernels
