// Products of a strip with few columns, with plain NEON: see strip_dot-inl.h and strip_neon.cc.
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

namespace tutti::kernels {
namespace {

// In this order.
// clang-format off
#include "tutti/kernels/strip_neon_vectors-inl.h"
#include "tutti/kernels/strip_formats-inl.h"
// clang-format on

// Products are added up in 16 bits as long as they cannot overflow, then pairs of them in 32.
template <typename Unit>
struct DotSum {
  static constexpr int kBias = Unit::kBias;
  static constexpr int kRun =
      std::min<int>(StepsOf<Unit>(), std::bit_floor(32767U / (127 * Unit::kMost)));
  int16x8_t low16, high16;  // of rows 0 and 1, and of rows 2 and 3
  int32x4_t low, high, start;

  TUTTI_INLINE void Begin(Ints first) {
    start = reinterpret_cast<int32x4_t>(first);
    low = high = vdupq_n_s32(0);
  }
  TUTTI_INLINE void Add(int step, Bytes weights, int32_t x) {
    const int8x16_t w = reinterpret_cast<int8x16_t>(weights);
    const int8x16_t b = vreinterpretq_s8_s32(vdupq_n_s32(x));
    low16 = step % kRun == 0 ? vmull_s8(vget_low_s8(w), vget_low_s8(b))
                             : vmlal_s8(low16, vget_low_s8(w), vget_low_s8(b));
    high16 = step % kRun == 0 ? vmull_high_s8(w, b) : vmlal_high_s8(high16, w, b);
    if (step % kRun == kRun - 1) {
      low = vpadalq_s16(low, low16);
      high = vpadalq_s16(high, high16);
    }
  }
  TUTTI_INLINE Ints Total() const {
    return reinterpret_cast<Ints>(vaddq_s32(start, vpaddq_s32(low, high)));
  }
};

#include "tutti/kernels/strip_dot-inl.h"

}  // namespace

DotFunction DotNeon(DType dtype) { TUTTI_FOR_EVERY_UNIT(Dot) }

}  // namespace tutti::kernels
#endif
