// Blocks with one level of scales: d * q, or d * q + m.
#include "tutti/tensor/blocks.h"
#include "tutti/tensor/decode_blocks.h"
#include "tutti/tensor/iq_tables.h"

namespace tutti::tensor {
namespace {

template <typename Block>
const Block* As(const std::byte* data) {
  static_assert(alignof(Block) == 1);
  return reinterpret_cast<const Block*>(data);
}

// The nibbles of 16 bytes: low ones first.
void UnpackNibbles(const uint8_t* qs, int* q) {
  for (int i = 0; i < 16; ++i) {
    q[i] = qs[i] & 0xf;
    q[i + 16] = qs[i] >> 4;
  }
}

// The same with a fifth bit each.
void UnpackFiveBits(const uint8_t* qs, const uint8_t* qh, int* q) {
  UnpackNibbles(qs, q);
  const uint32_t high = LoadU32(qh);
  for (int i = 0; i < 32; ++i) q[i] |= static_cast<int>((high >> i) & 1u) << 4;
}

}  // namespace

void DecodeQ4_0(const std::byte* data, int64_t count, float* out) {
  const BlockQ4_0* blocks = As<BlockQ4_0>(data);
  for (int64_t b = 0; b < count; ++b, out += 32) {
    const float d = blocks[b].d.ToFloat();
    int q[32];
    UnpackNibbles(blocks[b].qs, q);
    for (int i = 0; i < 32; ++i) out[i] = d * static_cast<float>(q[i] - 8);
  }
}

void DecodeQ4_1(const std::byte* data, int64_t count, float* out) {
  const BlockQ4_1* blocks = As<BlockQ4_1>(data);
  for (int64_t b = 0; b < count; ++b, out += 32) {
    const float d = blocks[b].d.ToFloat();
    const float m = blocks[b].m.ToFloat();
    int q[32];
    UnpackNibbles(blocks[b].qs, q);
    for (int i = 0; i < 32; ++i) out[i] = d * static_cast<float>(q[i]) + m;
  }
}

void DecodeQ5_0(const std::byte* data, int64_t count, float* out) {
  const BlockQ5_0* blocks = As<BlockQ5_0>(data);
  for (int64_t b = 0; b < count; ++b, out += 32) {
    const float d = blocks[b].d.ToFloat();
    int q[32];
    UnpackFiveBits(blocks[b].qs, blocks[b].qh, q);
    for (int i = 0; i < 32; ++i) out[i] = d * static_cast<float>(q[i] - 16);
  }
}

void DecodeQ5_1(const std::byte* data, int64_t count, float* out) {
  const BlockQ5_1* blocks = As<BlockQ5_1>(data);
  for (int64_t b = 0; b < count; ++b, out += 32) {
    const float d = blocks[b].d.ToFloat();
    const float m = blocks[b].m.ToFloat();
    int q[32];
    UnpackFiveBits(blocks[b].qs, blocks[b].qh, q);
    for (int i = 0; i < 32; ++i) out[i] = d * static_cast<float>(q[i]) + m;
  }
}

void DecodeQ8_0(const std::byte* data, int64_t count, float* out) {
  const BlockQ8_0* blocks = As<BlockQ8_0>(data);
  for (int64_t b = 0; b < count; ++b, out += 32) {
    const float d = blocks[b].d.ToFloat();
    for (int i = 0; i < 32; ++i) out[i] = d * static_cast<float>(blocks[b].qs[i]);
  }
}

void DecodeIQ4_NL(const std::byte* data, int64_t count, float* out) {
  const BlockIQ4_NL* blocks = As<BlockIQ4_NL>(data);
  for (int64_t b = 0; b < count; ++b, out += 32) {
    const float d = blocks[b].d.ToFloat();
    int q[32];
    UnpackNibbles(blocks[b].qs, q);
    for (int i = 0; i < 32; ++i) out[i] = d * static_cast<float>(kNonLinear4[q[i]]);
  }
}

void DecodeMXFP4(const std::byte* data, int64_t count, float* out) {
  const BlockMXFP4* blocks = As<BlockMXFP4>(data);
  for (int64_t b = 0; b < count; ++b, out += 32) {
    const float d = HalfE8M0ToFloat(blocks[b].e);
    int q[32];
    UnpackNibbles(blocks[b].qs, q);
    for (int i = 0; i < 32; ++i) out[i] = d * static_cast<float>(kDoubledE2M1[q[i]]);
  }
}

void DecodeNVFP4(const std::byte* data, int64_t count, float* out) {
  const BlockNVFP4* blocks = As<BlockNVFP4>(data);
  for (int64_t b = 0; b < count; ++b) {
    for (int group = 0; group < 4; ++group, out += 16) {
      // The scale has no sign: GGUF ignores the top bit, and reads the code 0x7f (not 0xff, whose
      // ignored bit gives 480) as zero.
      const uint8_t code = blocks[b].d[group];
      const float d = code == 0x7f ? 0.0f : 0.5f * UnsignedE4M3ToFloat(code);
      const uint8_t* qs = blocks[b].qs + 8 * group;
      for (int i = 0; i < 8; ++i) {
        out[i] = d * static_cast<float>(kDoubledE2M1[qs[i] & 0xf]);
        out[i + 8] = d * static_cast<float>(kDoubledE2M1[qs[i] >> 4]);
      }
    }
  }
}

void DecodeTQ1_0(const std::byte* data, int64_t count, float* out) {
  // A byte is ceil(n * 256 / 243) of a five-digit number n in base 3, so multiplying by 3^k modulo
  // 256 brings digit k to the top: digit = (byte * 3^k mod 256) * 3 / 256.
  constexpr uint8_t kPowersOf3[5] = {1, 3, 9, 27, 81};
  const auto digit = [](uint8_t byte, uint8_t power) {
    return ((static_cast<uint8_t>(byte * power) * 3) >> 8) - 1;
  };
  const BlockTQ1_0* blocks = As<BlockTQ1_0>(data);
  for (int64_t b = 0; b < count; ++b) {
    const BlockTQ1_0& block = blocks[b];
    const float d = block.d.ToFloat();
    const auto emit = [&](const uint8_t* bytes, int n, int digits) {
      for (int k = 0; k < digits; ++k) {
        for (int i = 0; i < n; ++i) *out++ = d * static_cast<float>(digit(bytes[i], kPowersOf3[k]));
      }
    };
    emit(block.qs, 32, 5);
    emit(block.qs + 32, 16, 5);
    emit(block.qh, 4, 4);
  }
}

void DecodeTQ2_0(const std::byte* data, int64_t count, float* out) {
  const BlockTQ2_0* blocks = As<BlockTQ2_0>(data);
  for (int64_t b = 0; b < count; ++b) {
    const float d = blocks[b].d.ToFloat();
    for (int half = 0; half < 2; ++half) {
      for (int shift = 0; shift < 8; shift += 2) {
        for (int i = 0; i < 32; ++i) {
          *out++ = d * static_cast<float>(((blocks[b].qs[32 * half + i] >> shift) & 3) - 1);
        }
      }
    }
  }
}

}  // namespace tutti::tensor
