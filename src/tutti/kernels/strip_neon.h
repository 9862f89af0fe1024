// Formats with NEON. Internal to strip_neon*.cc.
#pragma once
#include "tutti/kernels/strip.h"

namespace tutti::kernels {

// Fills slices with signed q. Null for formats without strips.
UnpackFunction UnpackNeon(DType dtype);

}  // namespace tutti::kernels
