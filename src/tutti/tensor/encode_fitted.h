// Careful encoders: Q2_K .. Q6_K, IQ4_NL, IQ4_XS and, as an alternative to the reference encoders
// of tensor/encode.h, Q4_0, Q4_1, Q5_0 and Q5_1.
//
// Each group's scale (and minimum) is a weighted least-squares fit (encode_fit.h). Where a block
// has two levels of scales, the groups' are then rounded to its small integers, trying the
// neighbours of each, and the levels are chosen again for the scales as they will be decoded.
//
// Values must be finite (checked by the caller); infinities give some code. Threads: any.
#pragma once
#include <cstddef>
#include <span>

#include "tutti/spec/dtype.h"
#include "tutti/tensor/encode_fit.h"

namespace tutti::tensor {

bool CanEncodeFitted(DType dtype);

// One row of whole blocks. `importance` weighs the squared errors per column (an importance
// matrix's row: mean squared activations, > 0) and may be empty; then larger values count more. The
// bytes do not depend on which `fits` compute them.
void EncodeFittedRow(DType dtype, std::span<const float> in, std::span<const float> importance,
                     std::span<std::byte> out, const GroupFits& fits = ScalarGroupFits());

}  // namespace tutti::tensor
