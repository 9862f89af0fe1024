#include "tutti/kernels/matmul_float.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "tutti/base/check.h"
#include "tutti/kernels/decode_simd.h"

// Compiles the rest of this file once per SIMD target.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tutti/kernels/matmul_float.cc"
#include <hwy/foreach_target.h>
// foreach_target.h must come first.
#include <hwy/highway.h>

#include "tutti/kernels/small_float-inl.h"

#ifndef TUTTI_KERNELS_MATMUL_FLOAT_STRIP  // once, not per target
#define TUTTI_KERNELS_MATMUL_FLOAT_STRIP
namespace tutti::kernels {

// Some rows of F32, F16 or BF16 weights, `stride_bytes` apart, with a place for their sums.
struct FloatStrip {
  DType dtype = DType::kF32;
  const std::byte* weights = nullptr;
  int64_t stride_bytes = 0;
  int64_t rows = 0;
  const float* bias = nullptr;  // of the first row, or null
  float* out = nullptr;         // [token][row], beginning at the first row
  int64_t out_stride = 0;
};

}  // namespace tutti::kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace tutti::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Dot products of kRows rows of the strip, from `row` on, with kTokens rows of x, from `token` on.
// Sixteen named sums, because vectors of scalable targets cannot be array elements; those beyond
// the tile's size vanish. A tile of any size and format adds in the same order.
template <class Format, int kRows, int kTokens>
HWY_INLINE void DotTile(const Activations& x, const FloatStrip& strip, int64_t row, int64_t token) {
  static_assert(kRows >= 1 && kRows <= 4 && kTokens >= 1 && kTokens <= 4);
  const hn::ScalableTag<float> d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  using Code = typename Format::Code;
  const auto weights = [&](int r) {
    return reinterpret_cast<const Code*>(strip.weights + (row + r % kRows) * strip.stride_bytes);
  };
  const auto inputs = [&](int t) { return x.Row(token + t % kTokens); };
  const Code *w0 = weights(0), *w1 = weights(1), *w2 = weights(2), *w3 = weights(3);
  const float *x0 = inputs(0), *x1 = inputs(1), *x2 = inputs(2), *x3 = inputs(3);
  auto s00 = hn::Zero(d), s01 = s00, s02 = s00, s03 = s00;
  auto s10 = s00, s11 = s00, s12 = s00, s13 = s00;
  auto s20 = s00, s21 = s00, s22 = s00, s23 = s00;
  auto s30 = s00, s31 = s00, s32 = s00, s33 = s00;

  int64_t c = 0;
  for (; c + lanes <= x.cols; c += lanes) {
    const auto a0 = Format::Load(d, w0 + c);
    const auto a1 = kRows > 1 ? Format::Load(d, w1 + c) : a0;
    const auto a2 = kRows > 2 ? Format::Load(d, w2 + c) : a0;
    const auto a3 = kRows > 3 ? Format::Load(d, w3 + c) : a0;
    const auto column = [&](const float* xt, auto& s0, auto& s1, auto& s2, auto& s3) HWY_ATTR {
      const auto b = hn::LoadU(d, xt + c);
      s0 = hn::MulAdd(a0, b, s0);
      if constexpr (kRows > 1) s1 = hn::MulAdd(a1, b, s1);
      if constexpr (kRows > 2) s2 = hn::MulAdd(a2, b, s2);
      if constexpr (kRows > 3) s3 = hn::MulAdd(a3, b, s3);
    };
    column(x0, s00, s10, s20, s30);
    if constexpr (kTokens > 1) column(x1, s01, s11, s21, s31);
    if constexpr (kTokens > 2) column(x2, s02, s12, s22, s32);
    if constexpr (kTokens > 3) column(x3, s03, s13, s23, s33);
  }

  const auto finish = [&](int r, int t, auto sum, const Code* wr, const float* xt) HWY_ATTR {
    if (r >= kRows || t >= kTokens) return;
    float total = hn::GetLane(hn::SumOfLanes(d, sum));
    for (int64_t i = c; i < x.cols; ++i) {
      Code code;
      std::memcpy(&code, wr + i, sizeof(code));
      total += Format::ToFloat(code) * xt[i];
    }
    if (strip.bias != nullptr) total += strip.bias[row + r];
    strip.out[(token + t) * strip.out_stride + row + r] = total;
  };
  const auto finish_column = [&](int t, const float* xt, auto t0, auto t1, auto t2, auto t3)
                                 HWY_ATTR {
                                   finish(0, t, t0, w0, xt);
                                   finish(1, t, t1, w1, xt);
                                   finish(2, t, t2, w2, xt);
                                   finish(3, t, t3, w3, xt);
                                 };
  finish_column(0, x0, s00, s10, s20, s30);
  finish_column(1, x1, s01, s11, s21, s31);
  finish_column(2, x2, s02, s12, s22, s32);
  finish_column(3, x3, s03, s13, s23, s33);
}

