// The packed 6-bit scales of the K formats, shared by the decoders here and in kernels/.
#pragma once
#include <cstdint>

namespace tutti::tensor {

// Q4_K and Q5_K: eight scales and eight minima, 0..63, in 12 bytes. The first four of each are
// whole in bytes 0..3 and 4..7; the top two bits of those bytes and the nibbles of bytes 8..11 make
// up the last four.
inline void UnpackScalesQ4_K(const uint8_t packed[12], uint8_t scales[8], uint8_t minima[8]) {
  for (int i = 0; i < 4; ++i) {
    scales[i] = packed[i] & 0x3f;
    minima[i] = packed[i + 4] & 0x3f;
    scales[i + 4] = static_cast<uint8_t>((packed[i + 8] & 0xf) | ((packed[i] >> 6) << 4));
    minima[i + 4] = static_cast<uint8_t>((packed[i + 8] >> 4) | ((packed[i + 4] >> 6) << 4));
  }
}

// Q3_K: sixteen scales, -32..31. Nibbles of bytes 0..7 (low ones first) and pairs of bits of bytes
// 8..11.
inline void UnpackScalesQ3_K(const uint8_t packed[12], int8_t scales[16]) {
  for (int i = 0; i < 16; ++i) {
    const int low = (packed[i % 8] >> (i / 8 * 4)) & 0xf;
    const int high = (packed[8 + i % 4] >> (i / 4 * 2)) & 3;
    scales[i] = static_cast<int8_t>(low + 16 * high - 32);
  }
}

}  // namespace tutti::tensor
