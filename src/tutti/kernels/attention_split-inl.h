// One piece of a history for a block of query columns. Included per SIMD target, after highway.h,
// by attention.cc only.
//
// A *column* is one query head of one row; all columns of a block read the same key head. Keys are
// turned into a tile [key_dim][positions], so that a score is one chain of multiply-adds over
// key_dim per lane: no sums across lanes, and the same order whatever the vector length.
#if defined(TUTTI_KERNELS_ATTENTION_SPLIT_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TUTTI_KERNELS_ATTENTION_SPLIT_INL_H_
#undef TUTTI_KERNELS_ATTENTION_SPLIT_INL_H_
#else
#define TUTTI_KERNELS_ATTENTION_SPLIT_INL_H_
#endif

#include <hwy/contrib/math/math-inl.h>
#include <hwy/highway.h>

#include <algorithm>
#include <limits>

#include "tutti/kernels/attention_block.h"
#include "tutti/kernels/kv_load-inl.h"
#include "tutti/kernels/kv_transpose-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tutti::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

constexpr int64_t kTileTokens = AttentionScratch::kTileTokens;

// Asks for the rows that come `kAhead` positions later: a head's rows lie apart, and the hardware
// does not follow them across pages.
constexpr int64_t kAhead = 32;
inline void PrefetchRow(const std::byte* row, int64_t bytes) {
  constexpr int64_t kLine = 64;
  for (int64_t at = 0; at < bytes; at += kLine) __builtin_prefetch(row + at);
  asm volatile("" ::: "memory");  // GCC 12 drops calls of functions that only prefetch
}

// tile[d * kTileTokens + i] = key of position begin + i, zero where that is outside `needed`.
inline void LoadKeyTile(const AttentionBlock& block, int64_t begin, Range needed, float* row,
                        float* tile) {
  const std::byte* rows[kTileTokens] = {};
  const std::byte* later[kTileTokens];
  const int64_t dim = block.shape->key_dim;
  const int64_t first = std::max(begin, needed.begin);
  const int64_t last = std::min(begin + kTileTokens, needed.end);
  block.KeyRows(first, last, rows + (first - begin));
  const int64_t later_last = std::min(last + kAhead, needed.end);
  block.KeyRows(last, later_last, later);
  for (int64_t i = 0; i < later_last - last; ++i) {
    PrefetchRow(later[i], dim * KvBytes(block.job->kv.type));
  }
  TransposeKeys(block.job->kv.type, rows, kTileTokens, dim, row, tile);
}

// values[i] = value of position origin + i as floats, padded, for i in `within`.
inline void LoadValues(const AttentionBlock& block, int64_t origin, Range within, float* values) {
  const std::byte* rows[kSplitTokens];
  block.ValueRows(origin + within.begin, origin + within.end, rows);
  const int64_t count = within.end - within.begin;
  const int64_t bytes = block.shape->value_dim * KvBytes(block.job->kv.type);
  for (int64_t i = 0; i < count; ++i) {
    if (i + kAhead < count) PrefetchRow(rows[i + kAhead], bytes);
    ConvertKvRow(block.job->kv.type, rows[i], static_cast<size_t>(block.shape->value_dim),
                 values + (within.begin + i) * block.padded_value_dim());
  }
}

// scores[c][0 .. kTileTokens) = scale * q[c] . tile for kColumns columns.
template <int kColumns>
HWY_NOINLINE void ScoreTile(const float* const* q, const float* HWY_RESTRICT tile, int64_t dim,
                            float scale, float* HWY_RESTRICT scores, int64_t scores_stride) {
  const KvTag d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto vscale = hn::Set(d, scale);
  // Two vectors at a time: enough independent chains to hide the latency of a multiply-add. The
  // count of 2 divides kTileTokens / lanes for every lane count up to 16.
  for (int64_t i = 0; i < kTileTokens; i += 2 * lanes) {
    hn::Vec<KvTag> sum[kColumns][2];
    HWY_UNROLL(4)
    for (int c = 0; c < kColumns; ++c) sum[c][0] = sum[c][1] = hn::Zero(d);
    for (int64_t k = 0; k < dim; ++k) {
      const auto k0 = hn::LoadU(d, tile + k * kTileTokens + i);
      const auto k1 = hn::LoadU(d, tile + k * kTileTokens + i + lanes);
      HWY_UNROLL(4)
      for (int c = 0; c < kColumns; ++c) {
        const auto x = hn::Set(d, q[c][k]);
        sum[c][0] = hn::MulAdd(x, k0, sum[c][0]);
        sum[c][1] = hn::MulAdd(x, k1, sum[c][1]);
      }
    }
    HWY_UNROLL(4)
    for (int c = 0; c < kColumns; ++c) {
      hn::StoreU(hn::Mul(sum[c][0], vscale), d, scores + c * scores_stride + i);
      hn::StoreU(hn::Mul(sum[c][1], vscale), d, scores + c * scores_stride + i + lanes);
    }
  }
}