// All rows of the strip with kTokens rows of x.
template <class Format, int kTokens>
HWY_INLINE void DotTokens(const Activations& x, const FloatStrip& strip, int64_t token) {
  // 4 x 4 sums and their operands fit 32 registers; 2 x 4 fit 16.
  constexpr int kRows = HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_SSE4 || HWY_TARGET == HWY_SSSE3
                            ? (kTokens > 2 ? 2 : 4)
                            : 4;
  int64_t row = 0;
  for (; row + kRows <= strip.rows; row += kRows)
    DotTile<Format, kRows, kTokens>(x, strip, row, token);
  for (; row < strip.rows; ++row) DotTile<Format, 1, kTokens>(x, strip, row, token);
}

template <class Format>
HWY_INLINE void DotStripOf(const Activations& x, const FloatStrip& strip) {
  int64_t token = 0;
  for (; token + 4 <= x.rows; token += 4) DotTokens<Format, 4>(x, strip, token);
  for (; token < x.rows; ++token) DotTokens<Format, 1>(x, strip, token);
}

void DotStrip(const Activations& x, const FloatStrip& strip) {
  switch (strip.dtype) {
    case DType::kF16:
      DotStripOf<StoredF16>(x, strip);
      break;
    case DType::kBF16:
      DotStripOf<StoredBF16>(x, strip);
      break;
    default:
      DotStripOf<StoredF32>(x, strip);
      break;
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace tutti::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tutti::kernels {
namespace {
HWY_EXPORT(DotStrip);

// Strips are whole tiles of four rows. With few rows of x one tile, which stays in the first-level
// cache; with many up to 32 rows, some 128 KiB, which stay in the second while every row passes.
constexpr int64_t kFewTokens = 4;
int64_t StripRows(int64_t cols, int64_t tokens) {
  if (tokens <= kFewTokens) return 4;
  return std::clamp<int64_t>((int64_t{32} << 10) / std::max<int64_t>(cols, 1) / 4 * 4, 4, 32);
}

// Whether products can take the weights as they lie. Converting F16 or BF16 again for every four
// rows of x is cheaper than writing floats and reading them back while there are few of those.
bool TakesStored(const tensor::WeightView& w, int64_t tokens) {
  if (w.scales != nullptr) return false;
  return w.dtype == DType::kF32 ||
         ((w.dtype == DType::kF16 || w.dtype == DType::kBF16) && tokens <= kFewTokens);
}

}  // namespace

size_t MatMulFloatScratch(int64_t cols) {
  return static_cast<size_t>(StripRows(cols, std::numeric_limits<int64_t>::max()) * cols);
}

void MatMulFloatRows(const Activations& x, const MatMulJob& job, int64_t begin, int64_t end,
                     std::span<float> scratch) {
  const tensor::WeightView& w = job.weight;
  TUTTI_CHECK(x.cols == w.cols, "activations and weights differ in their columns");
  TUTTI_CHECK(0 <= begin && begin <= end && end <= w.rows, "rows outside the matrix");
  const bool stored = TakesStored(w, x.rows);
  TUTTI_CHECK(stored || scratch.size() >= MatMulFloatScratch(w.cols), "too little scratch");
  const int64_t strip_rows = StripRows(w.cols, x.rows);
  const auto cols = static_cast<size_t>(w.cols);
  for (int64_t first = begin; first < end; first += strip_rows) {
    FloatStrip strip;
    strip.rows = std::min(strip_rows, end - first);
    if (stored) {
      strip.dtype = w.dtype;
      strip.weights = w.data + first * w.row_stride_bytes;
      strip.stride_bytes = w.row_stride_bytes;
    } else {
      for (int64_t r = 0; r < strip.rows; ++r) {
        DecodeRowFast(w, first + r, scratch.subspan(static_cast<size_t>(r) * cols, cols));
      }
      strip.weights = reinterpret_cast<const std::byte*>(scratch.data());
      strip.stride_bytes = w.cols * static_cast<int64_t>(sizeof(float));
    }
    strip.bias = job.bias == nullptr ? nullptr : job.bias + first;
    strip.out = job.out + first;
    strip.out_stride = job.out_stride;
    HWY_DYNAMIC_DISPATCH(DotStrip)(x, strip);
  }
}

}  // namespace tutti::kernels
#endif  // HWY_ONCE
