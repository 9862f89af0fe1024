// Tiles with AVX-VNNI, the 256-bit form of vpdpbusd that processors without AVX-512 have.
//
// As in strip_avx512vnni.cc, signed weights are stored as w + 128 and the sums begin at -128 sum x.
#include "tutti/kernels/strip_formats.h"

#if defined(__x86_64__)
#include <immintrin.h>

#include <cstring>

#include "tutti/kernels/cpu_features.h"
#include "tutti/kernels/strip_target.h"

TUTTI_BEGIN_TARGET("avx2,fma,avxvnni")
// Last: compiled for this target.
#include "tutti/kernels/strip_avx2_tile-inl.h"

namespace tutti::kernels {
namespace {

struct DotProducts {
  static constexpr bool kBiased = true;
  static constexpr int kVectors = 2;

  template <StripForm kForm, int kDwords, int kColumns>
  static inline void Add(const uint8_t* w, const int8_t* const* x, __m256i (*sums)[kColumns]) {
    TUTTI_UNROLL
    for (int j = 0; j < kDwords; ++j) {
      const auto* at = reinterpret_cast<const __m256i*>(w + j * kStripRows * 4);
      const __m256i w0 = _mm256_load_si256(at);
      const __m256i w1 = _mm256_load_si256(at + 1);
      TUTTI_UNROLL
      for (int c = 0; c < kColumns; ++c) {
        const __m256i b = Broadcast32(x[c] + j * 4);
        sums[0][c] = _mm256_dpbusd_avx_epi32(sums[0][c], w0, b);
        sums[1][c] = _mm256_dpbusd_avx_epi32(sums[1][c], w1, b);
      }
    }
  }
};

// Three columns of 16 rows: 6 registers of products and as many of float sums. |q| does not matter:
// both signed forms share tiles.
#define TUTTI_TILES(form) \
  { Avx2Tile<DotProducts, form, 1>, Avx2Tile<DotProducts, form, 2>, Avx2Tile<DotProducts, form, 3> }

constexpr StripIsa kAvxVnni = {
    "avxvnni",
    UnpackBiasedAvx2,
    3,
    {TUTTI_TILES(StripForm::kSigned32), TUTTI_TILES(StripForm::kSigned32),
     TUTTI_TILES(StripForm::kUnsigned32), TUTTI_TILES(StripForm::kSmallSigned16),
     TUTTI_TILES(StripForm::kUnsigned16)},
    DotAvxVnni,
    kVectorDotColumns,
};

#undef TUTTI_TILES

}  // namespace
}  // namespace tutti::kernels
TUTTI_END_TARGET

namespace tutti::kernels {
const StripIsa* StripIsaAvxVnni() {
  return Cpu().avx_vnni && Cpu().fma && Cpu().f16c ? &kAvxVnni : nullptr;
}
}  // namespace tutti::kernels
#else
namespace tutti::kernels {
const StripIsa* StripIsaAvxVnni() { return nullptr; }
}  // namespace tutti::kernels
#endif