inline void ScoreColumns(const float* const* q, int64_t columns, const float* tile, int64_t dim,
                         float scale, float* scores, int64_t stride) {
  int64_t c = 0;
  for (; c + 4 <= columns; c += 4)
    ScoreTile<4>(q + c, tile, dim, scale, scores + c * stride, stride);
  switch (columns - c) {
    case 3:
      ScoreTile<3>(q + c, tile, dim, scale, scores + c * stride, stride);
      break;
    case 2:
      ScoreTile<2>(q + c, tile, dim, scale, scores + c * stride, stride);
      break;
    case 1:
      ScoreTile<1>(q + c, tile, dim, scale, scores + c * stride, stride);
      break;
    default:
      break;
  }
}

// Turns scores[begin, end) (the rest becomes 0) into exp(score - max); returns max and sum.
inline void SoftmaxPiece(float* HWY_RESTRICT scores, int64_t begin, int64_t end, float* max_out,
                         float* sum_out) {
  const KvTag d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  const float never = -std::numeric_limits<float>::infinity();
  const int64_t first = begin / lanes * lanes;
  const int64_t last = (end + lanes - 1) / lanes * lanes;
  for (int64_t i = first; i < begin; ++i) scores[i] = never;
  for (int64_t i = end; i < last; ++i) scores[i] = never;
  auto max = hn::Set(d, never);
  for (int64_t i = first; i < last; i += lanes) max = hn::Max(max, hn::LoadU(d, scores + i));
  max = hn::MaxOfLanes(d, max);
  auto sum = hn::Zero(d);
  for (int64_t i = first; i < last; i += lanes) {
    const auto p = hn::Exp(d, hn::Sub(hn::LoadU(d, scores + i), max));
    hn::StoreU(p, d, scores + i);
    sum = hn::Add(sum, p);
  }
  *max_out = hn::GetLane(max);
  *sum_out = hn::GetLane(hn::SumOfLanes(d, sum));
}

// acc[c] += sum over i in [begin, end) of weights[c][i] * values[i]
template <int kColumns>
HWY_NOINLINE void AddValues(const float* const* weights, const float* HWY_RESTRICT values,
                            int64_t padded_dim, int64_t begin, int64_t end, float* const* acc) {
  const KvTag d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t v = 0;
  for (; v + 4 * lanes <= padded_dim; v += 4 * lanes) {
    hn::Vec<KvTag> sum[kColumns][4];
    HWY_UNROLL(4)
    for (int c = 0; c < kColumns; ++c) {
      HWY_UNROLL(4)
      for (int j = 0; j < 4; ++j) sum[c][j] = hn::LoadU(d, acc[c] + v + j * lanes);
    }
    for (int64_t i = begin; i < end; ++i) {
      const float* row = values + i * padded_dim + v;
      const auto v0 = hn::LoadU(d, row);
      const auto v1 = hn::LoadU(d, row + lanes);
      const auto v2 = hn::LoadU(d, row + 2 * lanes);
      const auto v3 = hn::LoadU(d, row + 3 * lanes);
      HWY_UNROLL(4)
      for (int c = 0; c < kColumns; ++c) {
        const auto w = hn::Set(d, weights[c][i]);
        sum[c][0] = hn::MulAdd(w, v0, sum[c][0]);
        sum[c][1] = hn::MulAdd(w, v1, sum[c][1]);
        sum[c][2] = hn::MulAdd(w, v2, sum[c][2]);
        sum[c][3] = hn::MulAdd(w, v3, sum[c][3]);
      }
    }
    HWY_UNROLL(4)
    for (int c = 0; c < kColumns; ++c) {
      HWY_UNROLL(4)
      for (int j = 0; j < 4; ++j) hn::StoreU(sum[c][j], d, acc[c] + v + j * lanes);
    }
  }
  for (; v < padded_dim; v += lanes) {
    HWY_UNROLL(4)
    for (int c = 0; c < kColumns; ++c) {
      auto sum = hn::LoadU(d, acc[c] + v);
      for (int64_t i = begin; i < end; ++i) {
        sum = hn::MulAdd(hn::Set(d, weights[c][i]), hn::LoadU(d, values + i * padded_dim + v), sum);
      }
      hn::StoreU(sum, d, acc[c] + v);
    }
  }
}

