// Attention in float32, in Highway's vectors.
#include <algorithm>
#include <cstring>
#include <limits>

#include "tutti/base/checked_math.h"
#include "tutti/kernels/attention_isa.h"
#include "tutti/kernels/fixed_vectors.h"

#define HWY_DISABLED_TARGETS TUTTI_SCALABLE_TARGETS
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tutti/kernels/attention_f32.cc"
#include <hwy/foreach_target.h>
// foreach_target.h must come first.
#include <hwy/contrib/math/math-inl.h>
#include <hwy/highway.h>

#include "tutti/kernels/small_float-inl.h"
#include "tutti/kernels/transpose-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tutti::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// At most 16 lanes, so that rows padded to 16 words suit every machine.
using Lane = hn::CappedTag<float, 16>;

inline void Prefetch(const void* at) {
  __builtin_prefetch(at);
  asm volatile("" ::: "memory");  // GCC 12 drops calls of functions that only prefetch
}

struct StoredI8 {
  using Code = int8_t;
  template <class D>
  static HWY_INLINE hn::Vec<D> Load(D d, const Code* from) {
    const hn::Rebind<int8_t, D> d8;
    const hn::Rebind<int32_t, D> d32;
    return hn::ConvertTo(d, hn::PromoteTo(d32, hn::LoadU(d8, from)));
  }
};

// A row of pairs to two rows of floats, `lanes` pairs: even[i] = pair i's first * scale[i / step].
template <class Format>
HWY_INLINE void SplitPairs(const std::byte* pairs, const std::byte* ahead, int64_t lanes,
                           float* even, float* odd) {
  const Lane d;
  const auto* codes = reinterpret_cast<const typename Format::Code*>(pairs);
  constexpr int64_t kBytes = 2 * sizeof(typename Format::Code);
  for (int64_t i = 0; i < lanes * kBytes; i += 64) Prefetch(ahead + i);
#if HWY_TARGET == HWY_SCALAR
  for (int64_t i = 0; i < lanes; ++i) {
    even[i] = hn::GetLane(Format::Load(d, codes + 2 * i));
    odd[i] = hn::GetLane(Format::Load(d, codes + 2 * i + 1));
  }
#else
  const int64_t n = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t i = 0; i < lanes; i += n) {
    const auto low = Format::Load(d, codes + 2 * i);
    const auto high = Format::Load(d, codes + 2 * i + n);
    hn::StoreU(hn::ConcatEven(d, high, low), d, even + i);
    hn::StoreU(hn::ConcatOdd(d, high, low), d, odd + i);
  }
#endif
}

// `rows` pairs of rows.
template <class Format>
void SplitRows(const std::byte* block, const std::byte* ahead, int64_t rows, int64_t lanes,
               float* tile) {
  const int64_t bytes = lanes * 2 * static_cast<int64_t>(sizeof(typename Format::Code));
  for (int64_t r = 0; r < rows; ++r) {
    SplitPairs<Format>(block + r * bytes, ahead + r * bytes, lanes, tile + 2 * r * lanes,
                       tile + (2 * r + 1) * lanes);
  }
}

void Split(KvType type, const std::byte* block, const std::byte* ahead, int64_t rows, int64_t lanes,
           float* tile) {
  switch (type) {
    case KvType::kF32:
      std::memcpy(tile, block, static_cast<size_t>(2 * rows * lanes) * sizeof(float));
      return;
    case KvType::kF16:
      return SplitRows<StoredF16>(block, ahead, rows, lanes, tile);
    case KvType::kBF16:
      return SplitRows<StoredBF16>(block, ahead, rows, lanes, tile);
    case KvType::kQ8_0:
      return SplitRows<StoredI8>(block, ahead, rows, lanes, tile);
  }
}

// row[i] *= scales[i]
void MultiplyRow(const std::byte* scales, int64_t count, float* row) {
  const Lane d;
  const int64_t n = static_cast<int64_t>(hn::Lanes(d));
  const auto* codes = reinterpret_cast<const uint16_t*>(scales);
  for (int64_t i = 0; i < count; i += n) {
    hn::StoreU(hn::Mul(StoredF16::Load(d, codes + i), hn::LoadU(d, row + i)), d, row + i);
  }
}

void MultiplyRowBy(float scale, int64_t count, float* row) {
  const Lane d;
  const int64_t n = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t i = 0; i < count; i += n) {
    hn::StoreU(hn::Mul(hn::Set(d, scale), hn::LoadU(d, row + i)), d, row + i);
  }
}

