// Products of a strip with few columns, with AVX2: see strip_dot-inl.h and strip_avx2.cc.
#include "tutti/kernels/strip_formats.h"

#if defined(__x86_64__)
#include <immintrin.h>

#include <algorithm>
#include <array>
#include <bit>
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
// clang-format on

// vpmaddubsw takes the weights as they are where they are unsigned, else with their sign moved to
// the activations. Pairs are added up in 16 bits as long as they cannot overflow.
template <typename Unit>
struct DotSum {
  static constexpr int kBias = Unit::kBias;
  static constexpr int kRun =
      std::min<int>(StepsOf<Unit>(), std::bit_floor(32767U / (2 * 127 * Unit::kMost)));
  __m256i pairs;
  __m256i sum;

  TUTTI_INLINE void Begin(Ints start) { sum = reinterpret_cast<__m256i>(start); }
  TUTTI_INLINE void Add(int step, Bytes weights, int32_t x) {
    const __m256i w = Raw(weights);
    const __m256i b = _mm256_set1_epi32(x);
    const __m256i p = Unit::kSigned
                          ? _mm256_maddubs_epi16(_mm256_abs_epi8(w), _mm256_sign_epi8(b, w))
                          : _mm256_maddubs_epi16(w, b);
    pairs = step % kRun == 0 ? p : _mm256_add_epi16(pairs, p);
    if (step % kRun == kRun - 1) {
      sum = _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
    }
  }
  TUTTI_INLINE Ints Total() const { return reinterpret_cast<Ints>(sum); }
};

#include "tutti/kernels/strip_dot-inl.h"

}  // namespace

DotFunction DotAvx2(DType dtype) { TUTTI_FOR_EVERY_UNIT(Dot) }

}  // namespace tutti::kernels
TUTTI_END_TARGET
#endif
