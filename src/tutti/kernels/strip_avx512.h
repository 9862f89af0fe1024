// Formats with AVX-512. Internal to strip_avx512vnni.cc and its parts.
#pragma once
#include "tutti/kernels/strip.h"

namespace tutti::kernels {

// Fills slices whose signed q are stored as q + 128. Null for formats without strips.
UnpackFunction UnpackAvx512(DType dtype);
// Null for formats without strips.
DotFunction DotAvx512(DType dtype);

}  // namespace tutti::kernels
