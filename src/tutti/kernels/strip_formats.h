// Formats with vectors of 32 and 16 bytes, as strip_formats-inl.h describes them. Internal to the
// files of instruction sets. All are null for formats without strips.
#pragma once
#include "tutti/kernels/strip.h"

namespace tutti::kernels {

// Products in registers pay for up to this many columns: with more, all that is kept between the
// dot products no longer fits, and storing what is unpacked costs less (docs/LOG.md).
inline constexpr int kVectorDotColumns = 2;

// Fill slices with signed q, or with q + 128.
UnpackFunction UnpackSignedAvx2(DType dtype);
UnpackFunction UnpackBiasedAvx2(DType dtype);
UnpackFunction UnpackSignedNeon(DType dtype);

DotFunction DotAvx2(DType dtype);
DotFunction DotAvxVnni(DType dtype);
DotFunction DotNeon(DType dtype);
DotFunction DotNeonDotprod(DType dtype);

}  // namespace tutti::kernels
