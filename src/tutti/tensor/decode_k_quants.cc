// Superblocks of 256 values whose scales are small integers times one (or two) f16 numbers.
#include "tutti/tensor/blocks.h"
#include "tutti/tensor/decode_blocks.h"
#include "tutti/tensor/iq_tables.h"
#include "tutti/tensor/k_scales.h"

namespace tutti::tensor {

void DecodeQ2_K(const std::byte* data, int64_t count, float* out) {
  const auto* blocks = reinterpret_cast<const BlockQ2_K*>(data);
  for (int64_t b = 0; b < count; ++b) {
    const BlockQ2_K& block = blocks[b];
    const float d = block.d.ToFloat();
    const float dmin = block.dmin.ToFloat();
    for (int group = 0; group < 16; ++group) {  // of 16 values
      const float scale = d * static_cast<float>(block.scales[group] & 0xf);
      const float minimum = dmin * static_cast<float>(block.scales[group] >> 4);
      const uint8_t* qs = block.qs + 32 * (group / 8) + 16 * (group % 2);
      const int shift = group % 8 / 2 * 2;
      for (int i = 0; i < 16; ++i) {
        *out++ = scale * static_cast<float>((qs[i] >> shift) & 3) - minimum;
      }
    }
  }
}

void DecodeQ3_K(const std::byte* data, int64_t count, float* out) {
  const auto* blocks = reinterpret_cast<const BlockQ3_K*>(data);
  for (int64_t b = 0; b < count; ++b) {
    const BlockQ3_K& block = blocks[b];
    const float d = block.d.ToFloat();
    int8_t scales[16];
    UnpackScalesQ3_K(block.scales, scales);
    for (int group = 0; group < 16; ++group) {
      const float scale = d * static_cast<float>(scales[group]);
      const uint8_t* qs = block.qs + 32 * (group / 8) + 16 * (group % 2);
      const uint8_t* hmask = block.hmask + 16 * (group % 2);
      const int shift = group % 8 / 2 * 2;
      const int bit = group / 2;
      for (int i = 0; i < 16; ++i) {
        const int low = (qs[i] >> shift) & 3;
        const int high = (hmask[i] >> bit) & 1;  // set: the value is not negative
        *out++ = scale * static_cast<float>(low + 4 * high - 4);
      }
    }
  }
}

void DecodeQ4_K(const std::byte* data, int64_t count, float* out) {
  const auto* blocks = reinterpret_cast<const BlockQ4_K*>(data);
  for (int64_t b = 0; b < count; ++b) {
    const BlockQ4_K& block = blocks[b];
    const float d = block.d.ToFloat();
    const float dmin = block.dmin.ToFloat();
    uint8_t scales[8];
    uint8_t minima[8];
    UnpackScalesQ4_K(block.scales, scales, minima);
    for (int group = 0; group < 8; ++group) {  // of 32 values
      const float scale = d * static_cast<float>(scales[group]);
      const float minimum = dmin * static_cast<float>(minima[group]);
      const uint8_t* qs = block.qs + 32 * (group / 2);
      const int shift = group % 2 * 4;
      for (int i = 0; i < 32; ++i) {
        *out++ = scale * static_cast<float>((qs[i] >> shift) & 0xf) - minimum;
      }
    }
  }
}

void DecodeQ5_K(const std::byte* data, int64_t count, float* out) {
  const auto* blocks = reinterpret_cast<const BlockQ5_K*>(data);
  for (int64_t b = 0; b < count; ++b) {
    const BlockQ5_K& block = blocks[b];
    const float d = block.d.ToFloat();
    const float dmin = block.dmin.ToFloat();
    uint8_t scales[8];
    uint8_t minima[8];
    UnpackScalesQ4_K(block.scales, scales, minima);
    for (int group = 0; group < 8; ++group) {
      const float scale = d * static_cast<float>(scales[group]);
      const float minimum = dmin * static_cast<float>(minima[group]);
      const uint8_t* qs = block.qs + 32 * (group / 2);
      const int shift = group % 2 * 4;
      for (int i = 0; i < 32; ++i) {
        const int low = (qs[i] >> shift) & 0xf;
        const int high = (block.qh[i] >> group) & 1;
        *out++ = scale * static_cast<float>(low + 16 * high) - minimum;
      }
    }
  }
}

void DecodeQ6_K(const std::byte* data, int64_t count, float* out) {
  const auto* blocks = reinterpret_cast<const BlockQ6_K*>(data);
  for (int64_t b = 0; b < count; ++b) {
    const BlockQ6_K& block = blocks[b];
    const float d = block.d.ToFloat();
    for (int group = 0; group < 16; ++group) {
      const float scale = d * static_cast<float>(block.scales[group]);
      // Each half of the block: 128 values, in four quarters of 32. Quarters 0 and 1 are the low
      // nibbles of 64 bytes, 2 and 3 the high ones; the two high bits of all four share 32 bytes.
      const int half = group / 8;
      const int quarter = group % 8 / 2;
      const uint8_t* ql = block.ql + 64 * half + 32 * (quarter % 2) + 16 * (group % 2);
      const uint8_t* qh = block.qh + 32 * half + 16 * (group % 2);
      for (int i = 0; i < 16; ++i) {
        const int low = (ql[i] >> (quarter / 2 * 4)) & 0xf;
        const int high = (qh[i] >> (2 * quarter)) & 3;
        *out++ = scale * static_cast<float>(low + 16 * high - 32);
      }
    }
  }
}

void DecodeIQ4_XS(const std::byte* data, int64_t count, float* out) {
  const auto* blocks = reinterpret_cast<const BlockIQ4_XS*>(data);
  for (int64_t b = 0; b < count; ++b) {
    const BlockIQ4_XS& block = blocks[b];
    const float d = block.d.ToFloat();
    const int scales_h = LoadU16(block.scales_h);
    for (int group = 0; group < 8; ++group, out += 32) {
      const int low = (block.scales_l[group / 2] >> (group % 2 * 4)) & 0xf;
      const int high = (scales_h >> (2 * group)) & 3;
      const float scale = d * static_cast<float>(low + 16 * high - 32);
      const uint8_t* qs = block.qs + 16 * group;
      for (int i = 0; i < 16; ++i) {
        out[i] = scale * static_cast<float>(kNonLinear4[qs[i] & 0xf]);
        out[i + 16] = scale * static_cast<float>(kNonLinear4[qs[i] >> 4]);
      }
    }
  }
}

}  // namespace tutti::tensor
