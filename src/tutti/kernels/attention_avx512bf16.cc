// Attention with AVX-512 BF16: vdpbf16ps multiplies pairs of bf16 numbers and adds both products to
// a float32 sum. Queries and weights are rounded to bf16 (8 bits of mantissa), and so are stored
// numbers of other types; sums are float32.
#include "tutti/kernels/attention_isa.h"

#if defined(__x86_64__)
#include <immintrin.h>

#include <algorithm>
#include <cstring>
#include <limits>

#include "tutti/base/checked_math.h"
#include "tutti/kernels/cpu_features.h"
#include "tutti/kernels/strip_target.h"

TUTTI_BEGIN_TARGET("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,f16c,fma")
namespace tutti::kernels {
namespace {

constexpr int64_t kLine = 64;  // bytes of a vector: 16 words

inline void Prefetch(const std::byte* at) {
  _mm_prefetch(reinterpret_cast<const char*>(at), _MM_HINT_T0);
}

inline __m512bh Words(__m512i words) { return reinterpret_cast<__m512bh>(words); }
inline __m512i Bits(__m512bh words) { return reinterpret_cast<__m512i>(words); }

struct SourceBF16 {
  static __m512i Load(const std::byte* at) { return _mm512_loadu_si512(at); }
};
struct SourceF16 {
  static __m512i Load(const std::byte* at) {
    const auto* halves = reinterpret_cast<const __m256i*>(at);
    return Bits(_mm512_cvtne2ps_pbh(_mm512_cvtph_ps(_mm256_loadu_si256(halves + 1)),
                                    _mm512_cvtph_ps(_mm256_loadu_si256(halves))));
  }
};
// 32 bytes to 16 words; `low` and `high` are the scales of the first and last 16 numbers.
inline __m512i LoadQ8(const std::byte* at, __m512 low, __m512 high) {
  const auto* bytes = reinterpret_cast<const __m128i*>(at);
  const __m512 a = _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(bytes)));
  const __m512 b = _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(bytes + 1)));
  return Bits(_mm512_cvtne2ps_pbh(_mm512_mul_ps(b, high), _mm512_mul_ps(a, low)));
}

void ConvertFactors(const float* x, int64_t count, Word* words) {
  auto* out = reinterpret_cast<std::byte*>(words);
  for (int64_t i = 0; i < count; i += 16) {
    const __mmask16 mask = static_cast<__mmask16>((1u << std::min<int64_t>(16, count - i)) - 1);
    // An odd count has a zero more.
    const __mmask16 stored = static_cast<__mmask16>(mask | (mask << 1 & 0xaaaau));
    const __m256bh half = _mm512_cvtneps_pbh(_mm512_maskz_loadu_ps(mask, x + i));
    _mm256_mask_storeu_epi16(out + 2 * i, stored, reinterpret_cast<__m256i>(half));
  }
}

void Pair(const float* first, const float* second, int64_t count, Word* words) {
  for (int64_t i = 0; i < count; i += 16) {
    const auto low = reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(_mm512_loadu_ps(first + i)));
    const auto high = reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(_mm512_loadu_ps(second + i)));
    const __m512i shifted = _mm512_slli_epi32(_mm512_cvtepu16_epi32(high), 16);
    _mm512_storeu_si512(words + i, _mm512_or_si512(_mm512_cvtepu16_epi32(low), shifted));
  }
}

void UnpackF16(const std::byte* from, const std::byte* ahead, int64_t bytes, std::byte* to) {
  for (int64_t i = 0; i < bytes; i += kLine) {
    Prefetch(ahead + i);
    _mm512_store_si512(to + i, SourceF16::Load(from + i));
  }
}

