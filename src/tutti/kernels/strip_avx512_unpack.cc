// Strips with AVX-512: what the formats decode to, stored for the tiles.
#include "tutti/kernels/strip_avx512.h"

#if defined(__x86_64__)
#include <immintrin.h>

#include <array>
#include <cstring>

#include "tutti/kernels/strip_target.h"
#include "tutti/tensor/blocks.h"
#include "tutti/tensor/iq_tables.h"
#include "tutti/tensor/row_scales.h"

TUTTI_BEGIN_TARGET("avx512f,avx512bw,avx512dq,avx512vl,f16c")
namespace tutti::kernels {
namespace {

#include "tutti/kernels/strip_avx512_formats-inl.h"

template <typename Unit>
struct StoreSink {
  static constexpr bool kPrefetches = false;
  uint8_t* q;
  float* scale;
  float* minimum;

  void Dword(int group, int j, __m512i v) {
    if constexpr (!HasMinimum(Unit::kForm) && Unit::kBias != 128)
      v = AddBytes(v, 128 - Unit::kBias);
    _mm512_store_si512(q + (group * 8 + j) * 64, v);
  }
  void Scale(int i, __m512 v) { _mm512_store_ps(scale + i * kStripRows, v); }
  void Minimum(int i, __m512 v) { _mm512_store_ps(minimum + i * kStripRows, v); }
};

template <typename Unit>
void Unpack(const StripSource& rows, int64_t first_group, int64_t groups, const StripSlice& out) {
  constexpr int64_t kScales = Unit::kGroups * ScalesPerGroup(Unit::kForm) * kStripRows;
  StoreSink<Unit> sink{out.q, out.scale, out.minimum};
  const int64_t first = first_group / Unit::kGroups;
  for (int64_t u = first; u < first + groups / Unit::kGroups; ++u) {
    Unit::Decode(rows, u, sink);
    sink.q += Unit::kGroups * 8 * kStripRows * 4;
    sink.scale += kScales;
    sink.minimum += kScales;
  }
}

}  // namespace

UnpackFunction UnpackAvx512(DType dtype) { TUTTI_FOR_EVERY_UNIT(Unpack) }

}  // namespace tutti::kernels
TUTTI_END_TARGET
#endif
