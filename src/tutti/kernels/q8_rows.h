// Activations of 8 bits with one scale per 32 values: what quantised weights are multiplied with.
//
//   step = max|x| / 127,  q = round(x / step),  scale = sum x q / sum q^2     per 32 values
//
// so |q| <= 127, and the scale is the one with the least squared error for these q: it differs from
// the step by a few thousandths and takes a thirtieth off the error's energy for nothing.
//
// A row of K values (K a multiple of 32) lies in memory as
//
//   q       int8  [K]
//   groups  four arrays [K / 32], one for each Q8Sums: the group's scale and its sums
//
// Each product reads q and one of the arrays, so that the lines it reads are full of what it needs.
//
// A group with an infinite or NaN value gets a NaN scale: the result is NaN, not a plausible
// number. Threads: any. Errors: none; shapes are checked.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>

namespace tutti::kernels {

inline constexpr int64_t kQ8GroupSize = 32;

// Which sums of q lie beside a group's scale: of all 32 or of each half, for weights that have
// scales of their own for 32 columns or 16.
enum class Q8Sums : uint8_t {
  kScaled32,  // scale * sum, float: for weights with minima
  kBiased32,  // -128 * sum, int32: undoes storing weights as w + 128
  kScaled16,
  kBiased16,
};
inline constexpr int kQ8SumsKinds = 4;

// A group in the arrays: the scale and one sum (or two), 4 bytes each.
template <int kParts>
struct Q8Group {
  static_assert(kParts == 1 || kParts == 2);
  float scale = 0;
  union {
    float scaled[kParts];
    int32_t biased[kParts];
  };
};

static_assert(sizeof(Q8Group<1>) == 8 && sizeof(Q8Group<2>) == 12);

// Offsets into a row, in bytes.
struct Q8Layout {
  int64_t cols = 0;
  static constexpr int64_t group_bytes(Q8Sums sums) {
    const bool halves = sums == Q8Sums::kScaled16 || sums == Q8Sums::kBiased16;
    return static_cast<int64_t>(halves ? sizeof(Q8Group<2>) : sizeof(Q8Group<1>));
  }
  constexpr int64_t groups_offset(Q8Sums sums) const {
    int64_t before = 0;
    for (int i = 0; i < static_cast<int>(sums); ++i) before += group_bytes(static_cast<Q8Sums>(i));
    return cols + cols / kQ8GroupSize * before;
  }
  // Bytes between rows: an odd number of cache lines, so that the same place of many rows does not
  // fall into the same few sets of a cache.
  constexpr int64_t row_bytes() const {
    const int64_t end =
        groups_offset(Q8Sums::kBiased16) + cols / kQ8GroupSize * group_bytes(Q8Sums::kBiased16);
    return ((end + 63) / 64 | 1) * 64;
  }
};

// Quantises values [begin, begin + x.size()) of a row, with all sums; begin and x.size() are
// multiples of 32. Groups are independent: a row may be filled piece by piece.
void QuantizeQ8(std::span<const float> x, Q8Layout layout, int64_t begin, std::byte* row);

// One group of each of several rows: the 32 values at x + i * stride become values [begin, begin +
// 32) of row i, at first_row + i * layout.row_bytes(), with one kind of sums. Stride in floats.
void QuantizeQ8Rows(const float* x, int64_t stride, int64_t rows, Q8Layout layout, int64_t begin,
                    Q8Sums sums, std::byte* first_row);

// The values that `row` stands for, q * scale.
void DequantizeQ8(const std::byte* row, Q8Layout layout, std::span<float> out);

}  // namespace tutti::kernels
