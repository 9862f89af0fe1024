#include "tutti/tensor/random_blocks.h"

#include <cmath>
#include <cstring>

#include "tutti/base/check.h"
#include "tutti/tensor/blocks.h"
#include "tutti/tensor/half.h"

namespace tutti::tensor {
namespace {

void SetF16(F16Field& field, float value) {
  const uint16_t bits = FloatToF16(value);
  std::memcpy(field.bytes, &bits, sizeof bits);
}

void FillBits(Rng& rng, std::span<std::byte> bytes) {
  size_t i = 0;
  for (; i + 8 <= bytes.size(); i += 8) {
    const uint64_t word = rng.NextU64();
    std::memcpy(&bytes[i], &word, 8);
  }
  const uint64_t word = rng.NextU64();
  if (i < bytes.size()) std::memcpy(&bytes[i], &word, bytes.size() - i);
}

// A uniform integer 0 .. n-1 has the standard deviation sqrt((n^2 - 1) / 12).
float UniformDeviation(float n) { return std::sqrt((n * n - 1) / 12); }

// All scales and minima of a K block are 6 bits: 0x21 (33) for each of the eight pairs keeps the
// decoder's arithmetic honest and the values of one size.
constexpr int kScale6 = 33;
void SetKScales(uint8_t (&scales)[12]) {
  // Eight scales s and eight minima m of 6 bits, all 33 = 0b10'0001: bytes 0-3 and 4-7 hold the low
  // six bits of the first four with the high two bits of the last four on top; bytes 8-11 the low
  // nibbles of the last four.
  for (int i = 0; i < 8; ++i) scales[i] = kScale6 | (kScale6 >> 4) << 6;
  for (int i = 8; i < 12; ++i) scales[i] = (kScale6 & 15) | (kScale6 & 15) << 4;
}

void Shape(BlockQ4_0& b, float deviation) { SetF16(b.d, deviation / UniformDeviation(16)); }
void Shape(BlockQ5_0& b, float deviation) { SetF16(b.d, deviation / UniformDeviation(32)); }
void Shape(BlockQ8_0& b, float deviation) { SetF16(b.d, deviation / UniformDeviation(256)); }
void Shape(BlockQ4_1& b, float deviation) {
  const float d = deviation / UniformDeviation(16);
  SetF16(b.d, d);
  SetF16(b.m, -7.5f * d);
}
void Shape(BlockQ5_1& b, float deviation) {
  const float d = deviation / UniformDeviation(32);
  SetF16(b.d, d);
  SetF16(b.m, -15.5f * d);
}
void Shape(BlockQ2_K& b, float deviation) {
  const float d = deviation / UniformDeviation(4) / 9;
  for (uint8_t& scale : b.scales) scale = 9 | 9 << 4;
  SetF16(b.d, d);
  SetF16(b.dmin, 1.5f * d);
}
void Shape(BlockQ3_K& b, float deviation) {
  // Sixteen 6-bit scales with offset 32: 49 means 17. Low nibbles in bytes 0-7, high bits in 8-11.
  for (int i = 0; i < 8; ++i) b.scales[i] = (49 & 15) | (49 & 15) << 4;
  for (int i = 8; i < 12; ++i) b.scales[i] = 0xff;  // 49 >> 4 == 3, four times
  SetF16(b.d, deviation / UniformDeviation(8) / 17);
}
void Shape(BlockQ4_K& b, float deviation) {
  const float d = deviation / UniformDeviation(16) / kScale6;
  SetKScales(b.scales);
  SetF16(b.d, d);
  SetF16(b.dmin, 7.5f * d);
}
void Shape(BlockQ5_K& b, float deviation) {
  const float d = deviation / UniformDeviation(32) / kScale6;
  SetKScales(b.scales);
  SetF16(b.d, d);
  SetF16(b.dmin, 15.5f * d);
}
void Shape(BlockQ6_K& b, float deviation) {
  for (int8_t& scale : b.scales) scale = 65;
  SetF16(b.d, deviation / UniformDeviation(64) / 65);
}
// The sixteen values of IQ4_NL have the standard deviation 70.4.
constexpr float kIq4Deviation = 70.4f;
void Shape(BlockIQ4_NL& b, float deviation) { SetF16(b.d, deviation / kIq4Deviation); }
void Shape(BlockIQ4_XS& b, float deviation) {
  // Eight 6-bit scales with offset 32: 45 means 13 (low nibble 13, high bits 2).
  for (uint8_t& low : b.scales_l) low = 13 | 13 << 4;
  for (uint8_t& high : b.scales_h) high = 0xaa;
  SetF16(b.d, deviation / kIq4Deviation / 13);
}
void Shape(BlockMXFP4& b, float deviation) {
  // E2M1 codes have the standard deviation 2.85; the scale is a power of two with bias 127.
  b.e = static_cast<uint8_t>(std::lround(127 + std::log2(deviation / 2.85f)));
}

template <typename Block>
void FillBlocks(float deviation, Rng& rng, std::span<std::byte> bytes) {
  TUTTI_CHECK(bytes.size() % sizeof(Block) == 0, "whole blocks only");
  FillBits(rng, bytes);
  for (size_t i = 0; i < bytes.size(); i += sizeof(Block)) {
    Shape(*reinterpret_cast<Block*>(&bytes[i]), deviation);
  }
}

// Sixteen uniform bits to a float of mean zero and standard deviation one.
float Uniform(uint64_t bits) {
  return (static_cast<float>(bits & 0xffff) - 32767.5f) * (1.7320508f / 32768);
}

template <typename T, typename Convert>
void FillFloats(float deviation, Rng& rng, std::span<std::byte> bytes, Convert convert) {
  const size_t count = bytes.size() / sizeof(T);
  uint64_t word = 0;
  for (size_t i = 0; i < count; ++i, word >>= 16) {
    if (i % 4 == 0) word = rng.NextU64();
    const T value = convert(Uniform(word) * deviation);
    std::memcpy(&bytes[i * sizeof(T)], &value, sizeof(T));
  }
}

using Filler = void (*)(float, Rng&, std::span<std::byte>);

Filler FillerOf(DType dtype) {
  switch (dtype) {
    case DType::kF32:
      return [](float deviation, Rng& rng, std::span<std::byte> bytes) {
        FillFloats<float>(deviation, rng, bytes, [](float x) { return x; });
      };
    case DType::kF16:
      return [](float deviation, Rng& rng, std::span<std::byte> bytes) {
        FillFloats<uint16_t>(deviation, rng, bytes, FloatToF16);
      };
    case DType::kBF16:
      return [](float deviation, Rng& rng, std::span<std::byte> bytes) {
        FillFloats<uint16_t>(deviation, rng, bytes, FloatToBF16);
      };
    case DType::kQ4_0:
      return FillBlocks<BlockQ4_0>;
    case DType::kQ4_1:
      return FillBlocks<BlockQ4_1>;
    case DType::kQ5_0:
      return FillBlocks<BlockQ5_0>;
    case DType::kQ5_1:
      return FillBlocks<BlockQ5_1>;
    case DType::kQ8_0:
      return FillBlocks<BlockQ8_0>;
    case DType::kQ2_K:
      return FillBlocks<BlockQ2_K>;
    case DType::kQ3_K:
      return FillBlocks<BlockQ3_K>;
    case DType::kQ4_K:
      return FillBlocks<BlockQ4_K>;
    case DType::kQ5_K:
      return FillBlocks<BlockQ5_K>;
    case DType::kQ6_K:
      return FillBlocks<BlockQ6_K>;
    case DType::kIQ4_NL:
      return FillBlocks<BlockIQ4_NL>;
    case DType::kIQ4_XS:
      return FillBlocks<BlockIQ4_XS>;
    case DType::kMXFP4:
      return FillBlocks<BlockMXFP4>;
    default:
      return nullptr;
  }
}

}  // namespace

bool CanFillRandom(DType dtype) { return FillerOf(dtype) != nullptr; }

void FillRandom(DType dtype, float deviation, Rng& rng, std::span<std::byte> bytes) {
  const Filler filler = FillerOf(dtype);
  TUTTI_CHECK(filler != nullptr, "no random blocks of this type");
  filler(deviation, rng, bytes);
}

}  // namespace tutti::tensor
