// Tiles with plain NEON, as every 64-bit Arm has it: smull and smlal add up products of bytes in 16
// bits, sadalp adds pairs of those to sums in 32 bits.
//
// 16 bits hold two products of 128 * 127, and eight where |q| <= 32 (8 * 32 * 127 = 32,512).
#include "tutti/kernels/strip_formats.h"

#if defined(__aarch64__)
#include <arm_neon.h>

#include <cstring>

#include "tutti/kernels/strip_target.h"
// Last, and here without a target: NEON is what the whole program is compiled for.
#include "tutti/kernels/strip_neon_tile-inl.h"

namespace tutti::kernels {
namespace {

struct Products16 {
  template <StripForm kForm, int kDwords, int kColumns>
  static inline void Sums(const int8_t* w, const int8_t* const* x, int32x4_t* sums) {
    constexpr int kRun = kForm == StripForm::kSigned32 ? 2 : kDwords;  // dwords added up in 16 bits
    int32x4_t low[kColumns];   // of rows 0 and 1, two sums each
    int32x4_t high[kColumns];  // of rows 2 and 3
    TUTTI_UNROLL
    for (int c = 0; c < kColumns; ++c) low[c] = high[c] = vdupq_n_s32(0);
    TUTTI_UNROLL
    for (int j = 0; j < kDwords; j += kRun) {
      int16x8_t low16[kColumns];
      int16x8_t high16[kColumns];
      TUTTI_UNROLL
      for (int k = 0; k < kRun; ++k) {
        const int8x16_t v = LoadDword(w, j + k);
        TUTTI_UNROLL
        for (int c = 0; c < kColumns; ++c) {
          int32_t dword;
          std::memcpy(&dword, x[c] + (j + k) * 4, sizeof(dword));
          const int8x16_t b = vreinterpretq_s8_s32(vdupq_n_s32(dword));
          low16[c] = k == 0 ? vmull_s8(vget_low_s8(v), vget_low_s8(b))
                            : vmlal_s8(low16[c], vget_low_s8(v), vget_low_s8(b));
          high16[c] = k == 0 ? vmull_high_s8(v, b) : vmlal_high_s8(high16[c], v, b);
        }
      }
      TUTTI_UNROLL
      for (int c = 0; c < kColumns; ++c) {
        low[c] = vpadalq_s16(low[c], low16[c]);
        high[c] = vpadalq_s16(high[c], high16[c]);
      }
    }
    TUTTI_UNROLL
    for (int c = 0; c < kColumns; ++c) sums[c] = vpaddq_s32(low[c], high[c]);
  }
};

// Three columns: 12 registers of float sums and 12 of products.
#define TUTTI_TILES(form) \
  { NeonTile<Products16, form, 1>, NeonTile<Products16, form, 2>, NeonTile<Products16, form, 3> }

constexpr StripIsa kNeon = {
    "neon",
    UnpackSignedNeon,
    3,
    {TUTTI_TILES(StripForm::kSigned32), TUTTI_TILES(StripForm::kSmallSigned32),
     TUTTI_TILES(StripForm::kUnsigned32), TUTTI_TILES(StripForm::kSmallSigned16),
     TUTTI_TILES(StripForm::kUnsigned16)},
    DotNeon,
    kVectorDotColumns,
};

#undef TUTTI_TILES

}  // namespace

const StripIsa* StripIsaNeon() { return &kNeon; }

}  // namespace tutti::kernels
#else
namespace tutti::kernels {
const StripIsa* StripIsaNeon() { return nullptr; }
}  // namespace tutti::kernels
#endif