void UnpackKeys(const KvLayout& layout, const std::byte* block, const std::byte* ahead,
                Word* tile) {
  auto* out = reinterpret_cast<std::byte*>(tile);
  const int64_t rows = DivCeil<int64_t>(layout.key_dim, 2);
  if (layout.type == KvType::kF16) return UnpackF16(block, ahead, rows * 2 * kLine, out);
  const __m512i low_twice = _mm512_set_epi32(7, 7, 6, 6, 5, 5, 4, 4, 3, 3, 2, 2, 1, 1, 0, 0);
  const __m512i high_twice = _mm512_add_epi32(low_twice, _mm512_set1_epi32(8));
  const std::byte* scales = block + layout.KeyScalesAt();
  __m512 scale[4];  // of 32 tokens, each twice
  for (int64_t r = 0; r < rows; ++r) {
    if (2 * r % kKvScaleDims == 0) {
      const auto* halves = reinterpret_cast<const __m256i*>(scales);
      for (int j = 0; j < 2; ++j) {
        const __m512 s = _mm512_cvtph_ps(_mm256_loadu_si256(halves + j));
        scale[2 * j] = _mm512_permutexvar_ps(low_twice, s);
        scale[2 * j + 1] = _mm512_permutexvar_ps(high_twice, s);
      }
      scales += 2 * kKvBlockTokens;
    }
    const std::byte* row = block + r * kLine;
    Prefetch(ahead + r * kLine);
    _mm512_store_si512(out + r * 2 * kLine, LoadQ8(row, scale[0], scale[1]));
    _mm512_store_si512(out + r * 2 * kLine + kLine, LoadQ8(row + 32, scale[2], scale[3]));
  }
}

// Two scales, for the even and the odd numbers.
inline __m512 ScalePair(const std::byte* even, const std::byte* odd) {
  uint16_t a, b;
  std::memcpy(&a, even, sizeof(a));
  std::memcpy(&b, odd, sizeof(b));
  const __m128 floats = _mm_cvtph_ps(_mm_cvtsi32_si128(a | b << 16));
  return _mm512_castpd_ps(_mm512_broadcastsd_pd(_mm_castps_pd(floats)));
}

void UnpackValues(const KvLayout& layout, const std::byte* block, const std::byte* ahead,
                  Word* tile) {
  auto* out = reinterpret_cast<std::byte*>(tile);
  const int64_t dim = layout.PaddedValueDim();
  if (layout.type == KvType::kF16) {
    return UnpackF16(block, ahead, kKvBlockTokens / 2 * dim * 4, out);
  }
  const std::byte* scales = block + layout.ValueScalesAt();
  const int64_t scale_bytes = 2 * layout.Scales(dim);
  for (int64_t r = 0; r < kKvBlockTokens / 2; ++r) {
    for (int64_t v = 0; v < dim; v += 16) {  // 16 pairs are 32 bytes
      const std::byte* even = scales + 2 * r * scale_bytes + v / kKvScaleDims * 2;
      const __m512 scale = ScalePair(even, even + scale_bytes);
      const int64_t at = (r * dim + v) * 2;
      Prefetch(ahead + at);
      _mm512_store_si512(out + 2 * at, LoadQ8(block + at, scale, scale));
    }
  }
}

// 8 rows of 8 double words, transposed.
inline void Transpose8x8(__m512d* v) {
  __m512d t[8], u[8];
  TUTTI_UNROLL
  for (int i = 0; i < 8; i += 2) {
    t[i] = _mm512_unpacklo_pd(v[i], v[i + 1]);
    t[i + 1] = _mm512_unpackhi_pd(v[i], v[i + 1]);
  }
  TUTTI_UNROLL
  for (int i = 0; i < 2; ++i) {
    u[i] = _mm512_shuffle_f64x2(t[i], t[i + 2], 0x88);
    u[i + 2] = _mm512_shuffle_f64x2(t[i], t[i + 2], 0xdd);
    u[i + 4] = _mm512_shuffle_f64x2(t[i + 4], t[i + 6], 0x88);
    u[i + 6] = _mm512_shuffle_f64x2(t[i + 4], t[i + 6], 0xdd);
  }
  TUTTI_UNROLL
  for (int i = 0; i < 4; ++i) {
    v[i] = _mm512_shuffle_f64x2(u[i], u[i + 4], 0x88);
    v[i + 4] = _mm512_shuffle_f64x2(u[i], u[i + 4], 0xdd);
  }
}

