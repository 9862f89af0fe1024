// Tiles with AVX2: vpmaddubsw multiplies unsigned with signed bytes and adds pairs in 16 bits.
//
// Signed weights: |w| times x with the sign of w (vpsignb), since a biased w + 128 would saturate
// the 16 bits. |w| <= 128 and |x| <= 127 make pairs of at most 2 * 128 * 127 = 32,512: no
// saturation. Forms with |q| <= 32 add up four pairs in 16 bits first (4 * 2 * 32 * 127 = 32,512).
#include "tutti/kernels/strip_formats.h"

#if defined(__x86_64__)
#include <immintrin.h>

#include <cstring>

#include "tutti/kernels/cpu_features.h"
#include "tutti/kernels/strip_target.h"

TUTTI_BEGIN_TARGET("avx2,fma")
// Last: compiled for this target.
#include "tutti/kernels/strip_avx2_tile-inl.h"

namespace tutti::kernels {
namespace {

struct Products16 {
  static constexpr bool kBiased = false;
  static constexpr int kVectors = 1;

  template <StripForm kForm, int kDwords, int kColumns>
  static inline void Add(const uint8_t* w, const int8_t* const* x, __m256i (*sums)[kColumns]) {
    constexpr bool kSigned = !HasMinimum(kForm);
    constexpr int kRun = kForm == StripForm::kSigned32 ? 1 : 4;  // pairs added up in 16 bits
    const __m256i ones = _mm256_set1_epi16(1);
    TUTTI_UNROLL
    for (int j = 0; j < kDwords; j += kRun) {
      __m256i pairs[kColumns];
      TUTTI_UNROLL
      for (int k = 0; k < kRun; ++k) {
        const __m256i v =
            _mm256_load_si256(reinterpret_cast<const __m256i*>(w + (j + k) * kStripRows * 4));
        const __m256i magnitude = kSigned ? _mm256_abs_epi8(v) : v;
        TUTTI_UNROLL
        for (int c = 0; c < kColumns; ++c) {
          const __m256i b = Broadcast32(x[c] + (j + k) * 4);
          const __m256i p = _mm256_maddubs_epi16(magnitude, kSigned ? _mm256_sign_epi8(b, v) : b);
          pairs[c] = k == 0 ? p : _mm256_add_epi16(pairs[c], p);
        }
      }
      TUTTI_UNROLL
      for (int c = 0; c < kColumns; ++c) {
        sums[0][c] = _mm256_add_epi32(sums[0][c], _mm256_madd_epi16(pairs[c], ones));
      }
    }
  }
};

// Four columns: their int32, 16-bit and float sums fill 12 of 16 registers.
#define TUTTI_TILES(form)                                                                        \
  {                                                                                              \
    Avx2Tile<Products16, form, 1>, Avx2Tile<Products16, form, 2>, Avx2Tile<Products16, form, 3>, \
        Avx2Tile<Products16, form, 4>                                                            \
  }

constexpr StripIsa kAvx2 = {
    "avx2",
    UnpackSignedAvx2,
    4,
    {TUTTI_TILES(StripForm::kSigned32), TUTTI_TILES(StripForm::kSmallSigned32),
     TUTTI_TILES(StripForm::kUnsigned32), TUTTI_TILES(StripForm::kSmallSigned16),
     TUTTI_TILES(StripForm::kUnsigned16)},
    DotAvx2,
    kVectorDotColumns,
};

#undef TUTTI_TILES

}  // namespace
}  // namespace tutti::kernels
TUTTI_END_TARGET

namespace tutti::kernels {
const StripIsa* StripIsaAvx2() { return Cpu().avx2 && Cpu().fma && Cpu().f16c ? &kAvx2 : nullptr; }
}  // namespace tutti::kernels
#else
namespace tutti::kernels {
const StripIsa* StripIsaAvx2() { return nullptr; }
}  // namespace tutti::kernels
#endif
