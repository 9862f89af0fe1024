// Matrices of floats, transposed in registers. Included per SIMD target, after highway.h.
#if defined(TUTTI_KERNELS_TRANSPOSE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TUTTI_KERNELS_TRANSPOSE_INL_H_
#undef TUTTI_KERNELS_TRANSPOSE_INL_H_
#else
#define TUTTI_KERNELS_TRANSPOSE_INL_H_
#endif

#include <hwy/highway.h>

#include <cstddef>
#include <cstdint>

HWY_BEFORE_NAMESPACE();
namespace tutti::kernels {
namespace HWY_NAMESPACE {

#if HWY_HAVE_SCALABLE || HWY_TARGET == HWY_SCALAR

// Vectors whose length is unknown cannot be transposed in registers: one value at a time.
inline void TransposeFloats(const float* in, int64_t in_stride, int64_t rows, int64_t columns,
                            float* out, int64_t out_stride) {
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t c = 0; c < columns; ++c) out[c * out_stride + r] = in[r * in_stride + c];
  }
}

#else

using TransposeTag = hwy::HWY_NAMESPACE::CappedTag<float, 16>;

// v[i][j] = v[j][i] for as many vectors as a vector has lanes: within blocks of four lanes first,
// then blocks among each other.
template <class V>
HWY_INLINE void TransposeSquare(V* v) {
  namespace hn = hwy::HWY_NAMESPACE;
  const TransposeTag d;
  const hn::Repartition<double, TransposeTag> d64;
  constexpr size_t kLanes = hn::MaxLanes(TransposeTag());
  static_assert(kLanes == 4 || kLanes == 8 || kLanes == 16);
  // t[4 g + j] has in block b: lane 4 b + j of vectors 4 g .. 4 g + 3.
  V t[kLanes];
  HWY_UNROLL(4)
  for (size_t g = 0; g < kLanes; g += 4) {
    const auto a0 = hn::BitCast(d64, hn::InterleaveLower(d, v[g], v[g + 1]));
    const auto a1 = hn::BitCast(d64, hn::InterleaveUpper(d, v[g], v[g + 1]));
    const auto b0 = hn::BitCast(d64, hn::InterleaveLower(d, v[g + 2], v[g + 3]));
    const auto b1 = hn::BitCast(d64, hn::InterleaveUpper(d, v[g + 2], v[g + 3]));
    t[g] = hn::BitCast(d, hn::InterleaveLower(d64, a0, b0));
    t[g + 1] = hn::BitCast(d, hn::InterleaveUpper(d64, a0, b0));
    t[g + 2] = hn::BitCast(d, hn::InterleaveLower(d64, a1, b1));
    t[g + 3] = hn::BitCast(d, hn::InterleaveUpper(d64, a1, b1));
  }
  HWY_UNROLL(4)
  for (size_t j = 0; j < 4; ++j) {
    if constexpr (kLanes == 4) {
      v[j] = t[j];
    } else if constexpr (kLanes == 8) {
      v[j] = hn::ConcatLowerLower(d, t[4 + j], t[j]);
      v[4 + j] = hn::ConcatUpperUpper(d, t[4 + j], t[j]);
    } else {
      const auto x0 = hn::OddEvenBlocks(hn::SwapAdjacentBlocks(t[4 + j]), t[j]);
      const auto x1 = hn::OddEvenBlocks(t[4 + j], hn::SwapAdjacentBlocks(t[j]));
      const auto y0 = hn::OddEvenBlocks(hn::SwapAdjacentBlocks(t[12 + j]), t[8 + j]);
      const auto y1 = hn::OddEvenBlocks(t[12 + j], hn::SwapAdjacentBlocks(t[8 + j]));
      v[j] = hn::ConcatLowerLower(d, y0, x0);
      v[4 + j] = hn::ConcatLowerLower(d, y1, x1);
      v[8 + j] = hn::ConcatUpperUpper(d, y0, x0);
      v[12 + j] = hn::ConcatUpperUpper(d, y1, x1);
    }
  }
}

// out[c][r] = in[r][c] for r < rows, a multiple of 16, and c < columns; up to the next multiple of
// 16 columns are read and written.
inline void TransposeFloats(const float* in, int64_t in_stride, int64_t rows, int64_t columns,
                            float* out, int64_t out_stride) {
  namespace hn = hwy::HWY_NAMESPACE;
  const TransposeTag d;
  constexpr int64_t kLanes = static_cast<int64_t>(hn::MaxLanes(TransposeTag()));
  for (int64_t r = 0; r < rows; r += kLanes) {
    for (int64_t c = 0; c < columns; c += kLanes) {
      hn::Vec<TransposeTag> v[kLanes];
      HWY_UNROLL(16)
      for (int64_t j = 0; j < kLanes; ++j) v[j] = hn::LoadU(d, in + (r + j) * in_stride + c);
      TransposeSquare(v);
      HWY_UNROLL(16)
      for (int64_t j = 0; j < kLanes; ++j) hn::StoreU(v[j], d, out + (c + j) * out_stride + r);
    }
  }
}

#endif

}  // namespace HWY_NAMESPACE
}  // namespace tutti::kernels
HWY_AFTER_NAMESPACE();

#endif  // include guard per target
