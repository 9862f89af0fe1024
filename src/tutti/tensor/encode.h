// Float32 to the number formats that Tutti writes.
#pragma once
#include <cstddef>
#include <span>

#include "tutti/spec/dtype.h"

namespace tutti::tensor {

// True for F32, F16, BF16, F8_E4M3, F8_E5M2, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, MXFP4, TQ1_0 and TQ2_0.
bool CanEncode(DType dtype);

// Encodes one row; out.size() is the size of `in` in that format and in.size() a whole number of
// blocks. The bytes are those of GGUF's reference encoders: the scale follows from the largest
// magnitude (or the smallest and largest value) of a block, every value is rounded to its nearest
// code; nothing is optimised. Values that are not finite give some code, never an error.
// Threads: any. Errors: none; a type that cannot be encoded or a wrong size is a bug and checked.
void EncodeRow(DType dtype, std::span<const float> in, std::span<std::byte> out);

}  // namespace tutti::tensor