// Pairs of tokens to pairs of dimensions: within each two words (4 numbers) the middle ones change
// places, and the double words are transposed.
void Turn(const Word* values, int64_t stride, int64_t dim, Word* keys) {
  const __m512i swap =
      _mm512_broadcast_i32x4(_mm_set_epi8(15, 14, 11, 10, 13, 12, 9, 8, 7, 6, 3, 2, 5, 4, 1, 0));
  for (int64_t k = 0; k < dim; k += 16) {
    for (int64_t t = 0; t < kKvBlockTokens / 2; t += 8) {
      __m512d v[8];
      TUTTI_UNROLL
      for (int j = 0; j < 8; ++j) {
        const __m512i row = _mm512_loadu_si512(values + (t + j) * stride + k);
        v[j] = _mm512_castsi512_pd(_mm512_shuffle_epi8(row, swap));
      }
      Transpose8x8(v);
      TUTTI_UNROLL
      for (int j = 0; j < 8; ++j) {
        _mm512_storeu_pd(keys + (k / 2 + j) * kKeyTileLanes + 2 * t, v[j]);
      }
    }
  }
}

template <typename Source, int kColumns, int kVectors>
void MultiplyColumns(const TileProduct& p, int64_t column, int64_t lane, const std::byte* ahead) {
  const Word* factors = p.factors + column * p.factor_stride;
  float* sums = p.sums + column * p.sum_stride + lane;
  __m512 sum[kColumns][kVectors];
  TUTTI_UNROLL
  for (int c = 0; c < kColumns; ++c) {
    TUTTI_UNROLL
    for (int j = 0; j < kVectors; ++j) {
      sum[c][j] = p.add ? _mm512_loadu_ps(sums + c * p.sum_stride + j * 16) : _mm512_setzero_ps();
    }
  }
  const std::byte* row = p.tile + lane * 4;
  ahead += lane * 4;
  const int64_t row_bytes = p.tile_stride * 4;
  for (int64_t i = 0; i < p.count; ++i, row += row_bytes, ahead += row_bytes) {
    __m512i x[kVectors];
    TUTTI_UNROLL
    for (int j = 0; j < kVectors; ++j) {
      Prefetch(ahead + j * kLine);
      x[j] = Source::Load(row + j * kLine);
    }
    TUTTI_UNROLL
    for (int c = 0; c < kColumns; ++c) {
      const __m512i f = _mm512_set1_epi32(static_cast<int>(factors[c * p.factor_stride + i]));
      TUTTI_UNROLL
      for (int j = 0; j < kVectors; ++j) {
        sum[c][j] = _mm512_dpbf16_ps(sum[c][j], Words(x[j]), Words(f));
      }
    }
  }
  TUTTI_UNROLL
  for (int c = 0; c < kColumns; ++c) {
    TUTTI_UNROLL
    for (int j = 0; j < kVectors; ++j) {
      _mm512_storeu_ps(sums + c * p.sum_stride + j * 16, sum[c][j]);
    }
  }
}

constexpr int kMaxTileColumns = 8;

template <typename Source, int kVectors, int kColumns = kMaxTileColumns>
inline void MultiplyRest(const TileProduct& p, int64_t column, int64_t columns, int64_t lane,
                         const std::byte* ahead) {
  if (columns == kColumns) {
    return MultiplyColumns<Source, kColumns, kVectors>(p, column, lane, ahead);
  }
  if constexpr (kColumns > 1) {
    MultiplyRest<Source, kVectors, kColumns - 1>(p, column, columns, lane, ahead);
  }
}

// The lanes outside, so that a stripe of the tile stays in the cache for all columns.
template <typename Source>
void MultiplyFrom(const TileProduct& p) {
  for (int64_t lane = 0; lane < p.lanes; lane += 32) {
    for (int64_t c = 0; c < p.columns; c += kMaxTileColumns) {
      const int64_t columns = std::min<int64_t>(kMaxTileColumns, p.columns - c);
      const std::byte* ahead = c == 0 ? p.ahead : p.tile;
      if (p.lanes - lane >= 32) {
        MultiplyRest<Source, 2>(p, c, columns, lane, ahead);
      } else {
        MultiplyRest<Source, 1>(p, c, columns, lane, ahead);
      }
    }
  }
}

void Multiply(KvType stored, bool unpacked, const TileProduct& p) {
  if (!unpacked && stored == KvType::kF16) return MultiplyFrom<SourceF16>(p);
  MultiplyFrom<SourceBF16>(p);
}

