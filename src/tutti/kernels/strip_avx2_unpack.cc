// Strips unpacked with AVX2, for the tiles of strip_avx2.cc and strip_avxvnni.cc.
#include "tutti/kernels/strip_formats.h"

#if defined(__x86_64__)
#include <immintrin.h>

#include <array>
#include <cstring>

#include "tutti/kernels/strip_target.h"
#include "tutti/tensor/blocks.h"
#include "tutti/tensor/iq_tables.h"
#include "tutti/tensor/row_scales.h"

TUTTI_BEGIN_TARGET("avx2,fma,f16c")
namespace tutti::kernels {
namespace {

// In this order, and compiled for this target.
// clang-format off
#include "tutti/kernels/strip_avx2_vectors-inl.h"
#include "tutti/kernels/strip_formats-inl.h"
#include "tutti/kernels/strip_unpack-inl.h"
// clang-format on

}  // namespace

UnpackFunction UnpackSignedAvx2(DType dtype){TUTTI_FOR_EVERY_UNIT(UnpackSigned)} UnpackFunction
    UnpackBiasedAvx2(DType dtype) {
  TUTTI_FOR_EVERY_UNIT(UnpackBiased)
}

}  // namespace tutti::kernels
TUTTI_END_TARGET
#endif
