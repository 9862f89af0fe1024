#include "tutti/kernels/q8_rows.h"

#include <cmath>
#include <cstring>
#include <limits>

#include "tutti/base/check.h"

#ifndef TUTTI_KERNELS_Q8_ROWS_PLACES  // once, not per target
#define TUTTI_KERNELS_Q8_ROWS_PLACES
namespace tutti::kernels {

// Where a group goes, and bytes from there to where the next one goes.
struct GroupPlaces {
  std::byte* q = nullptr;
  std::byte* group = nullptr;
  std::byte* halves = nullptr;
  int64_t q_step = 0;
  int64_t group_step = 0;
  int64_t halves_step = 0;
};

}  // namespace tutti::kernels
#endif

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

// Largest magnitude of 32 values; infinite or NaN if one of them is: as integers, the bits of
// magnitudes are ordered like the magnitudes, with infinity and NaN above all numbers.
inline float MagnitudeOf(const float* x) {
  const Q8Tag d;
  const hn::RebindToUnsigned<Q8Tag> du;
  const size_t lanes = hn::Lanes(d);
  auto max = hn::Zero(du);
  for (size_t i = 0; i < 32; i += lanes) {
    max = hn::Max(max, hn::BitCast(du, hn::Abs(hn::LoadU(d, x + i))));
  }
  return hn::GetLane(hn::BitCast(d, hn::MaxOfLanes(du, max)));
}

// Quantises 16 values; returns the sum of q, exact: at most 16 * 127. Adds q^2 (exact) and x q to
// the lanes of the other two.
inline float QuantizeHalf(const float* x, float inverse, int8_t* q, hn::Vec<Q8Tag>& squares,
                          hn::Vec<Q8Tag>& products) {
  const Q8Tag d;
  const hn::Rebind<int8_t, Q8Tag> d8;
  const size_t lanes = hn::Lanes(d);
  const auto limit = hn::Set(d, 127.0f);
  auto sum = hn::Zero(d);
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
  return hn::GetLane(hn::SumOfLanes(d, sum));
}

// Groups of 32 values at x, x + stride, ...
void QuantizeGroups(const float* x, int64_t stride, int64_t groups, GroupPlaces to) {
  // Below this the inverse of the step would overflow; such values count as zero.
  constexpr float kSmallest = 1e-35f;
  const Q8Tag d;
  for (int64_t g = 0; g < groups; ++g, x += stride) {
    int8_t* q = reinterpret_cast<int8_t*>(to.q);
    const float magnitude = MagnitudeOf(x);
    const float inverse = magnitude < kSmallest ? 0 : 127 / magnitude;
    auto squares = hn::Zero(d);
    auto products = hn::Zero(d);
    const float q0 = QuantizeHalf(x, inverse, q, squares, products);
    const float q1 = QuantizeHalf(x + 16, inverse, q + 16, squares, products);
    float scale = 0;
    if (!(magnitude < kSmallest)) {
      scale = std::isfinite(magnitude) ? hn::GetLane(hn::SumOfLanes(d, products)) /
                                             hn::GetLane(hn::SumOfLanes(d, squares))
                                       : std::numeric_limits<float>::quiet_NaN();
    }
    const Q8Half halves[2] = {{scale * q0, static_cast<int32_t>(-128 * q0)},
                              {scale * q1, static_cast<int32_t>(-128 * q1)}};
    const Q8Group group{scale, scale * (q0 + q1), halves[0].biased_sum + halves[1].biased_sum, 0};
    std::memcpy(to.halves, halves, sizeof(halves));
    std::memcpy(to.group, &group, sizeof(group));
    to.q += to.q_step;
    to.group += to.group_step;
    to.halves += to.halves_step;
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace tutti::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tutti::kernels {
namespace {
HWY_EXPORT(QuantizeGroups);

GroupPlaces PlacesOf(Q8Layout layout, int64_t begin, std::byte* row) {
  GroupPlaces to;
  to.q = row + begin;
  to.group =
      row + layout.groups_offset() + begin / kQ8GroupSize * static_cast<int64_t>(sizeof(Q8Group));
  to.halves = row + layout.halves_offset() + begin / 16 * static_cast<int64_t>(sizeof(Q8Half));
  return to;
}
}  // namespace

void QuantizeQ8(std::span<const float> x, Q8Layout layout, int64_t begin, std::byte* row) {
  const int64_t count = static_cast<int64_t>(x.size());
  TUTTI_CHECK(layout.cols % kQ8GroupSize == 0 && begin % kQ8GroupSize == 0 &&
                  count % kQ8GroupSize == 0 && begin + count <= layout.cols,
              "QuantizeQ8: groups of 32 values only");
  GroupPlaces to = PlacesOf(layout, begin, row);
  to.q_step = kQ8GroupSize;
  to.group_step = sizeof(Q8Group);
  to.halves_step = 2 * sizeof(Q8Half);
  HWY_DYNAMIC_DISPATCH(QuantizeGroups)(x.data(), kQ8GroupSize, count / kQ8GroupSize, to);
}

void QuantizeQ8Rows(const float* x, int64_t stride, int64_t rows, Q8Layout layout, int64_t begin,
                    std::byte* first_row) {
  TUTTI_CHECK(layout.cols % kQ8GroupSize == 0 && begin % kQ8GroupSize == 0 &&
                  begin + kQ8GroupSize <= layout.cols,
              "QuantizeQ8Rows: groups of 32 values only");
  GroupPlaces to = PlacesOf(layout, begin, first_row);
  to.q_step = to.group_step = to.halves_step = layout.row_bytes();
  HWY_DYNAMIC_DISPATCH(QuantizeGroups)(x, stride, rows, to);
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