// 2^x for x <= 0 and a little more: 2^n times the Taylor series of 2^f, |f| <= 1/2, whose error of
// 3e-6 vanishes in the rounding to bf16. Below 2^-200 it is 0; NaN stays.
inline __m512 Exp2(__m512 x) {
  x = _mm512_max_ps(_mm512_set1_ps(-200.0f), x);
  const __m512 n = _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  const __m512 f = _mm512_sub_ps(x, n);
  __m512 p = _mm512_set1_ps(1.3333558e-3f);
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(9.6181291e-3f));
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(5.5504109e-2f));
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(2.4022651e-1f));
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(6.9314718e-1f));
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(1.0f));
  return _mm512_scalef_ps(p, n);
}

// Lanes of the 16 positions from `at` that are in [begin, end).
inline __mmask16 Inside(int64_t at, int64_t begin, int64_t end) {
  if (begin <= at && at + 16 <= end) return 0xffff;  // nearly always
  const int64_t first = std::clamp<int64_t>(begin - at, 0, 16);
  const int64_t last = std::clamp<int64_t>(end - at, 0, 16);
  return static_cast<__mmask16>(((1u << last) - 1) & ~((1u << first) - 1));
}

void Softmax(float* scores, float scale, int64_t begin, int64_t end, Word* weights, float* max_out,
             float* sum_out) {
  constexpr float kLog2E = 1.44269504f;
  const int64_t first = begin / 32 * 32;
  __m512 high = _mm512_set1_ps(-std::numeric_limits<float>::infinity());
  const __m512 vscale = _mm512_set1_ps(scale);
  for (int64_t i = begin / 16 * 16; i < end; i += 16) {
    const __m512 s = _mm512_mul_ps(_mm512_loadu_ps(scores + i), vscale);
    high = _mm512_mask_max_ps(high, Inside(i, begin, end), high, s);
  }
  const float max = _mm512_reduce_max_ps(high);
  const __m512 factor = _mm512_set1_ps(scale * kLog2E);
  const __m512 offset = _mm512_set1_ps(max * kLog2E);
  const __m512i ones = _mm512_set1_epi32(0x3f803f80);
  __m512 sum = _mm512_setzero_ps();
  for (int64_t i = first; i < end; i += 32) {
    __m512 p[2];
    TUTTI_UNROLL
    for (int j = 0; j < 2; ++j) {
      const __m512 x = _mm512_fmsub_ps(_mm512_loadu_ps(scores + i + 16 * j), factor, offset);
      p[j] = _mm512_maskz_mov_ps(Inside(i + 16 * j, begin, end), Exp2(x));
    }
    const __m512bh both = _mm512_cvtne2ps_pbh(p[1], p[0]);
    sum = _mm512_dpbf16_ps(sum, both, Words(ones));
    _mm512_storeu_si512(weights + i / 2, Bits(both));
  }
  *max_out = max;
  *sum_out = _mm512_reduce_add_ps(sum);
}

void Blend(int64_t count, float a, const float* x, float b, const float* y, float* out) {
  for (int64_t i = 0; i < count; i += 16) {
    const __m512 scaled = _mm512_mul_ps(_mm512_set1_ps(a), _mm512_loadu_ps(x + i));
    _mm512_storeu_ps(out + i, _mm512_fmadd_ps(_mm512_set1_ps(b), _mm512_loadu_ps(y + i), scaled));
  }
}

// Converting f16 costs less than a pass of its own where few columns use the result.
bool ReadsStored(KvType type, int64_t columns) {
  return type == KvType::kBF16 || (type == KvType::kF16 && columns <= kMaxTileColumns);
}

constexpr AttentionIsa kBf16 = {.name = "avx512bf16",
                                .group = 2,
                                .reads_stored = ReadsStored,
                                .convert_factors = ConvertFactors,
                                .pair = Pair,
                                .unpack_keys = UnpackKeys,
                                .unpack_values = UnpackValues,
                                .turn = Turn,
                                .multiply = Multiply,
                                .softmax = Softmax,
                                .blend = Blend};

}  // namespace
}  // namespace tutti::kernels
TUTTI_END_TARGET

namespace tutti::kernels {

const AttentionIsa* Bf16AttentionIsa() {
  static const bool runs = Cpu().avx512_bf16;
  return runs ? &kBf16 : nullptr;
}

}  // namespace tutti::kernels

#else

namespace tutti::kernels {

const AttentionIsa* Bf16AttentionIsa() { return nullptr; }

}  // namespace tutti::kernels

#endif
