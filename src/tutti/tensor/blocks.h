// The blocks of GGUF's quantised types, byte for byte as they lie in a file.
//
// Every struct consists of bytes only, so it has alignment 1 and can be laid over any address of a
// mapping. Two-byte fields are little-endian; we run on little-endian machines only. What the
// fields mean is written at the decoders (decode_*.cc) and in docs/formats/quantisation.md.
#pragma once
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "tutti/tensor/half.h"

namespace tutti::tensor {

static_assert(std::endian::native == std::endian::little, "files are little-endian, and so are we");

inline uint16_t LoadU16(const void* bytes) {
  uint16_t value;
  std::memcpy(&value, bytes, sizeof(value));
  return value;
}
inline uint32_t LoadU32(const void* bytes) {
  uint32_t value;
  std::memcpy(&value, bytes, sizeof(value));
  return value;
}

// A number of 16 bits without alignment.
struct F16Field {
  uint8_t bytes[2];
  float ToFloat() const { return F16ToFloat(LoadU16(bytes)); }
};

// 32 values: one scale, or a scale and a minimum. Low nibbles hold values 0..15, high nibbles
// 16..31.
struct BlockQ4_0 {
  F16Field d;
  uint8_t qs[16];
};
struct BlockQ4_1 {
  F16Field d;
  F16Field m;
  uint8_t qs[16];
};
struct BlockQ5_0 {
  F16Field d;
  uint8_t qh[4];  // bit i is bit 4 of value i
  uint8_t qs[16];
};
struct BlockQ5_1 {
  F16Field d;
  F16Field m;
  uint8_t qh[4];
  uint8_t qs[16];
};
struct BlockQ8_0 {
  F16Field d;
  int8_t qs[32];
};
struct BlockIQ4_NL {
  F16Field d;
  uint8_t qs[16];
};
struct BlockMXFP4 {
  uint8_t e;
  uint8_t qs[16];
};
// 64 values in four groups of 16.
struct BlockNVFP4 {
  uint8_t d[4];    // unsigned E4M3
  uint8_t qs[32];  // per group 8 bytes: low nibbles, then high nibbles
};

// 256 values with two levels of scales.
struct BlockQ2_K {
  uint8_t scales[16];  // low nibble scale, high nibble minimum, per 16 values
  uint8_t qs[64];
  F16Field d;
  F16Field dmin;
};
struct BlockQ3_K {
  uint8_t hmask[32];
  uint8_t qs[64];
  uint8_t scales[12];  // 16 scales of 6 bits
  F16Field d;
};
struct BlockQ4_K {
  F16Field d;
  F16Field dmin;
  uint8_t scales[12];  // 8 scales and 8 minima of 6 bits
  uint8_t qs[128];
};
struct BlockQ5_K {
  F16Field d;
  F16Field dmin;
  uint8_t scales[12];
  uint8_t qh[32];
  uint8_t qs[128];
};
struct BlockQ6_K {
  uint8_t ql[128];
  uint8_t qh[64];
  int8_t scales[16];
  F16Field d;
};
struct BlockIQ4_XS {
  F16Field d;
  uint8_t scales_h[2];
  uint8_t scales_l[4];
  uint8_t qs[128];
};

// 256 values as points of a grid of eight (or four) dimensions, with signs.
struct BlockIQ1_S {
  F16Field d;
  uint8_t qs[32];
  uint8_t qh[16];  // eight numbers of 16 bits
};
struct BlockIQ1_M {
  uint8_t qs[32];
  uint8_t qh[16];
  uint8_t scales[8];  // four numbers of 16 bits; their top nibbles are the f16 scale
};
struct BlockIQ2_XXS {
  F16Field d;
  uint8_t qs[64];  // per 32 values: four grid indices, then 4 x 7 bits of signs and 4 of scale
};
struct BlockIQ2_XS {
  F16Field d;
  uint8_t qs[64];  // numbers of 16 bits: 9 of grid index, 7 of signs
  uint8_t scales[8];
};
struct BlockIQ2_S {
  F16Field d;
  uint8_t qs[32];
  uint8_t signs[32];
  uint8_t qh[8];
  uint8_t scales[8];
};
struct BlockIQ3_XXS {
  F16Field d;
  uint8_t qs[64];
  uint8_t scales_and_signs[32];  // as the second half of IQ2_XXS
};
struct BlockIQ3_S {
  F16Field d;
  uint8_t qs[64];
  uint8_t qh[8];
  uint8_t signs[32];
  uint8_t scales[4];
};

// 256 values of -1, 0, 1.
struct BlockTQ1_0 {
  uint8_t qs[48];  // five values a byte, base 3
  uint8_t qh[4];   // four values a byte
  F16Field d;
};
struct BlockTQ2_0 {
  uint8_t qs[64];
  F16Field d;
};

// The sizes of spec/dtype.h; decode_test.cc compares the two.
static_assert(sizeof(BlockQ4_0) == 18);
static_assert(sizeof(BlockQ4_1) == 20);
static_assert(sizeof(BlockQ5_0) == 22);
static_assert(sizeof(BlockQ5_1) == 24);
static_assert(sizeof(BlockQ8_0) == 34);
static_assert(sizeof(BlockIQ4_NL) == 18);
static_assert(sizeof(BlockMXFP4) == 17);
static_assert(sizeof(BlockNVFP4) == 36);
static_assert(sizeof(BlockQ2_K) == 84);
static_assert(sizeof(BlockQ3_K) == 110);
static_assert(sizeof(BlockQ4_K) == 144);
static_assert(sizeof(BlockQ5_K) == 176);
static_assert(sizeof(BlockQ6_K) == 210);
static_assert(sizeof(BlockIQ4_XS) == 136);
static_assert(sizeof(BlockIQ1_S) == 50);
static_assert(sizeof(BlockIQ1_M) == 56);
static_assert(sizeof(BlockIQ2_XXS) == 66);
static_assert(sizeof(BlockIQ2_XS) == 74);
static_assert(sizeof(BlockIQ2_S) == 82);
static_assert(sizeof(BlockIQ3_XXS) == 98);
static_assert(sizeof(BlockIQ3_S) == 110);
static_assert(sizeof(BlockTQ1_0) == 54);
static_assert(sizeof(BlockTQ2_0) == 66);

}  // namespace tutti::tensor
