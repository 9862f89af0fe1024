#include "tutti/kernels/q8_rows.h"

#include <algorithm>
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
  int64_t q_step = 0;
  std::byte* groups[kQ8SumsKinds] = {};  // null: not wanted
  int64_t group_step[kQ8SumsKinds] = {};
};

// Field by field: a group put together in memory and read again as a whole would have to wait for
// its stores.
template <typename T, int kParts>
inline void StoreGroup(float scale, const T (&sums)[kParts], Q8Sums kind, GroupPlaces& to) {
  std::byte*& place = to.groups[static_cast<int>(kind)];
  if (place == nullptr) return;
  std::memcpy(place, &scale, sizeof(scale));
  std::memcpy(place + sizeof(scale), sums, sizeof(sums));
  place += to.group_step[static_cast<int>(kind)];
}

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

// Quantises 16 values. Adds q, q^2 (both exact) and x q to the lanes of the last three.
inline void QuantizeHalf(const float* x, float inverse, int8_t* q, hn::Vec<Q8Tag>& sum,
                         hn::Vec<Q8Tag>& squares, hn::Vec<Q8Tag>& products) {
  const Q8Tag d;
  const hn::RebindToUnsigned<Q8Tag> d32;
  const hn::Rebind<uint8_t, Q8Tag> d8;
  const size_t lanes = hn::Lanes(d);
  const auto limit = hn::Set(d, 127.0f);
  // To the nearest integer by adding 1.5 * 2^23, whose last bit counts ones; that integer's lowest
  // byte is the lowest of the sum.
  const auto magic = hn::Set(d, 12582912.0f);
  for (size_t i = 0; i < 16; i += lanes) {
    const auto v = hn::LoadU(d, x + i);
    const auto scaled = hn::Mul(v, hn::Set(d, inverse));
    // Min and Max also catch NaN (whatever they make of it, the scale is NaN then).
    const auto shifted = hn::Add(hn::Min(hn::Max(scaled, hn::Neg(limit)), limit), magic);
    hn::StoreU(hn::TruncateTo(d8, hn::BitCast(d32, shifted)), d8,
               reinterpret_cast<uint8_t*>(q) + i);
    const auto rounded = hn::Sub(shifted, magic);
    sum = hn::Add(sum, rounded);
    squares = hn::MulAdd(rounded, rounded, squares);
    products = hn::MulAdd(v, rounded, products);
  }
}

