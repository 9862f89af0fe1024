// Activations of 8 bits with one scale per 32 values: what quantised weights are multiplied with.
//
//   step = max|x| / 127,  q = round(x / step),  scale = sum x q / sum q^2     per 32 values
//
// so |q| <= 127, and the scale is the one with the least squared error for these q: it differs from
// the step by a few thousandths and takes a thirtieth off the error's energy for nothing.
//
// A row of K values (K a multiple of 32) lies in memory as
//
//   q        int8     [K]
//   groups   Q8Group  [K / 32]
//   halves   Q8Half   [K / 16]
//
// The sums serve weights with minima and machines whose dot product wants one side unsigned: both
// need the sum of the q that a scale covers, 32 of them or 16.
//
// A group with an infinite or NaN value gets a NaN scale: the result is NaN, not a plausible
// number. Threads: any. Errors: none; shapes are checked.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>

namespace tutti::kernels {

inline constexpr int64_t kQ8GroupSize = 32;

struct Q8Group {
  float scale = 0;
  float scaled_sum = 0;    // scale * sum of q
  int32_t biased_sum = 0;  // -128 * sum of q: undoes storing weights as w + 128
  int32_t unused = 0;      // keeps groups from straddling cache lines
};
struct Q8Half {
  float scaled_sum = 0;
  int32_t biased_sum = 0;
};

// Offsets into a row, in bytes.
struct Q8Layout {
  int64_t cols = 0;
  constexpr int64_t groups_offset() const { return cols; }
  constexpr int64_t halves_offset() const {
    return cols + cols / kQ8GroupSize * static_cast<int64_t>(sizeof(Q8Group));
  }
  // Bytes between rows: whole cache lines.
  constexpr int64_t row_bytes() const {
    return (halves_offset() + cols / 16 * static_cast<int64_t>(sizeof(Q8Half)) + 63) / 64 * 64;
  }
};

// Quantises values [begin, begin + x.size()) of a row; begin and x.size() are multiples of 32.
// Groups are independent: a row may be filled piece by piece.
void QuantizeQ8(std::span<const float> x, Q8Layout layout, int64_t begin, std::byte* row);

// One group of each of several rows: the 32 values at x + i * stride become values [begin, begin +
// 32) of row i, at first_row + i * layout.row_bytes(). Stride in floats.
void QuantizeQ8Rows(const float* x, int64_t stride, int64_t rows, Q8Layout layout, int64_t begin,
                    std::byte* first_row);

// The values that `row` stands for, q * scale.
void DequantizeQ8(const std::byte* row, Q8Layout layout, std::span<float> out);

}  // namespace tutti::kernels
