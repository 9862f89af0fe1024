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

#include "tutti/kernels/strip_avx512_two_blocks-inl.h"

template <typename Unit>
struct StoreSink {
  uint8_t* q;
  float* scale;
  float* minimum;

  void Dword(int group, int j, __m512i v) {
    if constexpr (!HasMinimum(Unit::kForm) && Unit::kBias != 128)
      v = AddBytes(v, 128 - Unit::kBias);
    _mm512_store_si512(q + (group * 8 + j) * 64, v);
  }
  void HighNibbles(int group, int j, __m512i v) { Dword(group, j, ShiftAnd(v, 4, 0xf)); }
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

template <DType dtype>
void UnpackTwoBlocks(const StripSource& rows, int64_t first_group, int64_t groups,
                     const StripSlice& out) {
  const bool even = first_group % 2 == 0 && groups % 2 == 0;
  even ? Unpack<TwoBlocks<dtype>>(rows, first_group, groups, out)
       : Unpack<Unit<dtype>>(rows, first_group, groups, out);
}

}  // namespace

UnpackFunction UnpackAvx512(DType dtype) {
  if (dtype == DType::kQ4_0) return UnpackTwoBlocks<DType::kQ4_0>;
  if (dtype == DType::kIQ4_NL) return UnpackTwoBlocks<DType::kIQ4_NL>;
  if (dtype == DType::kMXFP4) return UnpackTwoBlocks<DType::kMXFP4>;
  TUTTI_FOR_EVERY_UNIT(Unpack)
}

}  // namespace tutti::kernels
TUTTI_END_TARGET
#endif