inline void AddValuesOf(int64_t columns, const float* const* weights, const float* values,
                        int64_t padded_dim, Range range, float* const* acc) {
  switch (columns) {
    case 4:
      return AddValues<4>(weights, values, padded_dim, range.begin, range.end, acc);
    case 3:
      return AddValues<3>(weights, values, padded_dim, range.begin, range.end, acc);
    case 2:
      return AddValues<2>(weights, values, padded_dim, range.begin, range.end, acc);
    default:
      return AddValues<1>(weights, values, padded_dim, range.begin, range.end, acc);
  }
}

// Values of all columns, four at a time. Columns of one quad see different ranges near the
// diagonal; positions outside a column's own range are not touched, not even with weight zero
// (0 * inf would show).
inline void AddValuesOfColumns(const AttentionBlock& block, int64_t split,
                               const AttentionScratch& s, const Piece& piece) {
  constexpr int64_t kQuad = 4;
  const int64_t dim = block.padded_value_dim();
  for (int64_t c = 0; c < block.columns(); c += kQuad) {
    const int64_t n = std::min(kQuad, block.columns() - c);
    const float* weights[kQuad];
    float* acc[kQuad];
    Range range[kQuad];
    Range common{0, kSplitTokens};
    for (int64_t j = 0; j < n; ++j) {
      weights[j] = s.scores + (c + j) * kSplitTokens;
      acc[j] = piece.acc + (c + j) * dim;
      std::fill_n(acc[j], dim, 0.0f);
      range[j] = block.VisibleIn(split, c + j);
      common.begin = std::max(common.begin, range[j].begin);
      common.end = std::min(common.end, range[j].end);
    }
    if (common.begin < common.end) {
      for (int64_t j = 0; j < n; ++j) {
        AddValuesOf(1, weights + j, s.values, dim, {range[j].begin, common.begin}, acc + j);
      }
      AddValuesOf(n, weights, s.values, dim, common, acc);
      for (int64_t j = 0; j < n; ++j) {
        AddValuesOf(1, weights + j, s.values, dim, {common.end, range[j].end}, acc + j);
      }
    } else {
      for (int64_t j = 0; j < n; ++j) AddValuesOf(1, weights + j, s.values, dim, range[j], acc + j);
    }
  }
}

// Computes `piece` for all columns of the block over the positions of `split`.
void AttendSplit(const AttentionBlock& block, int64_t split, float* scratch, const Piece& piece) {
  const AttentionShape& shape = *block.shape;
  const AttentionScratch s(block, scratch);
  const int64_t origin = split * kSplitTokens;
  const Range within = block.NeededIn(split);
  const Range needed{origin + within.begin, origin + within.end};

  const float* q[kMaxColumns];
  for (int64_t c = 0; c < block.columns(); ++c) q[c] = block.QueryOf(c);
  for (int64_t t = within.begin / kTileTokens * kTileTokens; t < within.end; t += kTileTokens) {
    LoadKeyTile(block, origin + t, needed, s.row, s.tile);
    ScoreColumns(q, block.columns(), s.tile, shape.key_dim, shape.scale, s.scores + t,
                 kSplitTokens);
  }
  for (int64_t c = 0; c < block.columns(); ++c) {
    const Range range = block.VisibleIn(split, c);
    piece.max[c] = -std::numeric_limits<float>::infinity();
    piece.sum[c] = 0;
    if (range.begin < range.end) {
      SoftmaxPiece(s.scores + c * kSplitTokens, range.begin, range.end, &piece.max[c],
                   &piece.sum[c]);
    }
  }
  LoadValues(block, origin, within, s.values);
  AddValuesOfColumns(block, split, s, piece);
}

// out = a * x + b * y; out may be x.
void Blend(int64_t count, float a, const float* x, float b, const float* y, float* out) {
  const KvTag d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t i = 0; i < count; i += lanes) {
    const auto scaled = hn::Mul(hn::Set(d, a), hn::LoadU(d, x + i));
    hn::StoreU(hn::MulAdd(hn::Set(d, b), hn::LoadU(d, y + i), scaled), d, out + i);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace tutti::kernels
HWY_AFTER_NAMESPACE();

#endif  // include guard per target
