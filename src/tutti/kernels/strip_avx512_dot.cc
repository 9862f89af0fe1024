// Products of a strip with few columns, with AVX-512 VNNI: what the formats decode to is multiplied
// while it is in registers. Unpacking to memory first costs as much time as everything else, which
// counts where weights are used for a token or two.
//
// The same integer sums, scales and order of additions as the tiles: the same bits.
#include "tutti/kernels/strip_avx512.h"

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

TUTTI_BEGIN_TARGET("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,f16c")
namespace tutti::kernels {
namespace {

#include "tutti/kernels/strip_avx512_formats-inl.h"

#include "tutti/kernels/strip_avx512_two_blocks-inl.h"

template <typename T>
TUTTI_INLINE T LoadAs(const std::byte* p) {
  T value;
  std::memcpy(&value, p, sizeof(value));
  return value;
}

// Asks for what will be multiplied one strip later, in the order of addresses, some lines at a
// time. A loop, not unrolled: one instruction that walks from line to line is what the hardware's
// own prefetcher follows (docs/LOG.md).
struct Ahead {
  const std::byte* at = nullptr;

  TUTTI_INLINE void Ask(int64_t bytes) {
    const std::byte* end = at + bytes;
    for (; at < end; at += 64) {
      _mm_prefetch(reinterpret_cast<const char*>(at), _MM_HINT_T0);
      asm volatile("" : "+r"(at));  // keeps the loop as it is
    }
    at = end;
  }
};

// A unit's dot products with the columns, and then their part of the rows' sums.
template <typename Unit, int kColumns>
struct DotSink {
  // Groups between two requests of some 5 to 9 lines.
  static constexpr int kAskGroups = 16 * Unit::kBytes / Unit::kGroups >= 5 * 64 ? 1 : 2;
  Ahead ahead;
  static constexpr int kParts = ScalesPerGroup(Unit::kForm);
  static constexpr int kSums = Unit::kGroups * kParts;
  const std::byte* q[kColumns];       // of the unit's first group
  const std::byte* groups[kColumns];  // Q8Group<kParts>
  __m512i a[kSums][kColumns];
  __m512 scale[kSums];
  __m512 minimum[kSums];

  // -kBias times the sum of what multiplies the unit's unsigned q.
  TUTTI_INLINE __m512i Start(int s, int c) const {
    if constexpr (HasMinimum(Unit::kForm)) return _mm512_setzero_si512();
    constexpr int kShift =
        std::countr_zero(128U) - std::countr_zero(static_cast<unsigned>(Unit::kBias));
    return _mm512_srai_epi32(_mm512_set1_epi32(LoadAs<int32_t>(Sum(c, s))), kShift);
  }
  TUTTI_INLINE const std::byte* Group(int c, int g) const {
    return groups[c] + static_cast<size_t>(g) * sizeof(Q8Group<kParts>);
  }
  TUTTI_INLINE const std::byte* Sum(int c, int s) const {
    return Group(c, s / kParts) + static_cast<size_t>(1 + s % kParts) * sizeof(float);
  }

  TUTTI_INLINE void Dword(int group, int j, __m512i v) {
    constexpr int kAsk = std::min(kAskGroups, Unit::kGroups);
    if (j == 0 && group % kAsk == 0) ahead.Ask(kStripRows * Unit::kBytes * kAsk / Unit::kGroups);
    const int s = group * kParts + j * kParts / 8;
    TUTTI_UNROLL
    for (int c = 0; c < kColumns; ++c) {
      const int32_t x = LoadAs<int32_t>(q[c] + group * kQ8GroupSize + j * 4);
      const bool first = j * kParts % 8 == 0;
      a[s][c] = _mm512_dpbusd_epi32(first ? Start(s, c) : a[s][c], v, _mm512_set1_epi32(x));
    }
  }
  // Sums of 16 times the weights, exact, are shifted instead of the weights: one for eight.
  TUTTI_INLINE void HighNibbles(int group, int j, __m512i v) {
    static_assert(kParts == 1 && HasMinimum(Unit::kForm));
    Dword(group, j, And(v, 0xf0));
    if (j < 7) return;
    TUTTI_UNROLL
    for (int c = 0; c < kColumns; ++c) a[group][c] = _mm512_srai_epi32(a[group][c], 4);
  }
  TUTTI_INLINE void Scale(int i, __m512 v) { scale[i] = v; }
  TUTTI_INLINE void Minimum(int i, __m512 v) { minimum[i] = v; }

