// Formats with AVX2. Internal to strip_avx2.cc, strip_avxvnni.cc and their parts.
#pragma once
#include "tutti/kernels/strip.h"

namespace tutti::kernels {

// Fill slices with signed q, or with q + 128. Null for formats without strips.
UnpackFunction UnpackSignedAvx2(DType dtype);
UnpackFunction UnpackBiasedAvx2(DType dtype);

}  // namespace tutti::kernels
