#include "tutti/kernels/q8_rows.h"

#include <cmath>
#include <cstring>

#include "tutti/base/check.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tutti/kernels/q8_rows.cc"
#include <hwy/foreach_target.h>
// foreach_target.h must come first.
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace tutti::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// At most 16 lanes, so that a half group is a whole number of vectors.
using Q8Tag = hn::CappedTag<float, 16>;

// Largest magnitude of 32 values; NaN if one of them is infinite or NaN.
inline float MagnitudeOf(const float* x) {
  const Q8Tag d;
  const size_t lanes = hn::Lanes(d);
  auto max = hn::Zero(d);
  auto poison = hn::Zero(d);  // x * 0 is NaN where x is not finite
  for (size_t i = 0; i < 32; i += lanes) {
    const auto v = hn::LoadU(d, x + i);
    max = hn::Max(max, hn::Abs(v));
    poison = hn::MulAdd(v, hn::Zero(d), poison);
  }
  const float magnitude = hn::GetLane(hn::MaxOfLanes(d, max));
  const float bad = hn::GetLane(hn::SumOfLanes(d, poison));
  return bad == 0 ? magnitude : bad;
}

// What QuantizeHalf learns of 16 values.
struct HalfSums {
  float q = 0;   // sum of q, exact: at most 16 * 127
  float qq = 0;  // sum of q^2, exact
  float xq = 0;  // sum of x q
};

inline HalfSums QuantizeHalf(const float* x, float inverse, int8_t* q) {
  const Q8Tag d;
  const hn::Rebind<int8_t, Q8Tag> d8;
  const size_t lanes = hn::Lanes(d);
  const auto limit = hn::Set(d, 127.0f);
  auto sum = hn::Zero(d);
  auto squares = hn::Zero(d);
  auto products = hn::Zero(d);
  for (size_t i = 0; i < 16; i += lanes) {
    const auto v = hn::LoadU(d, x + i);
    const auto scaled = hn::Mul(v, hn::Set(d, inverse));
    // Min and Max also catch NaN (whatever they make of it, the scale is NaN then).
    const auto integer = hn::NearestInt(hn::Min(hn::Max(scaled, hn::Neg(limit)), limit));
    hn::StoreU(hn::DemoteTo(d8, integer), d8, q + i);
    const auto rounded = hn::ConvertTo(d, integer);
    sum = hn::Add(sum, rounded);
    squares = hn::MulAdd(rounded, rounded, squares);
    products = hn::MulAdd(v, rounded, products);
  }
  return {hn::GetLane(hn::SumOfLanes(d, sum)), hn::GetLane(hn::SumOfLanes(d, squares)),
          hn::GetLane(hn::SumOfLanes(d, products))};
}

void QuantizeGroups(const float* x, int64_t groups, int8_t* q, Q8Group* group, Q8Half* half) {
  // Below this the inverse of the step would overflow; such values count as zero.
  constexpr float kSmallest = 1e-35f;
  for (int64_t g = 0; g < groups; ++g, x += 32, q += 32) {
    const float magnitude = MagnitudeOf(x);
    const float inverse = magnitude < kSmallest ? 0 : 127 / magnitude;
    const HalfSums s0 = QuantizeHalf(x, inverse, q);
    const HalfSums s1 = QuantizeHalf(x + 16, inverse, q + 16);
    float scale = 0;
    if (!(magnitude < kSmallest)) {
      scale = std::isfinite(magnitude) ? (s0.xq + s1.xq) / (s0.qq + s1.qq) : magnitude;
    }
    half[2 * g] = {scale * s0.q, static_cast<int32_t>(-128 * s0.q)};
    half[2 * g + 1] = {scale * s1.q, static_cast<int32_t>(-128 * s1.q)};
    group[g] = {scale, scale * (s0.q + s1.q), half[2 * g].biased_sum + half[2 * g + 1].biased_sum,
                0};
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace tutti::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tutti::kernels {
namespace {
HWY_EXPORT(QuantizeGroups);
}  // namespace

void QuantizeQ8(std::span<const float> x, Q8Layout layout, int64_t begin, std::byte* row) {
  const int64_t count = static_cast<int64_t>(x.size());
  TUTTI_CHECK(layout.cols % kQ8GroupSize == 0 && begin % kQ8GroupSize == 0 &&
                  count % kQ8GroupSize == 0 && begin + count <= layout.cols,
              "QuantizeQ8: groups of 32 values only");
  HWY_DYNAMIC_DISPATCH(QuantizeGroups)
  (x.data(), count / kQ8GroupSize, reinterpret_cast<int8_t*>(row) + begin,
   reinterpret_cast<Q8Group*>(row + layout.groups_offset()) + begin / kQ8GroupSize,
   reinterpret_cast<Q8Half*>(row + layout.halves_offset()) + begin / 16);
}

void DequantizeQ8(const std::byte* row, Q8Layout layout, std::span<float> out) {
  const int8_t* q = reinterpret_cast<const int8_t*>(row);
  const Q8Group* groups = reinterpret_cast<const Q8Group*>(row + layout.groups_offset());
  for (size_t i = 0; i < out.size(); ++i) {
    out[i] = groups[i / static_cast<size_t>(kQ8GroupSize)].scale * static_cast<float>(q[i]);
  }
}

}  // namespace tutti::kernels
#endif  // HWY_ONCE
