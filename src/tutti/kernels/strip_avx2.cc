// Tiles with AVX2: vpmaddubsw multiplies unsigned with signed bytes and adds pairs in 16 bits.
//
// Signed weights: |w| times x with the sign of w (vpsignb), since a biased w + 128 would saturate
// the 16 bits. |w| <= 128 and |x| <= 127 make pairs of at most 2 * 128 * 127 = 32,512: no
// saturation. Forms with |q| <= 32 add up four pairs in 16 bits first (4 * 2 * 32 * 127 = 32,512).
#include "tutti/kernels/strip.h"

#if defined(__x86_64__)
#include <immintrin.h>

#include <cstring>

#include "tutti/kernels/strip_target.h"

TUTTI_BEGIN_TARGET("avx2,fma")
namespace tutti::kernels {
namespace {

inline __m256i Broadcast32(const int8_t* p) {
  int32_t value;
  std::memcpy(&value, p, sizeof(value));
  return _mm256_set1_epi32(value);
}

// Dot products of 8 rows with dwords [0, kDwords) of kColumns columns, `w` at dword 0.
template <StripForm kForm, int kDwords, int kColumns>
inline void Dots(const uint8_t* w, const int8_t* const* x, __m256i* sums) {
  constexpr bool kSigned = !HasMinimum(kForm);
  constexpr int kRun = kForm == StripForm::kSigned32 ? 1 : 4;  // pairs added up in 16 bits
  const __m256i ones = _mm256_set1_epi16(1);
  TUTTI_UNROLL
  for (int c = 0; c < kColumns; ++c) sums[c] = _mm256_setzero_si256();
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
      sums[c] = _mm256_add_epi32(sums[c], _mm256_madd_epi16(pairs[c], ones));
    }
  }
}

// Eight rows, beginning at `row` of strip `strip`.
template <StripForm kForm, int kColumns>
inline void EightRows(const TileArgs& args, int strip, int row) {
  constexpr int kParts = ScalesPerGroup(kForm);
  constexpr int kDwords = 8 / kParts;
  const uint8_t* w = args.pair->q[strip] + row * 4;
  const float* scale = args.pair->scale[strip] + row;
  const float* minimum = args.pair->minimum[strip] + row;
  float* out = args.sums + strip * kStripRows + row;
  __m256 f[kColumns];
  TUTTI_UNROLL
  for (int c = 0; c < kColumns; ++c) f[c] = _mm256_loadu_ps(out + c * kPairRows);
  for (int64_t g = 0; g < args.groups; ++g) {
    const int8_t* x[kColumns];
    const Q8Group* group[kColumns];
    TUTTI_UNROLL
    for (int c = 0; c < kColumns; ++c) {
      x[c] = reinterpret_cast<const int8_t*>(args.columns[c] + args.q_offset) + g * kQ8GroupSize;
      group[c] = reinterpret_cast<const Q8Group*>(args.columns[c] + args.group_offset) + g;
    }
    TUTTI_UNROLL
    for (int part = 0; part < kParts; ++part) {
      __m256i sums[kColumns];
      Dots<kForm, kDwords, kColumns>(w, x, sums);
      const __m256 s = _mm256_loadu_ps(scale + part * kStripRows);
      TUTTI_UNROLL
      for (int c = 0; c < kColumns; ++c) {
        f[c] = _mm256_fmadd_ps(_mm256_mul_ps(_mm256_cvtepi32_ps(sums[c]), s),
                               _mm256_set1_ps(group[c]->scale), f[c]);
        x[c] += kDwords * 4;
      }
      w += kDwords * kStripRows * 4;
    }
    if constexpr (HasMinimum(kForm)) {
      TUTTI_UNROLL
      for (int part = 0; part < kParts; ++part) {
        const __m256 m = _mm256_loadu_ps(minimum + part * kStripRows);
        TUTTI_UNROLL
        for (int c = 0; c < kColumns; ++c) {
          const Q8Half* half =
              reinterpret_cast<const Q8Half*>(args.columns[c] + args.half_offset) + 2 * g + part;
          const float sum = kParts == 1 ? group[c]->scaled_sum : half->scaled_sum;
          f[c] = _mm256_fnmadd_ps(m, _mm256_set1_ps(sum), f[c]);
        }
      }
    }
    scale += kParts * kStripRows;
    minimum += kParts * kStripRows;
  }
  TUTTI_UNROLL
  for (int c = 0; c < kColumns; ++c) _mm256_storeu_ps(out + c * kPairRows, f[c]);
}

template <StripForm kForm, int kColumns>
void Tile(const TileArgs& args) {
  for (int strip = 0; strip < 2; ++strip) {
    EightRows<kForm, kColumns>(args, strip, 0);
    EightRows<kForm, kColumns>(args, strip, 8);
  }
}

UnpackFunction UnpackSigned(DType dtype) { return PortableUnpack(dtype, false); }

// Four columns: their int32, 16-bit and float sums fill 12 of 16 registers.
#define TUTTI_TILES(form) \
  { Tile<form, 1>, Tile<form, 2>, Tile<form, 3>, Tile<form, 4> }

constexpr StripIsa kAvx2 = {
    "avx2",
    UnpackSigned,
    4,
    {TUTTI_TILES(StripForm::kSigned32), TUTTI_TILES(StripForm::kSmallSigned32),
     TUTTI_TILES(StripForm::kUnsigned32), TUTTI_TILES(StripForm::kSmallSigned16),
     TUTTI_TILES(StripForm::kUnsigned16)},
};

#undef TUTTI_TILES

}  // namespace
}  // namespace tutti::kernels
TUTTI_END_TARGET

namespace tutti::kernels {
const StripIsa* StripIsaAvx2() {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? &kAvx2 : nullptr;
}
}  // namespace tutti::kernels
#else
namespace tutti::kernels {
const StripIsa* StripIsaAvx2() { return nullptr; }
}  // namespace tutti::kernels
#endif
