// Careful encoders of the formats with two levels of scales: Q2_K .. Q6_K, IQ4_NL, IQ4_XS.
//
// Each group's scale (and minimum) is a weighted least-squares fit (encode_fit.h); then the groups'
// scales are rounded to the block's small integers, trying the neighbours of each, and the levels
// are chosen again for the scales as they will be decoded.
//
// Values must be finite (checked by the caller); infinities give some code. Threads: any.
#pragma once
#include <cstddef>
#include <span>

#include "tutti/spec/dtype.h"

namespace tutti::tensor {

bool CanEncodeKQuant(DType dtype);

// One row. `importance` weighs the squared errors per column (an importance matrix's row: mean
// squared activations) and may be empty; then larger values count more.
void EncodeKQuantRow(DType dtype, std::span<const float> in, std::span<const float> importance,
                     std::span<std::byte> out);

}  // namespace tutti::tensor
