// Unpacking strips on any machine: row by row into 32 small integers and their scales, then spread
// over the strip four columns at a time. The loops over 32 values are left to the compiler.
#include <array>
#include <cstring>

#include "tutti/kernels/strip.h"
#include "tutti/tensor/blocks.h"
#include "tutti/tensor/iq_tables.h"
#include "tutti/tensor/k_scales.h"
#include "tutti/tensor/row_scales.h"

namespace tutti::kernels {
namespace {

using tensor::BlockIQ4_NL;
using tensor::BlockIQ4_XS;
using tensor::BlockMXFP4;
using tensor::BlockQ2_K;
using tensor::BlockQ3_K;
using tensor::BlockQ4_0;
using tensor::BlockQ4_1;
using tensor::BlockQ4_K;
using tensor::BlockQ5_0;
using tensor::BlockQ5_1;
using tensor::BlockQ5_K;
using tensor::BlockQ6_K;
using tensor::BlockQ8_0;

// One group of 32 values of one row.
struct Group {
  int8_t q[32];
  float scale[2] = {0, 0};
  float minimum[2] = {0, 0};
};

// Row `i` of the strip, and group `g` of it.
template <typename Block, int kGroups>
const Block& BlockAt(const StripSource& rows, int64_t i, int64_t g) {
  return reinterpret_cast<const Block*>(rows.data[i])[g / kGroups];
}

void Nibbles(const uint8_t* qs, int8_t* q) {
  for (int i = 0; i < 16; ++i) {
    q[i] = static_cast<int8_t>(qs[i] & 0xf);
    q[i + 16] = static_cast<int8_t>(qs[i] >> 4);
  }
}

void FifthBits(const uint8_t* qh, int8_t* q) {
  const uint32_t bits = tensor::LoadU32(qh);
  for (int i = 0; i < 32; ++i) {
    q[i] = static_cast<int8_t>(q[i] | static_cast<int>((bits >> i) & 1u) << 4);
  }
}

void Subtract(int value, int8_t* q) {
  for (int i = 0; i < 32; ++i) q[i] = static_cast<int8_t>(q[i] - value);
}

void LookUp(const std::array<int8_t, 16>& table, int8_t* q) {
  for (int i = 0; i < 32; ++i) q[i] = table[static_cast<size_t>(q[i])];
}

// Values in pairs: byte i holds values 2 i and 2 i + 1.
void PairedNibbles(const std::byte* bytes, int8_t* q) {
  for (int i = 0; i < 16; ++i) {
    q[2 * i] = static_cast<int8_t>(static_cast<uint8_t>(bytes[i]) & 0xf);
    q[2 * i + 1] = static_cast<int8_t>(static_cast<uint8_t>(bytes[i]) >> 4);
  }
}

float ScaleOf(const StripSource& rows, int64_t i, int64_t g) {
  const tensor::RowScales scales{rows.scales[i], rows.scale_dtype, rows.scale_block_cols};
  return scales.At(g * kQ8GroupSize / rows.scale_block_cols);
}

template <DType kType>
void UnpackGroup(const StripSource& rows, int64_t i, int64_t g, Group& out);

template <>
void UnpackGroup<DType::kQ8_0>(const StripSource& rows, int64_t i, int64_t g, Group& out) {
  const auto& block = BlockAt<BlockQ8_0, 1>(rows, i, g);
  std::memcpy(out.q, block.qs, 32);
  out.scale[0] = block.d.ToFloat();
}

template <>
void UnpackGroup<DType::kQ4_0>(const StripSource& rows, int64_t i, int64_t g, Group& out) {
  const auto& block = BlockAt<BlockQ4_0, 1>(rows, i, g);
  Nibbles(block.qs, out.q);
  Subtract(8, out.q);
  out.scale[0] = block.d.ToFloat();
}

template <>
void UnpackGroup<DType::kQ4_1>(const StripSource& rows, int64_t i, int64_t g, Group& out) {
  const auto& block = BlockAt<BlockQ4_1, 1>(rows, i, g);
  Nibbles(block.qs, out.q);
  out.scale[0] = block.d.ToFloat();
  out.minimum[0] = -block.m.ToFloat();
}

template <>
void UnpackGroup<DType::kQ5_0>(const StripSource& rows, int64_t i, int64_t g, Group& out) {
  const auto& block = BlockAt<BlockQ5_0, 1>(rows, i, g);
  Nibbles(block.qs, out.q);
  FifthBits(block.qh, out.q);
  Subtract(16, out.q);
  out.scale[0] = block.d.ToFloat();
}

template <>
void UnpackGroup<DType::kQ5_1>(const StripSource& rows, int64_t i, int64_t g, Group& out) {
  const auto& block = BlockAt<BlockQ5_1, 1>(rows, i, g);
  Nibbles(block.qs, out.q);
  FifthBits(block.qh, out.q);
  out.scale[0] = block.d.ToFloat();
  out.minimum[0] = -block.m.ToFloat();
}

template <>
void UnpackGroup<DType::kIQ4_NL>(const StripSource& rows, int64_t i, int64_t g, Group& out) {
  const auto& block = BlockAt<BlockIQ4_NL, 1>(rows, i, g);
  Nibbles(block.qs, out.q);
  LookUp(tensor::kNonLinear4, out.q);
  out.scale[0] = block.d.ToFloat();
}

template <>
void UnpackGroup<DType::kMXFP4>(const StripSource& rows, int64_t i, int64_t g, Group& out) {
  const auto& block = BlockAt<BlockMXFP4, 1>(rows, i, g);
  Nibbles(block.qs, out.q);
  LookUp(tensor::kDoubledE2M1, out.q);
  out.scale[0] = tensor::HalfE8M0ToFloat(block.e);
}

template <>
void UnpackGroup<DType::kMXFP4Split>(const StripSource& rows, int64_t i, int64_t g, Group& out) {
  PairedNibbles(rows.data[i] + 16 * g, out.q);
  LookUp(tensor::kDoubledE2M1, out.q);
  out.scale[0] = 0.5f * ScaleOf(rows, i, g);
}

template <>
void UnpackGroup<DType::kInt4Packed>(const StripSource& rows, int64_t i, int64_t g, Group& out) {
  PairedNibbles(rows.data[i] + 16 * g, out.q);
  Subtract(8, out.q);
  out.scale[0] = ScaleOf(rows, i, g);
}

template <>
void UnpackGroup<DType::kQ2_K>(const StripSource& rows, int64_t i, int64_t g, Group& out) {
  const auto& block = BlockAt<BlockQ2_K, 8>(rows, i, g);
  const int64_t s = g % 8;
  const uint8_t* qs = block.qs + s / 4 * 32;
  for (int k = 0; k < 32; ++k) out.q[k] = static_cast<int8_t>((qs[k] >> (s % 4 * 2)) & 3);
  for (int h = 0; h < 2; ++h) {
    const uint8_t scales = block.scales[2 * s + h];
    out.scale[h] = block.d.ToFloat() * static_cast<float>(scales & 0xf);
    out.minimum[h] = block.dmin.ToFloat() * static_cast<float>(scales >> 4);
  }
}

template <>
void UnpackGroup<DType::kQ3_K>(const StripSource& rows, int64_t i, int64_t g, Group& out) {
  const auto& block = BlockAt<BlockQ3_K, 8>(rows, i, g);
  const int64_t s = g % 8;
  const uint8_t* qs = block.qs + s / 4 * 32;
  for (int k = 0; k < 32; ++k) {
    const int high = (block.hmask[k] >> s) & 1;
    out.q[k] = static_cast<int8_t>(((qs[k] >> (s % 4 * 2)) & 3) + 4 * high - 4);
  }
  int8_t scales[16];
  tensor::UnpackScalesQ3_K(block.scales, scales);
  for (int h = 0; h < 2; ++h) {
    out.scale[h] = block.d.ToFloat() * static_cast<float>(scales[2 * s + h]);
  }
}

template <typename Block>
void ScalesOfQ4_K(const Block& block, int64_t s, Group& out) {
  uint8_t scales[8];
  uint8_t minima[8];
  tensor::UnpackScalesQ4_K(block.scales, scales, minima);
  out.scale[0] = block.d.ToFloat() * static_cast<float>(scales[s]);
  out.minimum[0] = block.dmin.ToFloat() * static_cast<float>(minima[s]);
}

template <>
void UnpackGroup<DType::kQ4_K>(const StripSource& rows, int64_t i, int64_t g, Group& out) {
  const auto& block = BlockAt<BlockQ4_K, 8>(rows, i, g);
  const int64_t s = g % 8;
  const uint8_t* qs = block.qs + s / 2 * 32;
  for (int k = 0; k < 32; ++k) out.q[k] = static_cast<int8_t>((qs[k] >> (s % 2 * 4)) & 0xf);
  ScalesOfQ4_K(block, s, out);
}

template <>
void UnpackGroup<DType::kQ5_K>(const StripSource& rows, int64_t i, int64_t g, Group& out) {
  const auto& block = BlockAt<BlockQ5_K, 8>(rows, i, g);
  const int64_t s = g % 8;
  const uint8_t* qs = block.qs + s / 2 * 32;
  for (int k = 0; k < 32; ++k) {
    const int high = (block.qh[k] >> s) & 1;
    out.q[k] = static_cast<int8_t>(((qs[k] >> (s % 2 * 4)) & 0xf) | high << 4);
  }
  ScalesOfQ4_K(block, s, out);
}

template <>
void UnpackGroup<DType::kQ6_K>(const StripSource& rows, int64_t i, int64_t g, Group& out) {
  const auto& block = BlockAt<BlockQ6_K, 8>(rows, i, g);
  const int64_t s = g % 8;
  const int64_t part = s % 4;  // of a half of 128 values
  const uint8_t* ql = block.ql + s / 4 * 64 + part % 2 * 32;
  const uint8_t* qh = block.qh + s / 4 * 32;
  for (int k = 0; k < 32; ++k) {
    const int low = (ql[k] >> (part / 2 * 4)) & 0xf;
    const int high = (qh[k] >> (part * 2)) & 3;
    out.q[k] = static_cast<int8_t>((low | high << 4) - 32);
  }
  for (int h = 0; h < 2; ++h) {
    out.scale[h] = block.d.ToFloat() * static_cast<float>(block.scales[2 * s + h]);
  }
}

template <>
void UnpackGroup<DType::kIQ4_XS>(const StripSource& rows, int64_t i, int64_t g, Group& out) {
  const auto& block = BlockAt<BlockIQ4_XS, 8>(rows, i, g);
  const int64_t s = g % 8;
  Nibbles(block.qs + 16 * s, out.q);
  LookUp(tensor::kNonLinear4, out.q);
  const int low = (block.scales_l[s / 2] >> (s % 2 * 4)) & 0xf;
  const int high = (tensor::LoadU16(block.scales_h) >> (2 * s)) & 3;
  out.scale[0] = block.d.ToFloat() * static_cast<float>((low | high << 4) - 32);
}

// q of one row and group into its places in the strip: dword j of row i is at [j][i].
void Spread(const Group& group, bool biased, int64_t i, uint8_t* q) {
  uint8_t bytes[32];
  const uint8_t flip = biased ? 0x80 : 0;  // q + 128 in uint8 is q with its top bit turned
  for (int k = 0; k < 32; ++k)
    bytes[k] = static_cast<uint8_t>(static_cast<uint8_t>(group.q[k]) ^ flip);
  for (int64_t j = 0; j < 8; ++j) std::memcpy(q + (j * kStripRows + i) * 4, bytes + 4 * j, 4);
}

template <DType kType, bool kBiased>
void Unpack(const StripSource& rows, int64_t first_group, int64_t groups, const StripSlice& out) {
  const StripForm form = FormOf(kType);
  const int parts = ScalesPerGroup(form);
  const bool biased = kBiased && !HasMinimum(form);
  for (int64_t i = 0; i < kStripRows; ++i) {
    for (int64_t g = 0; g < groups; ++g) {
      Group group;
      UnpackGroup<kType>(rows, i, first_group + g, group);
      Spread(group, biased, i, out.q + g * 8 * kStripRows * 4);
      for (int part = 0; part < parts; ++part) {
        const int64_t at = (g * parts + part) * kStripRows + i;
        out.scale[at] = group.scale[part];
        if (HasMinimum(form)) out.minimum[at] = group.minimum[part];
      }
    }
  }
}

template <bool kBiased>
UnpackFunction UnpackOf(DType dtype) {
  switch (dtype) {
    case DType::kQ8_0:
      return Unpack<DType::kQ8_0, kBiased>;
    case DType::kQ4_0:
      return Unpack<DType::kQ4_0, kBiased>;
    case DType::kQ4_1:
      return Unpack<DType::kQ4_1, kBiased>;
    case DType::kQ5_0:
      return Unpack<DType::kQ5_0, kBiased>;
    case DType::kQ5_1:
      return Unpack<DType::kQ5_1, kBiased>;
    case DType::kQ2_K:
      return Unpack<DType::kQ2_K, kBiased>;
    case DType::kQ3_K:
      return Unpack<DType::kQ3_K, kBiased>;
    case DType::kQ4_K:
      return Unpack<DType::kQ4_K, kBiased>;
    case DType::kQ5_K:
      return Unpack<DType::kQ5_K, kBiased>;
    case DType::kQ6_K:
      return Unpack<DType::kQ6_K, kBiased>;
    case DType::kIQ4_NL:
      return Unpack<DType::kIQ4_NL, kBiased>;
    case DType::kIQ4_XS:
      return Unpack<DType::kIQ4_XS, kBiased>;
    case DType::kMXFP4:
      return Unpack<DType::kMXFP4, kBiased>;
    case DType::kMXFP4Split:
      return Unpack<DType::kMXFP4Split, kBiased>;
    case DType::kInt4Packed:
      return Unpack<DType::kInt4Packed, kBiased>;
    default:
      return nullptr;
  }
}

}  // namespace

UnpackFunction PortableUnpack(DType dtype, bool biased) {
  return biased ? UnpackOf<true>(dtype) : UnpackOf<false>(dtype);
}

}  // namespace tutti::kernels
