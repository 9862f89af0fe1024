#include "tutti/tensor/encode.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "tutti/base/check.h"
#include "tutti/tensor/blocks.h"

namespace tutti::tensor {
namespace {

F16Field ToF16Field(float value) {
  const uint16_t half = FloatToF16(value);
  return {{static_cast<uint8_t>(half & 0xff), static_cast<uint8_t>(half >> 8)}};
}

float Inverse(float d) { return d == 0 ? 0.0f : 1.0f / d; }

// The integer below a non-negative code, kept in [0, top]. What is not finite (the inverse of a
// subnormal scale overflows) becomes 0, as in the reference encoders.
int Truncate(float value, int top) {
  if (!std::isfinite(value) || value < 0) return 0;
  return static_cast<int>(std::min(value, static_cast<float>(top)));
}

// Nearest integer, halves away from zero, kept in [-top, top]. What is not finite becomes 0.
int Round(float value, int top) {
  if (!std::isfinite(value)) return 0;
  const auto limit = static_cast<float>(top);
  return static_cast<int>(std::round(std::clamp(value, -limit, limit)));
}

float LargestMagnitude(std::span<const float> x) {
  float largest = 0;
  for (const float v : x) largest = std::max(largest, std::abs(v));
  return largest;
}

// With its sign; the first of equals.
float LargestByMagnitude(std::span<const float> x) {
  float largest = x[0];
  for (const float v : x) {
    if (std::abs(v) > std::abs(largest)) largest = v;
  }
  return largest;
}

// 32 codes of four bits: the first half in the low nibbles.
void PackNibbles(const std::array<int, 32>& codes, uint8_t* qs) {
  for (size_t i = 0; i < 16; ++i) {
    qs[i] = static_cast<uint8_t>((codes[i] & 0xf) | (codes[i + 16] & 0xf) << 4);
  }
}

void PackFifthBits(const std::array<int, 32>& codes, uint8_t* qh) {
  uint32_t bits = 0;
  for (size_t i = 0; i < 32; ++i) bits |= static_cast<uint32_t>(codes[i] >> 4) << i;
  std::memcpy(qh, &bits, sizeof(bits));
}

// Codes 0..2 * half - 1 around zero: the value of largest magnitude, whatever its sign, becomes
// code 0, which reaches one step farther than the last code. Returns the scale.
float EncodeSymmetric(std::span<const float> x, int half, std::array<int, 32>& codes) {
  const float d = LargestByMagnitude(x) / static_cast<float>(-half);
  const float inverse = Inverse(d);
  for (size_t i = 0; i < 32; ++i) {
    codes[i] = Truncate(x[i] * inverse + (static_cast<float>(half) + 0.5f), 2 * half - 1);
  }
  return d;
}

struct ScaleAndMinimum {
  float d;
  float m;
};

// Codes 0..top from the smallest to the largest value.
ScaleAndMinimum EncodeRange(std::span<const float> x, int top, std::array<int, 32>& codes) {
  const auto [min, max] = std::minmax_element(x.begin(), x.end());
  const float d = (*max - *min) / static_cast<float>(top);
  const float inverse = Inverse(d);
  for (size_t i = 0; i < 32; ++i) codes[i] = Truncate((x[i] - *min) * inverse + 0.5f, top);
  return {d, *min};
}

void EncodeBlock(std::span<const float> x, BlockQ4_0& block) {
  std::array<int, 32> codes;
  block.d = ToF16Field(EncodeSymmetric(x, 8, codes));
  PackNibbles(codes, block.qs);
}

void EncodeBlock(std::span<const float> x, BlockQ4_1& block) {
  std::array<int, 32> codes;
  const auto [d, m] = EncodeRange(x, 15, codes);
  block.d = ToF16Field(d);
  block.m = ToF16Field(m);
  PackNibbles(codes, block.qs);
}

void EncodeBlock(std::span<const float> x, BlockQ5_0& block) {
  std::array<int, 32> codes;
  block.d = ToF16Field(EncodeSymmetric(x, 16, codes));
  PackFifthBits(codes, block.qh);
  PackNibbles(codes, block.qs);
}

void EncodeBlock(std::span<const float> x, BlockQ5_1& block) {
  std::array<int, 32> codes;
  const auto [d, m] = EncodeRange(x, 31, codes);
  block.d = ToF16Field(d);
  block.m = ToF16Field(m);
  PackFifthBits(codes, block.qh);
  PackNibbles(codes, block.qs);
}

void EncodeBlock(std::span<const float> x, BlockQ8_0& block) {
  const float d = LargestMagnitude(x) / 127.0f;
  const float inverse = Inverse(d);
  block.d = ToF16Field(d);
  for (size_t i = 0; i < 32; ++i) block.qs[i] = static_cast<int8_t>(Round(x[i] * inverse, 127));
}

void EncodeBlock(std::span<const float> x, BlockMXFP4& block) {
  // The exponent of the largest magnitude, less two: E2M1 ends at 6 = 1.5 * 2^2. Below 2^-125 it
  // wraps around to an enormous scale, as in the reference encoder; every code is 0 then.
  const float largest = LargestMagnitude(x);
  const float exponent = largest > 0 ? std::floor(std::log2(largest)) - 2.0f + 127.0f : 0.0f;
  block.e = std::isfinite(exponent) ? static_cast<uint8_t>(static_cast<int>(exponent)) : 0;
  const float d = HalfE8M0ToFloat(block.e);
  std::array<int, 32> codes;
  for (size_t i = 0; i < 32; ++i) {
    size_t best = 0;
    float best_distance = std::abs(d * static_cast<float>(kDoubledE2M1[0]) - x[i]);
    for (size_t code = 1; code < 16; ++code) {
      const float distance = std::abs(d * static_cast<float>(kDoubledE2M1[code]) - x[i]);
      if (distance < best_distance) {
        best = code;
        best_distance = distance;
      }
    }
    codes[i] = static_cast<int>(best);
  }
  PackNibbles(codes, block.qs);
}

// Ternary codes 0, 1, 2 of 256 values. Returns the scale.
float EncodeTernary(std::span<const float> x, std::array<int, 256>& codes) {
  const float d = LargestMagnitude(x);
  const float inverse = Inverse(d);
  for (size_t i = 0; i < 256; ++i) codes[i] = Round(x[i] * inverse, 1) + 1;
  return d;
}

void EncodeBlock(std::span<const float> x, BlockTQ1_0& block) {
  std::array<int, 256> codes;
  block.d = ToF16Field(EncodeTernary(x, codes));
  // `digits` codes, n apart, are the digits of a number in base 3, the first one in front; missing
  // digits are 0. See the decoder for the rounding division.
  const auto pack = [](const int* from, int n, int digits, uint8_t* bytes) {
    for (int i = 0; i < n; ++i) {
      int number = 0;
      for (int k = 0; k < 5; ++k) number = 3 * number + (k < digits ? from[k * n + i] : 0);
      bytes[i] = static_cast<uint8_t>((number * 256 + 242) / 243);
    }
  };
  pack(codes.data(), 32, 5, block.qs);
  pack(codes.data() + 160, 16, 5, block.qs + 32);
  pack(codes.data() + 240, 4, 4, block.qh);
}

void EncodeBlock(std::span<const float> x, BlockTQ2_0& block) {
  std::array<int, 256> codes;
  block.d = ToF16Field(EncodeTernary(x, codes));
  for (size_t half = 0; half < 2; ++half) {
    for (size_t i = 0; i < 32; ++i) {
      const int* from = codes.data() + 128 * half + i;
      block.qs[32 * half + i] =
          static_cast<uint8_t>(from[0] | from[32] << 2 | from[64] << 4 | from[96] << 6);
    }
  }
}

template <typename Block>
void EncodeBlocks(std::span<const float> in, size_t block_size, std::span<std::byte> out) {
  auto* blocks = reinterpret_cast<Block*>(out.data());
  for (size_t b = 0; b < in.size() / block_size; ++b) {
    EncodeBlock(in.subspan(b * block_size, block_size), blocks[b]);
  }
}

template <typename T, T (*kEncode)(float)>
void EncodePlain(std::span<const float> in, std::span<std::byte> out) {
  for (size_t i = 0; i < in.size(); ++i) {
    const T value = kEncode(in[i]);
    std::memcpy(out.data() + i * sizeof(T), &value, sizeof(T));
  }
}

}  // namespace

bool CanEncode(DType dtype) {
  switch (dtype) {
    case DType::kF32:
    case DType::kF16:
    case DType::kBF16:
    case DType::kF8E4M3:
    case DType::kF8E5M2:
    case DType::kQ4_0:
    case DType::kQ4_1:
    case DType::kQ5_0:
    case DType::kQ5_1:
    case DType::kQ8_0:
    case DType::kMXFP4:
    case DType::kTQ1_0:
    case DType::kTQ2_0:
      return true;
    default:
      return false;
  }
}

void EncodeRow(DType dtype, std::span<const float> in, std::span<std::byte> out) {
  TUTTI_CHECK(CanEncode(dtype), "a type that cannot be encoded");
  const auto block_size = static_cast<size_t>(InfoOf(dtype).block_size);
  TUTTI_CHECK(in.size() % block_size == 0, "a row must consist of whole blocks");
  TUTTI_CHECK(out.size() == in.size() / block_size * static_cast<size_t>(InfoOf(dtype).block_bytes),
              "out must hold one row");
  switch (dtype) {
    case DType::kF32:
      std::copy_n(std::as_bytes(in).begin(), out.size(), out.begin());
      break;
    case DType::kF16:
      EncodePlain<uint16_t, FloatToF16>(in, out);
      break;
    case DType::kBF16:
      EncodePlain<uint16_t, FloatToBF16>(in, out);
      break;
    case DType::kF8E4M3:
      EncodePlain<uint8_t, FloatToE4M3>(in, out);
      break;
    case DType::kF8E5M2:
      EncodePlain<uint8_t, FloatToE5M2>(in, out);
      break;
    case DType::kQ4_0:
      EncodeBlocks<BlockQ4_0>(in, block_size, out);
      break;
    case DType::kQ4_1:
      EncodeBlocks<BlockQ4_1>(in, block_size, out);
      break;
    case DType::kQ5_0:
      EncodeBlocks<BlockQ5_0>(in, block_size, out);
      break;
    case DType::kQ5_1:
      EncodeBlocks<BlockQ5_1>(in, block_size, out);
      break;
    case DType::kQ8_0:
      EncodeBlocks<BlockQ8_0>(in, block_size, out);
      break;
    case DType::kMXFP4:
      EncodeBlocks<BlockMXFP4>(in, block_size, out);
      break;
    case DType::kTQ1_0:
      EncodeBlocks<BlockTQ1_0>(in, block_size, out);
      break;
    case DType::kTQ2_0:
      EncodeBlocks<BlockTQ2_0>(in, block_size, out);
      break;
    default:
      break;
  }
}

}  // namespace tutti::tensor