void UnpackKeys(const KvLayout& layout, const std::byte* block, const std::byte* ahead,
                Word* words) {
  auto* tile = reinterpret_cast<float*>(words);
  const int64_t rows = DivCeil<int64_t>(layout.key_dim, 2);
  Split(layout.type, block, ahead, rows, kKvBlockTokens, tile);
  if (layout.type != KvType::kQ8_0) return;
  const std::byte* scales = block + layout.KeyScalesAt();
  for (int64_t k = 0; k < layout.key_dim; ++k) {
    MultiplyRow(scales + k / kKvScaleDims * kKvBlockTokens * 2, kKvBlockTokens,
                tile + k * kKvBlockTokens);
  }
}

void UnpackValues(const KvLayout& layout, const std::byte* block, const std::byte* ahead,
                  Word* words) {
  auto* tile = reinterpret_cast<float*>(words);
  const int64_t dim = layout.PaddedValueDim();
  Split(layout.type, block, ahead, kKvBlockTokens / 2, dim, tile);
  if (layout.type != KvType::kQ8_0) return;
  const std::byte* scale = block + layout.ValueScalesAt();
  for (int64_t t = 0; t < kKvBlockTokens; ++t) {
    for (int64_t v = 0; v < dim; v += kKvScaleDims, scale += 2) {
      uint16_t code;
      std::memcpy(&code, scale, sizeof(code));
      MultiplyRowBy(StoredF16::ToFloat(code), std::min(kKvScaleDims, dim - v), tile + t * dim + v);
    }
  }
}

void Transpose(const Word* in, int64_t in_stride, int64_t rows, int64_t columns, Word* out,
               int64_t out_stride) {
  TransposeFloats(reinterpret_cast<const float*>(in), in_stride, rows, columns,
                  reinterpret_cast<float*>(out), out_stride);
}

// kVectors vectors of sums for each of kColumns columns.
template <int kColumns, int kVectors>
HWY_NOINLINE void MultiplyColumns(const float* factors, int64_t factor_stride, const float* tile,
                                  int64_t tile_stride, const float* ahead, int64_t count, bool add,
                                  float* sums, int64_t sum_stride) {
  const Lane d;
  const int64_t n = static_cast<int64_t>(hn::Lanes(d));
  hn::Vec<Lane> sum[kColumns][kVectors];
  HWY_UNROLL(4)
  for (int c = 0; c < kColumns; ++c) {
    HWY_UNROLL(2)
    for (int j = 0; j < kVectors; ++j) {
      sum[c][j] = add ? hn::LoadU(d, sums + c * sum_stride + j * n) : hn::Zero(d);
    }
  }
  for (int64_t i = 0; i < count; ++i) {
    Prefetch(ahead + i * tile_stride);
    hn::Vec<Lane> row[kVectors];
    HWY_UNROLL(2)
    for (int j = 0; j < kVectors; ++j) row[j] = hn::LoadU(d, tile + i * tile_stride + j * n);
    HWY_UNROLL(4)
    for (int c = 0; c < kColumns; ++c) {
      const auto x = hn::Set(d, factors[c * factor_stride + i]);
      HWY_UNROLL(2)
      for (int j = 0; j < kVectors; ++j) sum[c][j] = hn::MulAdd(x, row[j], sum[c][j]);
    }
  }
  HWY_UNROLL(4)
  for (int c = 0; c < kColumns; ++c) {
    HWY_UNROLL(2)
    for (int j = 0; j < kVectors; ++j) hn::StoreU(sum[c][j], d, sums + c * sum_stride + j * n);
  }
}

template <int kColumns>
HWY_INLINE void MultiplyLanes(const TileProduct& p, int64_t column) {
  const int64_t n = static_cast<int64_t>(hn::Lanes(Lane()));
  const auto* factors = reinterpret_cast<const float*>(p.factors) + column * p.factor_stride;
  const auto* tile = reinterpret_cast<const float*>(p.tile);
  const auto* ahead = reinterpret_cast<const float*>(column == 0 ? p.ahead : p.tile);
  float* sums = p.sums + column * p.sum_stride;
  int64_t lane = 0;
  for (; lane + 2 * n <= p.lanes; lane += 2 * n) {
    MultiplyColumns<kColumns, 2>(factors, p.factor_stride, tile + lane, p.tile_stride, ahead + lane,
                                 p.count, p.add, sums + lane, p.sum_stride);
  }
  if (lane < p.lanes) {
    MultiplyColumns<kColumns, 1>(factors, p.factor_stride, tile + lane, p.tile_stride, ahead + lane,
                                 p.count, p.add, sums + lane, p.sum_stride);
  }
}

