// The look-up formats (IQ1 to IQ3, TQ) of GGUF as small integers with a scale per group: one
// superblock of 256 values at a time.
//
//   value i = scales[i / group] * codes[i],  group = 256 / size of scales
//
// Codes of IQ1 are eight times the coordinate plus or minus one (its values are moved by an
// eighth), and their scales an eighth: products stay those of tensor/decode_iq.cc bit for bit.
// Threads: any. Errors: none, any bytes have codes.
#pragma once
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>

#include "tutti/tensor/blocks.h"
#include "tutti/tensor/iq_tables.h"

namespace tutti::kernels {

// Byte i is 0xff where bit i of the index is set.
inline constexpr std::array<uint64_t, 256> kSignMasks = [] {
  std::array<uint64_t, 256> masks{};
  for (size_t signs = 0; signs < 256; ++signs) {
    for (size_t i = 0; i < 8; ++i) {
      if ((signs >> i) & 1u) masks[signs] |= uint64_t{0xff} << (8 * i);
    }
  }
  return masks;
}();
// The same for seven bits, whose eighth makes the number of minuses even.
inline constexpr std::array<uint64_t, 128> kEvenSignMasks = [] {
  std::array<uint64_t, 128> masks{};
  for (size_t signs = 0; signs < 128; ++signs) {
    masks[signs] = kSignMasks[signs | static_cast<size_t>(std::popcount(signs) & 1) << 7];
  }
  return masks;
}();

// Eight coordinates, none of them zero, negated where the mask is set: in each byte ~x + 1, which
// carries nowhere because x > 0.
inline void StorePoint(uint64_t point, uint64_t mask, int8_t* codes) {
  const uint64_t bytes = (point ^ mask) + (mask & 0x0101010101010101ull);
  std::memcpy(codes, &bytes, sizeof(bytes));
}

inline uint64_t TwoHalves(uint32_t low, uint32_t high) {
  return static_cast<uint64_t>(high) << 32 | low;
}

inline float Nibble(const uint8_t* bytes, int i) {
  return static_cast<float>((bytes[i / 2] >> (i % 2 * 4)) & 0xf);
}

inline void UnpackCodes(const tensor::BlockIQ2_XXS& block, int8_t* codes,
                        std::array<float, 8>& scales) {
  const float d = block.d.ToFloat();
  for (size_t group = 0; group < 8; ++group) {
    const uint8_t* indices = block.qs + 8 * group;
    const uint32_t rest = tensor::LoadU32(indices + 4);
    scales[group] = d * (0.5f + static_cast<float>(rest >> 28)) * 0.25f;
    for (size_t i = 0; i < 4; ++i) {
      StorePoint(tensor::kIQ2_XXSGrid[indices[i]], kEvenSignMasks[(rest >> (7 * i)) & 0x7f],
                 codes + 32 * group + 8 * i);
    }
  }
}

inline void UnpackCodes(const tensor::BlockIQ2_XS& block, int8_t* codes,
                        std::array<float, 16>& scales) {
  const float d = block.d.ToFloat();
  for (int group = 0; group < 16; ++group) {
    scales[static_cast<size_t>(group)] = d * (0.5f + Nibble(block.scales, group)) * 0.25f;
  }
  for (int point = 0; point < 32; ++point) {
    const uint32_t q = tensor::LoadU16(block.qs + 2 * point);
    StorePoint(tensor::kIQ2_XSGrid[q & 0x1ff], kEvenSignMasks[q >> 9], codes + 8 * point);
  }
}

inline void UnpackCodes(const tensor::BlockIQ2_S& block, int8_t* codes,
                        std::array<float, 16>& scales) {
  const float d = block.d.ToFloat();
  for (int group = 0; group < 16; ++group) {
    scales[static_cast<size_t>(group)] = d * (0.5f + Nibble(block.scales, group)) * 0.25f;
  }
  for (int point = 0; point < 32; ++point) {
    const uint32_t high = (block.qh[point / 4] >> (point % 4 * 2)) & 3u;
    StorePoint(tensor::kIQ2_SGrid[block.qs[point] | high << 8], kSignMasks[block.signs[point]],
               codes + 8 * point);
  }
}

inline void UnpackCodes(const tensor::BlockIQ3_XXS& block, int8_t* codes,
                        std::array<float, 8>& scales) {
  const float d = block.d.ToFloat();
  for (size_t group = 0; group < 8; ++group) {
    const uint32_t rest = tensor::LoadU32(block.scales_and_signs + 4 * group);
    scales[group] = d * (0.5f + static_cast<float>(rest >> 28)) * 0.5f;
    for (size_t i = 0; i < 4; ++i) {
      const uint8_t* indices = block.qs + 8 * group + 2 * i;
      StorePoint(TwoHalves(tensor::kIQ3_XXSGrid[indices[0]], tensor::kIQ3_XXSGrid[indices[1]]),
                 kEvenSignMasks[(rest >> (7 * i)) & 0x7f], codes + 32 * group + 8 * i);
    }
  }
}

inline void UnpackCodes(const tensor::BlockIQ3_S& block, int8_t* codes,
                        std::array<float, 8>& scales) {
  const float d = block.d.ToFloat();
  for (int group = 0; group < 8; ++group) {
    scales[static_cast<size_t>(group)] = d * (1.0f + 2.0f * Nibble(block.scales, group));
    const uint32_t high = block.qh[group];
    for (int i = 0; i < 4; ++i) {
      const uint8_t* indices = block.qs + 8 * group + 2 * i;
      const uint32_t first = indices[0] | ((high >> (2 * i)) & 1u) << 8;
      const uint32_t second = indices[1] | ((high >> (2 * i + 1)) & 1u) << 8;
      StorePoint(TwoHalves(tensor::kIQ3_SGrid[first], tensor::kIQ3_SGrid[second]),
                 kSignMasks[block.signs[4 * group + i]], codes + 32 * group + 8 * i);
    }
  }
}

// Eight coordinates of -1, 0, 1 times eight, plus one or minus one.
inline void StoreTernary(uint64_t point, bool minus, int8_t* codes) {
  // Adding 1 or 0xff to every other byte, so that a carry falls into the byte between and is cut.
  constexpr uint64_t kEven = 0x00ff00ff00ff00ffull;
  const uint64_t eight = (point & 0x1f1f1f1f1f1f1f1full) << 3;
  const uint64_t delta = minus ? kEven : 0x0001000100010001ull;
  const uint64_t low = ((eight & kEven) + delta) & kEven;
  const uint64_t high = (((eight >> 8) & kEven) + delta) & kEven;
  const uint64_t bytes = low | high << 8;
  std::memcpy(codes, &bytes, sizeof(bytes));
}

inline void UnpackCodes(const tensor::BlockIQ1_S& block, int8_t* codes,
                        std::array<float, 8>& scales) {
  const float d = block.d.ToFloat();
  for (size_t group = 0; group < 8; ++group) {
    const uint32_t qh = tensor::LoadU16(block.qh + 2 * group);
    scales[group] = d * static_cast<float>(2 * ((qh >> 12) & 7u) + 1) * 0.125f;
    for (size_t i = 0; i < 4; ++i) {
      const uint32_t high = (qh >> (3 * i)) & 7u;
      StoreTernary(tensor::kIQ1_SGrid[block.qs[4 * group + i] | high << 8], (qh & 0x8000u) != 0,
                   codes + 32 * group + 8 * i);
    }
  }
}

inline void UnpackCodes(const tensor::BlockIQ1_M& block, int8_t* codes,
                        std::array<float, 16>& scales) {
  std::array<uint32_t, 4> words;
  uint32_t d_bits = 0;
  for (size_t i = 0; i < 4; ++i) {
    words[i] = tensor::LoadU16(block.scales + 2 * i);
    d_bits |= (words[i] >> 12) << (4 * i);
  }
  const float d = tensor::F16ToFloat(static_cast<uint16_t>(d_bits));
  for (size_t group = 0; group < 16; ++group) {
    const uint32_t scale = (words[group / 4] >> (group % 4 * 3)) & 7u;
    scales[group] = d * static_cast<float>(2 * scale + 1) * 0.125f;
    for (size_t i = 0; i < 2; ++i) {
      const uint32_t qh = block.qh[group] >> (4 * i);
      StoreTernary(tensor::kIQ1_SGrid[block.qs[2 * group + i] | (qh & 7u) << 8], (qh & 8u) != 0,
                   codes + 16 * group + 8 * i);
    }
  }
}

inline void UnpackCodes(const tensor::BlockTQ2_0& block, int8_t* codes,
                        std::array<float, 1>& scales) {
  scales[0] = block.d.ToFloat();
  for (int half = 0; half < 2; ++half) {
    for (int run = 0; run < 4; ++run) {
      for (int i = 0; i < 32; ++i) {
        codes[128 * half + 32 * run + i] =
            static_cast<int8_t>(((block.qs[32 * half + i] >> (2 * run)) & 3) - 1);
      }
    }
  }
}

// Digit k of `count` bytes: see the decoder in tensor/decode_simple.cc.
inline int8_t* UnpackDigit(const uint8_t* bytes, int count, uint8_t power, int8_t* codes) {
  for (int i = 0; i < count; ++i) {
    const auto top = static_cast<uint8_t>(bytes[i] * power);
    codes[i] = static_cast<int8_t>(((top * 3) >> 8) - 1);
  }
  return codes + count;
}

inline void UnpackCodes(const tensor::BlockTQ1_0& block, int8_t* codes,
                        std::array<float, 1>& scales) {
  scales[0] = block.d.ToFloat();
  constexpr std::array<uint8_t, 5> kPowersOf3 = {1, 3, 9, 27, 81};
  for (const uint8_t power : kPowersOf3) codes = UnpackDigit(block.qs, 32, power, codes);
  for (const uint8_t power : kPowersOf3) codes = UnpackDigit(block.qs + 32, 16, power, codes);
  for (size_t k = 0; k < 4; ++k) codes = UnpackDigit(block.qh, 4, kPowersOf3[k], codes);
}

}  // namespace tutti::kernels
