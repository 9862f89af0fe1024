// Tiles with AVX-512 VNNI: vpdpbusd multiplies unsigned weights with signed activations.
//
// Signed weights are stored as w + 128. sum (w + 128) x = sum w x + 128 sum x, so the accumulator
// starts at Q8Group::biased = -128 sum x: the correction costs nothing and is exact.
//
// Registers: 2 strips x 6 columns of int32 and as many of float take 24 of 32; measured, other
// shapes spill or wait (docs/LOG.md). Forms of 16 spill some of the float sums meanwhile, which
// costs less than a product more.
#include "tutti/kernels/strip.h"

#if defined(__x86_64__)
#include <immintrin.h>

#include <cstring>

#include "tutti/kernels/strip_avx512.h"
#include "tutti/kernels/strip_target.h"

TUTTI_BEGIN_TARGET("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")
namespace tutti::kernels {
namespace {

inline __m512i Broadcast32(const std::byte* p) {
  int32_t value;
  std::memcpy(&value, p, sizeof(value));
  return _mm512_set1_epi32(value);
}
inline __m512 BroadcastFloat(const std::byte* p) {
  float value;
  std::memcpy(&value, p, sizeof(value));
  return _mm512_set1_ps(value);
}

// Dot products of dwords [first, last) of a group, from `a` upwards.
template <int kColumns>
inline void Dots(const uint8_t* const* w, const std::byte* const* x, int64_t q_at, int first,
                 int last, __m512i (*a)[kColumns]) {
  TUTTI_UNROLL
  for (int j = first; j < last; ++j) {
    const __m512i w0 = _mm512_load_si512(w[0] + j * 64);
    const __m512i w1 = _mm512_load_si512(w[1] + j * 64);
    TUTTI_UNROLL
    for (int c = 0; c < kColumns; ++c) {
      const __m512i v = Broadcast32(x[c] + q_at + j * 4);
      a[0][c] = _mm512_dpbusd_epi32(a[0][c], w0, v);
      a[1][c] = _mm512_dpbusd_epi32(a[1][c], w1, v);
    }
  }
}

// Where the slice's next group lies within each column.
template <int kColumns>
struct Cursor {
  const std::byte* x[kColumns];
  int64_t q_at;
  int64_t group_at;

