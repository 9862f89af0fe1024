// Products of a strip with few columns, with AVX-VNNI: see strip_dot-inl.h and strip_avxvnni.cc.
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

TUTTI_BEGIN_TARGET("avx2,fma,f16c,avxvnni")
namespace tutti::kernels {
namespace {

// In this order, and compiled for this target.
// clang-format off
#include "tutti/kernels/strip_avx2_vectors-inl.h"
#include "tutti/kernels/strip_formats-inl.h"
// clang-format on

// Weights with a sign are multiplied as w + 128.
template <typename Unit>
struct DotSum {
  static constexpr int kBias = Unit::kSigned ? 128 : Unit::kBias;
  __m256i sum;

  TUTTI_INLINE void Begin(Ints start) { sum = reinterpret_cast<__m256i>(start); }
  TUTTI_INLINE void Add(int /*step*/, Bytes weights, int32_t x) {
    if constexpr (Unit::kSigned) weights ^= Splat8(128);
    sum = _mm256_dpbusd_avx_epi32(sum, Raw(weights), _mm256_set1_epi32(x));
  }
  TUTTI_INLINE Ints Total() const { return reinterpret_cast<Ints>(sum); }
};

#include "tutti/kernels/strip_dot-inl.h"

}  // namespace

DotFunction DotAvxVnni(DType dtype) { TUTTI_FOR_EVERY_UNIT(Dot) }

}  // namespace tutti::kernels
TUTTI_END_TARGET
#endif
