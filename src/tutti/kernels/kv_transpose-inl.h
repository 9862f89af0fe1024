// Stored keys turned into a tile [dim][positions]. Included per SIMD target, after highway.h.
#if defined(TUTTI_KERNELS_KV_TRANSPOSE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TUTTI_KERNELS_KV_TRANSPOSE_INL_H_
#undef TUTTI_KERNELS_KV_TRANSPOSE_INL_H_
#else
#define TUTTI_KERNELS_KV_TRANSPOSE_INL_H_
#endif

#include <hwy/highway.h>

#include <algorithm>
#include <utility>

#include "tutti/kernels/kv_load-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tutti::kernels {
namespace HWY_NAMESPACE {

#if HWY_HAVE_SCALABLE || HWY_TARGET == HWY_SCALAR

// Vectors whose length is unknown cannot be transposed in registers: one value at a time.
template <typename T>
void TransposeKeysOf(const std::byte* const* rows, int64_t positions, int64_t dim, float* row,
                     float* tile) {
  for (int64_t i = 0; i < positions; ++i) {
    if (rows[i] != nullptr) {
      ConvertKvRowOf(reinterpret_cast<const T*>(rows[i]), static_cast<size_t>(dim), row);
    }
    for (int64_t k = 0; k < dim; ++k) tile[k * positions + i] = rows[i] != nullptr ? row[k] : 0;
  }
}

#else

// v[i][j] = v[j][i] for as many vectors as a vector has lanes: within blocks of four lanes first,
// then blocks among each other.
template <class V>
HWY_INLINE void TransposeSquare(V* v) {
  namespace hn = hwy::HWY_NAMESPACE;
  const KvTag d;
  const hn::Repartition<double, KvTag> d64;
  constexpr size_t kLanes = hn::MaxLanes(KvTag());
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

template <typename T>
void TransposeKeysOf(const std::byte* const* rows, int64_t positions, int64_t dim, float* rest,
                     float* tile) {
  namespace hn = hwy::HWY_NAMESPACE;
  const KvTag d;
  constexpr int64_t kLanes = static_cast<int64_t>(hn::MaxLanes(KvTag()));
  for (int64_t i = 0; i < positions; i += kLanes) {
    for (int64_t k = 0; k < dim; k += kLanes) {
      const int64_t width = std::min(kLanes, dim - k);
      hn::Vec<KvTag> v[kLanes];
      HWY_UNROLL(16)
      for (int64_t j = 0; j < kLanes; ++j) {
        const T* key = reinterpret_cast<const T*>(rows[i + j]);
        if (key == nullptr) {
          v[j] = hn::Zero(d);
        } else if (width == kLanes) {
          v[j] = LoadKvVector(d, key + k);
        } else {
          ConvertKvRowOf(key + k, static_cast<size_t>(width), rest);
          v[j] = hn::LoadU(d, rest);
        }
      }
      TransposeSquare(v);
      HWY_UNROLL(16)
      for (int64_t j = 0; j < kLanes; ++j) hn::StoreU(v[j], d, tile + (k + j) * positions + i);
    }
  }
}

#endif

// tile[k * positions + i] = value k of rows[i], zero where that row is null, for k < dim; up to the
// next multiple of 16 the tile may be written, too. `positions` is a multiple of 16; `row` is
// scratch for dim + 16 floats.
HWY_INLINE void TransposeKeys(KvType type, const std::byte* const* rows, int64_t positions,
                              int64_t dim, float* row, float* tile) {
  switch (type) {
    case KvType::kF32:
      return TransposeKeysOf<float>(rows, positions, dim, row, tile);
    case KvType::kF16:
      return TransposeKeysOf<hwy::float16_t>(rows, positions, dim, row, tile);
    case KvType::kBF16:
      return TransposeKeysOf<hwy::bfloat16_t>(rows, positions, dim, row, tile);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace tutti::kernels
HWY_AFTER_NAMESPACE();

#endif  // include guard per target
