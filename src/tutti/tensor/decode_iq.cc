// Superblocks of 256 values that are points of a fixed grid, with signs and scales.
//
// In IQ2 and IQ3 a point has positive coordinates (eight or four of them) and every value its own
// sign bit. Seven bits can hold the signs of eight values, because the formats only use patterns
// with an even number of minuses: the eighth sign follows from the others.
#include <array>

#include "tutti/tensor/blocks.h"
#include "tutti/tensor/decode_blocks.h"
#include "tutti/tensor/iq_tables.h"

namespace tutti::tensor {
namespace {

// Eight sign bits from seven.
uint32_t EvenSigns(uint32_t seven) {
  seven &= 0x7f;
  return seven | static_cast<uint32_t>(std::popcount(seven) & 1) << 7;
}

// out[i] = scale * coordinate i, negative where bit i of signs is set.
template <typename Word>
float* EmitPoint(Word point, uint32_t signs, float scale, float* out) {
  for (size_t i = 0; i < sizeof(Word); ++i) {
    const float value = scale * static_cast<float>((point >> (8 * i)) & 0xff);
    *out++ = (signs >> i) & 1u ? -value : value;
  }
  return out;
}

// IQ1: coordinates -1, 0, 1, all moved by the same delta.
float* EmitTernary(uint64_t point, float delta, float scale, float* out) {
  for (int i = 0; i < 8; ++i) {
    const auto coordinate = static_cast<int8_t>((point >> (8 * i)) & 0xff);
    *out++ = scale * (static_cast<float>(coordinate) + delta);
  }
  return out;
}

constexpr float kDelta = 0.125f;

float Nibble(const uint8_t* bytes, int i) {
  return static_cast<float>((bytes[i / 2] >> (i % 2 * 4)) & 0xf);
}

}  // namespace

void DecodeIQ2_XXS(const std::byte* data, int64_t count, float* out) {
  const auto* blocks = reinterpret_cast<const BlockIQ2_XXS*>(data);
  for (int64_t b = 0; b < count; ++b) {
    const float d = blocks[b].d.ToFloat();
    for (int group = 0; group < 8; ++group) {  // of 32 values
      const uint8_t* indices = blocks[b].qs + 8 * group;
      const uint32_t rest = LoadU32(indices + 4);
      const float scale = d * (0.5f + static_cast<float>(rest >> 28)) * 0.25f;
      for (int i = 0; i < 4; ++i) {
        out = EmitPoint(kIQ2_XXSGrid[indices[i]], EvenSigns(rest >> (7 * i)), scale, out);
      }
    }
  }
}

void DecodeIQ2_XS(const std::byte* data, int64_t count, float* out) {
  const auto* blocks = reinterpret_cast<const BlockIQ2_XS*>(data);
  for (int64_t b = 0; b < count; ++b) {
    const float d = blocks[b].d.ToFloat();
    for (int point = 0; point < 32; ++point) {  // of 8 values
      const uint32_t q = LoadU16(blocks[b].qs + 2 * point);
      const float scale = d * (0.5f + Nibble(blocks[b].scales, point / 2)) * 0.25f;
      out = EmitPoint(kIQ2_XSGrid[q & 0x1ff], EvenSigns(q >> 9), scale, out);
    }
  }
}

void DecodeIQ2_S(const std::byte* data, int64_t count, float* out) {
  const auto* blocks = reinterpret_cast<const BlockIQ2_S*>(data);
  for (int64_t b = 0; b < count; ++b) {
    const float d = blocks[b].d.ToFloat();
    for (int point = 0; point < 32; ++point) {
      const uint32_t high = (blocks[b].qh[point / 4] >> (point % 4 * 2)) & 3u;
      const float scale = d * (0.5f + Nibble(blocks[b].scales, point / 2)) * 0.25f;
      out = EmitPoint(kIQ2_SGrid[blocks[b].qs[point] | high << 8], blocks[b].signs[point], scale,
                      out);
    }
  }
}

void DecodeIQ3_XXS(const std::byte* data, int64_t count, float* out) {
  const auto* blocks = reinterpret_cast<const BlockIQ3_XXS*>(data);
  for (int64_t b = 0; b < count; ++b) {
    const float d = blocks[b].d.ToFloat();
    for (int group = 0; group < 8; ++group) {
      const uint32_t rest = LoadU32(blocks[b].scales_and_signs + 4 * group);
      const float scale = d * (0.5f + static_cast<float>(rest >> 28)) * 0.5f;
      for (int i = 0; i < 4; ++i) {
        const uint32_t signs = EvenSigns(rest >> (7 * i));
        const uint8_t* indices = blocks[b].qs + 8 * group + 2 * i;
        out = EmitPoint(kIQ3_XXSGrid[indices[0]], signs, scale, out);
        out = EmitPoint(kIQ3_XXSGrid[indices[1]], signs >> 4, scale, out);
      }
    }
  }
}

void DecodeIQ3_S(const std::byte* data, int64_t count, float* out) {
  const auto* blocks = reinterpret_cast<const BlockIQ3_S*>(data);
  for (int64_t b = 0; b < count; ++b) {
    const float d = blocks[b].d.ToFloat();
    for (int point = 0; point < 64; ++point) {  // of 4 values
      const uint32_t high = (blocks[b].qh[point / 8] >> (point % 8)) & 1u;
      const uint32_t signs = blocks[b].signs[point / 2] >> (point % 2 * 4);
      const float scale = d * (1.0f + 2.0f * Nibble(blocks[b].scales, point / 8));
      out = EmitPoint(kIQ3_SGrid[blocks[b].qs[point] | high << 8], signs, scale, out);
    }
  }
}

void DecodeIQ1_S(const std::byte* data, int64_t count, float* out) {
  const auto* blocks = reinterpret_cast<const BlockIQ1_S*>(data);
  for (int64_t b = 0; b < count; ++b) {
    const float d = blocks[b].d.ToFloat();
    for (int group = 0; group < 8; ++group) {
      const uint32_t qh = LoadU16(blocks[b].qh + 2 * group);
      const float scale = d * static_cast<float>(2 * ((qh >> 12) & 7u) + 1);
      const float delta = qh & 0x8000u ? -kDelta : kDelta;
      for (int i = 0; i < 4; ++i) {
        const uint32_t high = (qh >> (3 * i)) & 7u;
        out = EmitTernary(kIQ1_SGrid[blocks[b].qs[4 * group + i] | high << 8], delta, scale, out);
      }
    }
  }
}

void DecodeIQ1_M(const std::byte* data, int64_t count, float* out) {
  const auto* blocks = reinterpret_cast<const BlockIQ1_M*>(data);
  for (int64_t b = 0; b < count; ++b) {
    std::array<uint32_t, 4> scales;
    uint32_t d_bits = 0;
    for (uint32_t i = 0; i < 4; ++i) {
      scales[i] = LoadU16(blocks[b].scales + 2 * i);
      d_bits |= (scales[i] >> 12) << (4 * i);
    }
    const float d = F16ToFloat(static_cast<uint16_t>(d_bits));
    for (uint32_t point = 0; point < 32; ++point) {
      const uint32_t group = point / 2;  // of 16 values, with a scale of three bits
      const float scale =
          d * static_cast<float>(2 * ((scales[group / 4] >> (group % 4 * 3)) & 7u) + 1);
      const uint32_t qh = blocks[b].qh[point / 2] >> (point % 2 * 4);
      const float delta = qh & 8u ? -kDelta : kDelta;
      out = EmitTernary(kIQ1_SGrid[blocks[b].qs[point] | (qh & 7u) << 8], delta, scale, out);
    }
  }
}

}  // namespace tutti::tensor
