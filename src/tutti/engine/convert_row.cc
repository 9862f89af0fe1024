#include "tutti/engine/convert_row.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>

#include "tutti/kernels/decode_simd.h"
#include "tutti/kernels/encode_simd.h"
#include "tutti/tensor/encode.h"
#include "tutti/tensor/encode_fitted.h"

namespace tutti::engine {
namespace {

using tensor::WeightView;

// Rows up to here fit into every format, whose scales are a few times the largest value at most:
// F16 reaches to 65504.
constexpr float kFits = 4096;
// Beyond what scales of F16 reach in any format (Q6_K: 65504 * 127 * 32), and from where the sums
// of squares of the careful encoders would overflow.
constexpr float kNeverFits = 1e9f;

// The same blocks in GGUF's order: the exponent in front, value i beside value i + 16. Nothing is
// rounded, which decoding and encoding again would not promise.
void RepackMxfp4(const WeightView& from, int64_t row, std::span<std::byte> to) {
  const std::byte* data = from.data + row * from.row_stride_bytes;
  const std::byte* scales = from.scales + row * from.scale_row_stride_bytes;
  const auto value = [&](int64_t c) { return data[c / 2] >> (c % 2 * 4) & std::byte{0xf}; };
  std::byte* out = to.data();
  for (int64_t begin = 0; begin < from.cols; begin += 32) {
    *out++ = scales[begin / 32];
    for (int64_t i = 0; i < 16; ++i) *out++ = value(begin + i) | value(begin + i + 16) << 4;
  }
}

int32_t BitsOfMagnitude(float x) { return std::bit_cast<int32_t>(x) & INT32_MAX; }

// The largest magnitude; NaN counts as larger than infinity. Without their sign, floats are ordered
// like their bits.
float LargestMagnitude(std::span<const float> row) {
  constexpr size_t kLanes = 16;  // compilers make vectors of them
  std::array<int32_t, kLanes> lanes{};
  for (; row.size() >= kLanes; row = row.subspan(kLanes)) {
    for (size_t i = 0; i < kLanes; ++i) lanes[i] = std::max(lanes[i], BitsOfMagnitude(row[i]));
  }
  for (const float x : row) lanes[0] = std::max(lanes[0], BitsOfMagnitude(x));
  return std::bit_cast<float>(*std::max_element(lanes.begin(), lanes.end()));
}

size_t ColumnOf(std::span<const float> row, float magnitude) {
  const auto bits = std::bit_cast<int32_t>(magnitude);
  const auto it =
      std::find_if(row.begin(), row.end(), [&](float x) { return BitsOfMagnitude(x) == bits; });
  return static_cast<size_t>(it - row.begin());
}

Status NotFinite(int64_t row, std::span<const float> floats, float largest, DType dtype) {
  const size_t column = ColumnOf(floats, largest);
  return DataError(
      "row {} holds {} in column {}, which cannot be written as {}: is the model damaged? "
      "f32 would keep the value",
      row, floats[column], column, NameOf(dtype));
}

Status TooLarge(int64_t row, std::span<const float> floats, float largest, DType dtype) {
  const size_t column = ColumnOf(floats, largest);
  return DataError(
      "row {} holds {} in column {}, which is too large for {}: bf16 and f32 can hold it", row,
      floats[column], column, NameOf(dtype));
}

// Whether what was written means finite numbers.
bool IsFinite(DType dtype, std::span<const std::byte> bytes, size_t cols) {
  WeightView view;
  view.dtype = dtype;
  view.rows = 1;
  view.cols = static_cast<int64_t>(cols);
  view.data = bytes.data();
  view.row_stride_bytes = static_cast<int64_t>(bytes.size());
  std::vector<float> values(cols);
  kernels::DecodeRowFast(view, 0, values);
  return std::isfinite(LargestMagnitude(values));
}

}  // namespace

bool CanConvertTo(DType dtype) {
  return tensor::CanEncode(dtype) || tensor::CanEncodeFitted(dtype);
}

Status ConvertRow(const WeightView& from, int64_t row, std::span<const float> importance,
                  DType dtype, std::vector<float>& floats, std::span<std::byte> to) {
  if (from.dtype == dtype && from.scales == nullptr) {
    std::memcpy(to.data(), from.data + row * from.row_stride_bytes, to.size());
    return Status();
  }
  if (from.dtype == DType::kMXFP4Split && dtype == DType::kMXFP4) {
    RepackMxfp4(from, row, to);
    return Status();
  }
  floats.resize(static_cast<size_t>(from.cols));
  kernels::DecodeRowFast(from, row, floats);
  if (dtype == DType::kF32) {  // which holds whatever there is
    tensor::EncodeRow(dtype, floats, to);
    return Status();
  }
  const float largest = LargestMagnitude(floats);
  if (!std::isfinite(largest)) return NotFinite(row, floats, largest, dtype);
  // Without an importance matrix a fit of Q4_0 is no better than its reference encoder
  // (docs/LOG.md).
  if (!tensor::CanEncodeFitted(dtype) || (dtype == DType::kQ4_0 && importance.empty())) {
    tensor::EncodeRow(dtype, floats, to);
  } else {
    if (largest > kNeverFits) return TooLarge(row, floats, largest, dtype);
    tensor::EncodeFittedRow(dtype, floats, importance, to, kernels::FastGroupFits());
  }
  if (largest > kFits && !IsFinite(dtype, to, floats.size())) {
    return TooLarge(row, floats, largest, dtype);
  }
  return Status();
}

}  // namespace tutti::engine
