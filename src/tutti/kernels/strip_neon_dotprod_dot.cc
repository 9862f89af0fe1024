// Products of a strip with few columns, with NEON's dot product, also for strip_neon_i8mm.cc: see
// strip_dot-inl.h. smmla wants two columns at once and rows in pairs.
#include "tutti/kernels/strip_formats.h"

#if defined(__aarch64__)
#include <arm_neon.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "tutti/kernels/strip_target.h"
#include "tutti/tensor/blocks.h"
#include "tutti/tensor/iq_tables.h"
#include "tutti/tensor/row_scales.h"

TUTTI_BEGIN_NEON_TARGET("arch=armv8.2-a+dotprod")
namespace tutti::kernels {
namespace {

// In this order, and compiled for this target.
// clang-format off
#include "tutti/kernels/strip_neon_vectors-inl.h"
#include "tutti/kernels/strip_formats-inl.h"
// clang-format on

template <typename Unit>
struct DotSum {
  static constexpr int kBias = Unit::kBias;
  int32x4_t sum;

  TUTTI_INLINE void Begin(Ints start) { sum = reinterpret_cast<int32x4_t>(start); }
  TUTTI_INLINE void Add(int /*step*/, Bytes weights, int32_t x) {
    sum =
        vdotq_s32(sum, reinterpret_cast<int8x16_t>(weights), vreinterpretq_s8_s32(vdupq_n_s32(x)));
  }
  TUTTI_INLINE Ints Total() const { return reinterpret_cast<Ints>(sum); }
};

#include "tutti/kernels/strip_dot-inl.h"

}  // namespace

DotFunction DotNeonDotprod(DType dtype) { TUTTI_FOR_EVERY_UNIT(Dot) }

}  // namespace tutti::kernels
TUTTI_END_NEON_TARGET
#endif
