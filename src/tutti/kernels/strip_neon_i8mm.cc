// Tiles with NEON's matrix product (Armv8.6 i8mm): smmla multiplies 2 rows of 8 signed bytes with 2
// columns of 8 and adds to 2 x 2 sums, twice the products of sdot.
//
// Interleaving the dwords of two neighbours gives a register with 8 columns of rows 0 and 1 and
// another with rows 2 and 3; the 2 x 2 sums are sorted into columns once per group.
#include "tutti/kernels/strip_formats.h"

#if defined(__aarch64__)
#include <arm_neon.h>

#include "tutti/kernels/cpu_features.h"
#include "tutti/kernels/strip_target.h"

TUTTI_BEGIN_NEON_TARGET("arch=armv8.2-a+dotprod+i8mm")
// Last: compiled for this target.
#include "tutti/kernels/strip_neon_tile-inl.h"

namespace tutti::kernels {
namespace {

inline int8x16_t InterleaveLow(int8x16_t a, int8x16_t b) {
  return vreinterpretq_s8_s32(vzip1q_s32(vreinterpretq_s32_s8(a), vreinterpretq_s32_s8(b)));
}
inline int8x16_t InterleaveHigh(int8x16_t a, int8x16_t b) {
  return vreinterpretq_s8_s32(vzip2q_s32(vreinterpretq_s32_s8(a), vreinterpretq_s32_s8(b)));
}

struct MatrixProducts {
  template <StripForm kForm, int kDwords, int kColumns>
  static inline void Sums(const int8_t* w, const int8_t* const* x, int32x4_t* sums) {
    // Of an odd number of columns the last is multiplied twice.
    constexpr int kPairs = (kColumns + 1) / 2;
    int32x4_t low[kPairs];   // row 0 column 0, row 0 column 1, row 1 column 0, row 1 column 1
    int32x4_t high[kPairs];  // rows 2 and 3
    TUTTI_UNROLL
    for (int p = 0; p < kPairs; ++p) low[p] = high[p] = vdupq_n_s32(0);
    TUTTI_UNROLL
    for (int j = 0; j < kDwords; j += 2) {
      const int8x16_t w0 = LoadDword(w, j);
      const int8x16_t w1 = LoadDword(w, j + 1);
      const int8x16_t w_low = InterleaveLow(w0, w1);
      const int8x16_t w_high = InterleaveHigh(w0, w1);
      TUTTI_UNROLL
      for (int p = 0; p < kPairs; ++p) {
        const int8_t* second = x[2 * p + 1 < kColumns ? 2 * p + 1 : 2 * p];
        const int8x16_t v = vcombine_s8(vld1_s8(x[2 * p] + j * 4), vld1_s8(second + j * 4));
        low[p] = vmmlaq_s32(low[p], w_low, v);
        high[p] = vmmlaq_s32(high[p], w_high, v);
      }
    }
    TUTTI_UNROLL
    for (int c = 0; c < kColumns; ++c) {
      sums[c] =
          c % 2 == 0 ? vuzp1q_s32(low[c / 2], high[c / 2]) : vuzp2q_s32(low[c / 2], high[c / 2]);
    }
  }
};

// Four columns: 16 registers of float sums. |q| does not matter: both signed forms share tiles.
#define TUTTI_TILES(form)                                                    \
  {                                                                          \
    NeonTile<MatrixProducts, form, 1>, NeonTile<MatrixProducts, form, 2>,    \
        NeonTile<MatrixProducts, form, 3>, NeonTile<MatrixProducts, form, 4> \
  }

constexpr StripIsa kNeonI8mm = {
    "neon-i8mm",
    UnpackSignedNeon,
    4,
    {TUTTI_TILES(StripForm::kSigned32), TUTTI_TILES(StripForm::kSigned32),
     TUTTI_TILES(StripForm::kUnsigned32), TUTTI_TILES(StripForm::kSmallSigned16),
     TUTTI_TILES(StripForm::kUnsigned16)},
    DotNeonDotprod,
    kVectorDotColumns,
};

#undef TUTTI_TILES

}  // namespace
}  // namespace tutti::kernels
TUTTI_END_NEON_TARGET

namespace tutti::kernels {
const StripIsa* StripIsaNeonI8mm() { return Cpu().i8mm && Cpu().dotprod ? &kNeonI8mm : nullptr; }
}  // namespace tutti::kernels
#else
namespace tutti::kernels {
const StripIsa* StripIsaNeonI8mm() { return nullptr; }
}  // namespace tutti::kernels
#endif