void Multiply(const TileProduct& p) {
  int64_t c = 0;
  for (; c + 4 <= p.columns; c += 4) MultiplyLanes<4>(p, c);
  switch (p.columns - c) {
    case 3:
      return MultiplyLanes<3>(p, c);
    case 2:
      return MultiplyLanes<2>(p, c);
    case 1:
      return MultiplyLanes<1>(p, c);
    default:
      return;
  }
}

void Softmax(float* HWY_RESTRICT scores, float scale, int64_t begin, int64_t end,
             float* HWY_RESTRICT weights, float* max_out, float* sum_out) {
  const Lane d;
  const int64_t n = static_cast<int64_t>(hn::Lanes(d));
  const float never = -std::numeric_limits<float>::infinity();
  const int64_t first = begin / n * n;
  const int64_t last = (end + n - 1) / n * n;
  for (int64_t i = first; i < begin; ++i) scores[i] = never;
  for (int64_t i = end; i < last; ++i) scores[i] = never;
  const auto vscale = hn::Set(d, scale);
  auto max = hn::Set(d, never);
  for (int64_t i = first; i < last; i += n) {
    const auto scaled = hn::Mul(hn::LoadU(d, scores + i), vscale);
    hn::StoreU(scaled, d, scores + i);
    max = hn::Max(max, scaled);
  }
  max = hn::MaxOfLanes(d, max);
  auto sum = hn::Zero(d);
  for (int64_t i = first; i < last; i += n) {
    const auto p = hn::Exp(d, hn::Sub(hn::LoadU(d, scores + i), max));
    hn::StoreU(p, d, weights + i);
    sum = hn::Add(sum, p);
  }
  *max_out = hn::GetLane(max);
  *sum_out = hn::GetLane(hn::SumOfLanes(d, sum));
}

void Blend(int64_t count, float a, const float* x, float b, const float* y, float* out) {
  const Lane d;
  const int64_t n = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t i = 0; i < count; i += n) {
    const auto scaled = hn::Mul(hn::Set(d, a), hn::LoadU(d, x + i));
    hn::StoreU(hn::MulAdd(hn::Set(d, b), hn::LoadU(d, y + i), scaled), d, out + i);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace tutti::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tutti::kernels {
namespace {
HWY_EXPORT(UnpackKeys);
HWY_EXPORT(UnpackValues);
HWY_EXPORT(Transpose);
HWY_EXPORT(Multiply);
HWY_EXPORT(Softmax);
HWY_EXPORT(Blend);

void ConvertFactors(const float* x, int64_t count, Word* words) {
  std::memcpy(words, x, static_cast<size_t>(count) * sizeof(float));
}

constexpr AttentionIsa kFloat32 = {
    .name = "float32",
    .group = 1,
    .reads_stored = [](KvType type, int64_t) { return type == KvType::kF32; },
    .convert_factors = ConvertFactors,
    .pair = nullptr,
    .unpack_keys =
        [](const KvLayout& layout, const std::byte* block, const std::byte* ahead, Word* tile) {
          HWY_DYNAMIC_DISPATCH(UnpackKeys)
          (layout, block, ahead, tile);
        },
    .unpack_values =
        [](const KvLayout& layout, const std::byte* block, const std::byte* ahead, Word* tile) {
          HWY_DYNAMIC_DISPATCH(UnpackValues)(layout, block, ahead, tile);
        },
    .turn =
        [](const Word* values, int64_t stride, int64_t dim, Word* keys) {
          TransposeWords(values, stride, kKvBlockTokens, dim, keys, kKvBlockTokens);
        },
    .multiply =
        [](KvType, bool, const TileProduct& p) {
          HWY_DYNAMIC_DISPATCH(Multiply)
          (p);
        },
    .softmax =
        [](float* scores, float scale, int64_t begin, int64_t end, Word* weights, float* max,
           float* sum) {
          HWY_DYNAMIC_DISPATCH(Softmax)
          (scores, scale, begin, end, reinterpret_cast<float*>(weights), max, sum);
        },
    .blend =
        [](int64_t count, float a, const float* x, float b, const float* y, float* out) {
          HWY_DYNAMIC_DISPATCH(Blend)
          (count, a, x, b, y, out);
        },
};

}  // namespace

void TransposeWords(const Word* in, int64_t in_stride, int64_t rows, int64_t columns, Word* out,
                    int64_t out_stride) {
  HWY_DYNAMIC_DISPATCH(Transpose)(in, in_stride, rows, columns, out, out_stride);
}

const AttentionIsa& Float32AttentionIsa() { return kFloat32; }

}  // namespace tutti::kernels
#endif  // HWY_ONCE
