// Tiles with NEON's dot product (Armv8.2 dotprod): sdot multiplies four signed bytes per lane with
// four of another register's, chosen by lane, so activations need no broadcast.
#include "tutti/kernels/strip_formats.h"

#if defined(__aarch64__)
#include <arm_neon.h>

#include "tutti/kernels/cpu_features.h"
#include "tutti/kernels/strip_target.h"

TUTTI_BEGIN_NEON_TARGET("arch=armv8.2-a+dotprod")
// Last: compiled for this target.
#include "tutti/kernels/strip_neon_tile-inl.h"

namespace tutti::kernels {
namespace {

struct DotProducts {
  template <StripForm kForm, int kDwords, int kColumns>
  static inline void Sums(const int8_t* w, const int8_t* const* x, int32x4_t* sums) {
    TUTTI_UNROLL
    for (int c = 0; c < kColumns; ++c) sums[c] = vdupq_n_s32(0);
    TUTTI_UNROLL
    for (int j = 0; j < kDwords; j += 4) {
      const int8x16_t w0 = LoadDword(w, j);
      const int8x16_t w1 = LoadDword(w, j + 1);
      const int8x16_t w2 = LoadDword(w, j + 2);
      const int8x16_t w3 = LoadDword(w, j + 3);
      TUTTI_UNROLL
      for (int c = 0; c < kColumns; ++c) {
        const int8x16_t v = vld1q_s8(x[c] + j * 4);
        int32x4_t s = sums[c];
        s = vdotq_laneq_s32(s, w0, v, 0);
        s = vdotq_laneq_s32(s, w1, v, 1);
        s = vdotq_laneq_s32(s, w2, v, 2);
        sums[c] = vdotq_laneq_s32(s, w3, v, 3);
      }
    }
  }
};

// Four columns: 16 registers of float sums. |q| does not matter: both signed forms share tiles.
#define TUTTI_TILES(form)                                              \
  {                                                                    \
    NeonTile<DotProducts, form, 1>, NeonTile<DotProducts, form, 2>,    \
        NeonTile<DotProducts, form, 3>, NeonTile<DotProducts, form, 4> \
  }

constexpr StripIsa kNeonDotprod = {
    "neon-dotprod",
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
const StripIsa* StripIsaNeonDotprod() { return Cpu().dotprod ? &kNeonDotprod : nullptr; }
}  // namespace tutti::kernels
#else
namespace tutti::kernels {
const StripIsa* StripIsaNeonDotprod() { return nullptr; }
}  // namespace tutti::kernels
#endif
