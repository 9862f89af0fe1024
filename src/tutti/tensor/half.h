// Small floats to float32 and back, one value at a time.
//
// Decoding is exact. Encoding rounds to nearest, ties to even, and keeps NaN, and infinities where
// the format has them. SIMD versions live in kernels/ and are tested against these.
//
//   F16, BF16   IEEE 754 binary16; the upper half of binary32
//   E4M3, E5M2  Micikevicius et al., "FP8 formats for deep learning", 2022. E4M3 has no infinity
//               and ends at 448. E5M2 is binary16 cut to its upper byte.
//   E2M1, E8M0  OCP Microscaling Formats (MX) specification 1.0: four-bit values, shared exponents
#pragma once
#include <array>
#include <bit>
#include <cstdint>

namespace tutti::tensor {

constexpr float F16ToFloat(uint16_t half) {
  const uint32_t sign = static_cast<uint32_t>(half & 0x8000u) << 16;
  const uint32_t exponent = (half >> 10) & 0x1fu;
  const uint32_t mantissa = half & 0x3ffu;
  if (exponent == 0) {
    const float magnitude = static_cast<float>(mantissa) * 0x1p-24f;
    return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(magnitude));
  }
  const uint32_t wide_exponent = exponent == 0x1f ? 0xffu : exponent + (127 - 15);
  return std::bit_cast<float>(sign | wide_exponent << 23 | mantissa << 13);
}

constexpr uint16_t FloatToF16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const uint32_t sign = (bits >> 16) & 0x8000u;
  uint32_t magnitude = bits & 0x7fffffffu;
  uint32_t half = 0;
  if (magnitude > 0x7f800000u) {
    half = 0x7e00u | ((magnitude >> 13) & 0x3ffu);  // NaN, made quiet
  } else if (magnitude >= 0x477ff000u) {
    half = 0x7c00u;  // 65520 is half-way to 2^16 and rounds to infinity
  } else if (magnitude < 0x38800000u) {
    // Below 2^-14: a multiple of 2^-24, which is the last place of 0.5, so the addition rounds.
    const float rounded = std::bit_cast<float>(magnitude) + 0.5f;
    half = std::bit_cast<uint32_t>(rounded) - 0x3f000000u;
  } else {
    magnitude += 0xfffu + ((magnitude >> 13) & 1u);
    half = (magnitude - ((127u - 15u) << 23)) >> 13;
  }
  return static_cast<uint16_t>(sign | half);
}

constexpr float BF16ToFloat(uint16_t bits) {
  return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16);
}

constexpr uint16_t FloatToBF16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<uint16_t>((bits >> 16) | 0x40u);
  return static_cast<uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

constexpr float E4M3ToFloat(uint8_t code) {
  const uint32_t sign = static_cast<uint32_t>(code & 0x80u) << 24;
  const uint32_t exponent = (code >> 3) & 0xfu;
  const uint32_t mantissa = code & 0x7u;
  if (exponent == 0) {
    const float magnitude = static_cast<float>(mantissa) * 0x1p-9f;
    return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(magnitude));
  }
  if (exponent == 0xf && mantissa == 7) return std::bit_cast<float>(sign | 0x7fc00000u);
  return std::bit_cast<float>(sign | (exponent + (127 - 7)) << 23 | mantissa << 20);
}

// Without sign (the top bit is ignored) and without NaN: the last code is 480.
constexpr float UnsignedE4M3ToFloat(uint8_t code) {
  const uint32_t exponent = (code >> 3) & 0xfu;
  const uint32_t mantissa = code & 0x7u;
  if (exponent == 0) return static_cast<float>(mantissa) * 0x1p-9f;
  return std::bit_cast<float>((exponent + (127 - 7)) << 23 | mantissa << 20);
}

// Saturates: beyond 448, also at infinity, the code of 448.
constexpr uint8_t FloatToE4M3(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const uint32_t sign = (bits >> 24) & 0x80u;
  uint32_t magnitude = bits & 0x7fffffffu;
  uint32_t code = 0;
  if (magnitude > 0x7f800000u) {
    code = 0x7f;
  } else if (magnitude < 0x3c800000u) {
    // Below 2^-6: a multiple of 2^-9, which is the last place of 2^14.
    code = std::bit_cast<uint32_t>(std::bit_cast<float>(magnitude) + 0x1p14f) - 0x46800000u;
  } else {
    magnitude += 0x7ffffu + ((magnitude >> 20) & 1u);
    code = (magnitude - ((127u - 7u) << 23)) >> 20;
    if (code > 0x7e) code = 0x7e;
  }
  return static_cast<uint8_t>(sign | code);
}

constexpr float E5M2ToFloat(uint8_t code) { return F16ToFloat(static_cast<uint16_t>(code << 8)); }

constexpr uint8_t FloatToE5M2(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const uint32_t sign = (bits >> 24) & 0x80u;
  uint32_t magnitude = bits & 0x7fffffffu;
  uint32_t code = 0;
  if (magnitude > 0x7f800000u) {
    code = 0x7f;
  } else if (magnitude < 0x38800000u) {
    // Below 2^-14: a multiple of 2^-16, which is the last place of 2^7.
    code = std::bit_cast<uint32_t>(std::bit_cast<float>(magnitude) + 0x1p7f) - 0x43000000u;
  } else {
    magnitude += 0xfffffu + ((magnitude >> 21) & 1u);
    code = (magnitude - ((127u - 15u) << 23)) >> 21;
    if (code > 0x7c) code = 0x7c;
  }
  return static_cast<uint8_t>(sign | code);
}

// 2^(code - 127); 255 is NaN.
constexpr float E8M0ToFloat(uint8_t code) {
  if (code == 0xff) return std::bit_cast<float>(0x7fc00000u);
  if (code == 0) return 0x1p-127f;
  return std::bit_cast<float>(static_cast<uint32_t>(code) << 23);
}

// 2^(code - 128), for the doubled values below: every code is a finite number, as GGUF has it.
constexpr float HalfE8M0ToFloat(uint8_t code) {
  if (code < 2) return std::bit_cast<float>(0x00200000u << code);
  return std::bit_cast<float>((code - 1u) << 23);
}

// The sixteen values of E2M1, times two so that they are integers.
inline constexpr std::array<int8_t, 16> kDoubledE2M1 = {0, 1,  2,  3,  4,  6,  8,  12,
                                                        0, -1, -2, -3, -4, -6, -8, -12};

}  // namespace tutti::tensor