// The sums of the lanes of a, b and c, which are integers: their order does not matter.
inline void SumsOfIntegers(hn::Vec<Q8Tag> a, hn::Vec<Q8Tag> b, hn::Vec<Q8Tag> c, float* sums) {
#if HWY_TARGET == HWY_SCALAR
  sums[0] = hn::GetLane(a);
  sums[1] = hn::GetLane(b);
  sums[2] = hn::GetLane(c);
#else
  const Q8Tag d;
  const hn::RepartitionToWide<Q8Tag> d64;
  const hn::FixedTag<float, 4> d4;
  // In blocks of four lanes: a b a b and c c c c, then a b c c.
  const auto ab = hn::Add(hn::InterleaveLower(d, a, b), hn::InterleaveUpper(d, a, b));
  const auto cc = hn::Add(hn::InterleaveLower(d, c, c), hn::InterleaveUpper(d, c, c));
  const auto ab64 = hn::BitCast(d64, ab);
  const auto cc64 = hn::BitCast(d64, cc);
  HWY_ALIGN float blocks[16];
  hn::Store(hn::Add(hn::BitCast(d, hn::InterleaveLower(d64, ab64, cc64)),
                    hn::BitCast(d, hn::InterleaveUpper(d64, ab64, cc64))),
            d, blocks);
  auto sum = hn::Load(d4, blocks);
  for (size_t i = 4; i < hn::Lanes(d); i += 4) sum = hn::Add(sum, hn::Load(d4, blocks + i));
  hn::Store(sum, d4, blocks);
  std::copy_n(blocks, 3, sums);
#endif
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
    auto low = hn::Zero(d);
    auto high = hn::Zero(d);
    auto squares = hn::Zero(d);
    auto products = hn::Zero(d);
    QuantizeHalf(x, inverse, q, low, squares, products);
    QuantizeHalf(x + 16, inverse, q + 16, high, squares, products);
    float sums[3];
    SumsOfIntegers(low, high, squares, sums);
    float scale = 0;
    if (!(magnitude < kSmallest)) {
      scale = std::isfinite(magnitude) ? hn::GetLane(hn::SumOfLanes(d, products)) / sums[2]
                                       : std::numeric_limits<float>::quiet_NaN();
    }
    const int32_t b0 = static_cast<int32_t>(-128 * sums[0]);
    const int32_t b1 = static_cast<int32_t>(-128 * sums[1]);
    StoreGroup<float, 1>(scale, {scale * (sums[0] + sums[1])}, Q8Sums::kScaled32, to);
    StoreGroup<int32_t, 1>(scale, {b0 + b1}, Q8Sums::kBiased32, to);
    StoreGroup<float, 2>(scale, {scale * sums[0], scale * sums[1]}, Q8Sums::kScaled16, to);
    StoreGroup<int32_t, 2>(scale, {b0, b1}, Q8Sums::kBiased16, to);
    to.q += to.q_step;
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace tutti::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tutti::kernels {
namespace {
HWY_EXPORT(QuantizeGroups);

std::byte* GroupAt(Q8Layout layout, Q8Sums sums, int64_t begin, std::byte* row) {
  return row + layout.groups_offset(sums) + begin / kQ8GroupSize * layout.group_bytes(sums);
}
}  // namespace

void QuantizeQ8(std::span<const float> x, Q8Layout layout, int64_t begin, std::byte* row) {
  const int64_t count = static_cast<int64_t>(x.size());
  TUTTI_CHECK(layout.cols % kQ8GroupSize == 0 && begin % kQ8GroupSize == 0 &&
                  count % kQ8GroupSize == 0 && begin + count <= layout.cols,
              "QuantizeQ8: groups of 32 values only");
  GroupPlaces to;
  to.q = row + begin;
  to.q_step = kQ8GroupSize;
  for (int i = 0; i < kQ8SumsKinds; ++i) {
    const auto sums = static_cast<Q8Sums>(i);
    to.groups[i] = GroupAt(layout, sums, begin, row);
    to.group_step[i] = layout.group_bytes(sums);
  }
  HWY_DYNAMIC_DISPATCH(QuantizeGroups)(x.data(), kQ8GroupSize, count / kQ8GroupSize, to);
}

void QuantizeQ8Rows(const float* x, int64_t stride, int64_t rows, Q8Layout layout, int64_t begin,
                    Q8Sums sums, std::byte* first_row) {
  TUTTI_CHECK(layout.cols % kQ8GroupSize == 0 && begin % kQ8GroupSize == 0 &&
                  begin + kQ8GroupSize <= layout.cols,
              "QuantizeQ8Rows: groups of 32 values only");
  GroupPlaces to;
  to.q = first_row + begin;
  to.groups[static_cast<int>(sums)] = GroupAt(layout, sums, begin, first_row);
  to.q_step = to.group_step[static_cast<int>(sums)] = layout.row_bytes();
  HWY_DYNAMIC_DISPATCH(QuantizeGroups)(x, stride, rows, to);
}

void DequantizeQ8(const std::byte* row, Q8Layout layout, std::span<float> out) {
  const int8_t* q = reinterpret_cast<const int8_t*>(row);
  const auto* groups =
      reinterpret_cast<const Q8Group<1>*>(row + layout.groups_offset(Q8Sums::kScaled32));
  for (size_t i = 0; i < out.size(); ++i) {
    out[i] = groups[i / static_cast<size_t>(kQ8GroupSize)].scale * static_cast<float>(q[i]);
  }
}

}  // namespace tutti::kernels
#endif  // HWY_ONCE