  // f += ... and on to the next unit.
  TUTTI_INLINE void End(__m512* f) {
    TUTTI_UNROLL
    for (int g = 0; g < Unit::kGroups; ++g) {
      TUTTI_UNROLL
      for (int c = 0; c < kColumns; ++c) AddGroup(g, c, f[c]);
    }
    TUTTI_UNROLL
    for (int c = 0; c < kColumns; ++c) {
      q[c] += Unit::kGroups * kQ8GroupSize;
      groups[c] = Group(c, Unit::kGroups);
    }
  }
  TUTTI_INLINE void AddGroup(int g, int c, __m512& f) const {
    const __m512 x = _mm512_set1_ps(LoadAs<float>(Group(c, g)));
    __m512 scaled = _mm512_mul_ps(_mm512_cvtepi32_ps(a[g * kParts][c]), scale[g * kParts]);
    TUTTI_UNROLL
    for (int s = g * kParts + 1; s < (g + 1) * kParts; ++s) {
      scaled = _mm512_fmadd_ps(_mm512_cvtepi32_ps(a[s][c]), scale[s], scaled);
    }
    f = _mm512_fmadd_ps(scaled, x, f);
    if constexpr (HasMinimum(Unit::kForm)) {
      TUTTI_UNROLL
      for (int s = g * kParts; s < (g + 1) * kParts; ++s) {
        f = _mm512_fnmadd_ps(minimum[s], _mm512_set1_ps(LoadAs<float>(Sum(c, s))), f);
      }
    }
  }
};

template <typename Unit, int kColumns>
void DotColumns(const DotArgs& args) {
  const Q8Layout layout{args.groups * kQ8GroupSize};
  DotSink<Unit, kColumns> sink;
  __m512 f[kColumns];
  TUTTI_UNROLL
  for (int c = 0; c < kColumns; ++c) {
    sink.q[c] = args.columns[c];
    sink.groups[c] = args.columns[c] + layout.groups_offset(SumsOf(Unit::kForm));
    f[c] = _mm512_setzero_ps();
  }
  const StripSource& rows = *args.rows;
  sink.ahead.at = rows.data[0] + args.next_strip;
  const int64_t units = args.groups / Unit::kGroups;
  for (int64_t u = 0; u < units; ++u) {
    Unit::Decode(rows, u, sink);
    sink.End(f);
  }
  TUTTI_UNROLL
  for (int c = 0; c < kColumns; ++c) _mm512_storeu_ps(args.sums + c * kPairRows, f[c]);
}

template <typename Unit>
void Dot(const DotArgs& args) {
  switch (args.count) {
    case 1:
      return DotColumns<Unit, 1>(args);
    case 2:
      return DotColumns<Unit, 2>(args);
    case 3:
      return DotColumns<Unit, 3>(args);
    default:
      return DotColumns<Unit, 4>(args);
  }
}

template <DType dtype>
void DotTwoBlocks(const DotArgs& args) {
  args.groups % 2 == 0 ? Dot<TwoBlocks<dtype>>(args) : Dot<Unit<dtype>>(args);
}

}  // namespace

DotFunction DotAvx512(DType dtype) {
  if (dtype == DType::kQ4_0) return DotTwoBlocks<DType::kQ4_0>;
  if (dtype == DType::kIQ4_NL) return DotTwoBlocks<DType::kIQ4_NL>;
  if (dtype == DType::kMXFP4) return DotTwoBlocks<DType::kMXFP4>;
  TUTTI_FOR_EVERY_UNIT(Dot)
}

}  // namespace tutti::kernels
TUTTI_END_TARGET
#endif