  const std::byte* Scale(int c) const { return x[c] + group_at; }
  const std::byte* Sum(int c, int part) const {
    return x[c] + group_at + (part + 1) * static_cast<int64_t>(sizeof(float));
  }
};

template <StripForm kForm, int kColumns>
inline __m512i StartOf(const Cursor<kColumns>& at, int c, int part) {
  if constexpr (HasMinimum(kForm)) return _mm512_setzero_si512();
  return Broadcast32(at.Sum(c, part));
}

// f += float(sum q w) * scale * x.scale
template <StripForm kForm, int kColumns>
inline void AddGroup(const uint8_t* const* w, const float* const* scale, const Cursor<kColumns>& at,
                     __m512 (*f)[kColumns]) {
  constexpr int kParts = ScalesPerGroup(kForm);
  constexpr int kDwords = 8 / kParts;
  __m512 scaled[2][kColumns];
  TUTTI_UNROLL
  for (int part = 0; part < kParts; ++part) {
    __m512i a[2][kColumns];
    TUTTI_UNROLL
    for (int c = 0; c < kColumns; ++c) a[0][c] = a[1][c] = StartOf<kForm>(at, c, part);
    Dots<kColumns>(w, at.x, at.q_at, part * kDwords, (part + 1) * kDwords, a);
    TUTTI_UNROLL
    for (int r = 0; r < 2; ++r) {
      const __m512 s = _mm512_load_ps(scale[r] + part * kStripRows);
      TUTTI_UNROLL
      for (int c = 0; c < kColumns; ++c) {
        const __m512 sum = _mm512_cvtepi32_ps(a[r][c]);
        scaled[r][c] = part == 0 ? _mm512_mul_ps(sum, s) : _mm512_fmadd_ps(sum, s, scaled[r][c]);
      }
    }
  }
  TUTTI_UNROLL
  for (int r = 0; r < 2; ++r) {
    TUTTI_UNROLL
    for (int c = 0; c < kColumns; ++c) {
      f[r][c] = _mm512_fmadd_ps(scaled[r][c], BroadcastFloat(at.Scale(c)), f[r][c]);
    }
  }
}

// f -= minimum * x.scaled
template <StripForm kForm, int kColumns>
inline void SubtractMinima(const float* const* minimum, const Cursor<kColumns>& at, int part,
                           __m512 (*f)[kColumns]) {
  TUTTI_UNROLL
  for (int r = 0; r < 2; ++r) {
    const __m512 m = _mm512_load_ps(minimum[r] + part * kStripRows);
    TUTTI_UNROLL
    for (int c = 0; c < kColumns; ++c) {
      f[r][c] = _mm512_fnmadd_ps(m, BroadcastFloat(at.Sum(c, part)), f[r][c]);
    }
  }
}

template <StripForm kForm, int kColumns>
void Tile(const TileArgs& args) {
  constexpr int kParts = ScalesPerGroup(kForm);
  const uint8_t* w[2] = {args.pair->q[0], args.pair->q[1]};
  const float* scale[2] = {args.pair->scale[0], args.pair->scale[1]};
  const float* minimum[2] = {args.pair->minimum[0], args.pair->minimum[1]};
  Cursor<kColumns> at;
  at.q_at = args.q_offset;
  at.group_at = args.group_offset;
  __m512 f[2][kColumns];
  TUTTI_UNROLL
  for (int c = 0; c < kColumns; ++c) {
    at.x[c] = args.columns[c];
    const float* sums = args.sums + c * kPairRows;
    f[0][c] = args.first ? _mm512_setzero_ps() : _mm512_loadu_ps(sums);
    f[1][c] = args.first ? _mm512_setzero_ps() : _mm512_loadu_ps(sums + kStripRows);
  }
  for (int64_t g = 0; g < args.groups; ++g) {
    AddGroup<kForm>(w, scale, at, f);
    if constexpr (HasMinimum(kForm)) {
      TUTTI_UNROLL
      for (int part = 0; part < kParts; ++part) SubtractMinima<kForm>(minimum, at, part, f);
    }
    TUTTI_UNROLL
    for (int r = 0; r < 2; ++r) {
      w[r] += 8 * 64;
      scale[r] += kParts * kStripRows;
      minimum[r] += kParts * kStripRows;
    }
    at.q_at += kQ8GroupSize;
    at.group_at += static_cast<int64_t>(sizeof(Q8Group<kParts>));
  }
  TUTTI_UNROLL
  for (int c = 0; c < kColumns; ++c) {
    _mm512_storeu_ps(args.sums + c * kPairRows, f[0][c]);
    _mm512_storeu_ps(args.sums + c * kPairRows + kStripRows, f[1][c]);
  }
}

#define TUTTI_TILES(form) \
  { Tile<form, 1>, Tile<form, 2>, Tile<form, 3>, Tile<form, 4>, Tile<form, 5>, Tile<form, 6> }

// |q| matters to other instruction sets only: both signed forms share their tiles.
constexpr StripIsa kAvx512Vnni = {
    "avx512vnni",
    UnpackAvx512,
    6,
    {TUTTI_TILES(StripForm::kSigned32), TUTTI_TILES(StripForm::kSigned32),
     TUTTI_TILES(StripForm::kUnsigned32), TUTTI_TILES(StripForm::kSmallSigned16),
     TUTTI_TILES(StripForm::kUnsigned16)},
    DotAvx512,
    4,
};

#undef TUTTI_TILES

}  // namespace
}  // namespace tutti::kernels
TUTTI_END_TARGET

namespace tutti::kernels {
const StripIsa* StripIsaAvx512Vnni() {
  const bool has_it = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
                      __builtin_cpu_supports("avx512vnni");
  return has_it ? &kAvx512Vnni : nullptr;
}
}  // namespace tutti::kernels
#else
namespace tutti::kernels {
const StripIsa* StripIsaAvx512Vnni() { return nullptr; }
}  // namespace tutti::kernels
#endif
