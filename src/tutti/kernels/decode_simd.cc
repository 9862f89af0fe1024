#include "tutti/kernels/decode_simd.h"

#include <array>
#include <cstring>

#include "tutti/base/check.h"
#include "tutti/kernels/grid_codes.h"
#include "tutti/tensor/blocks.h"
#include "tutti/tensor/decode.h"
#include "tutti/tensor/iq_tables.h"
#include "tutti/tensor/k_scales.h"
#include "tutti/tensor/row_scales.h"

// Compiles the rest of this file once per SIMD target.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tutti/kernels/decode_simd.cc"
#include <hwy/foreach_target.h>
// foreach_target.h must come first.
#include <hwy/highway.h>

#include "tutti/kernels/small_float-inl.h"

// Every block format is decoded in two steps: unpack the codes of a block to bytes on the stack, in
// order; then bytes to floats, times a scale (and minus a minimum) per group. Multiplication and
// subtraction stay apart (no fused operation), so that the results are those of the scalar decoder.
HWY_BEFORE_NAMESPACE();
namespace tutti::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// At most 16 lanes, so that groups of 16 are whole vectors on every target.
using F32Tag = hn::CappedTag<float, 16>;
using I32Tag = hn::Rebind<int32_t, F32Tag>;
// 16 bytes on every target, or fewer where vectors are shorter (scalar builds).
using ByteTag = hn::CappedTag<uint8_t, 16>;

// out[i] = scale * codes[i] (- minimum); kCount is a multiple of 16.
template <int kCount, bool kMinimum>
HWY_INLINE void ScaleGroup(const int8_t* codes, float scale, float minimum, float* out) {
  const F32Tag df;
  const I32Tag di;
  const hn::Rebind<int8_t, F32Tag> d8;
  const size_t lanes = hn::Lanes(df);
  const auto vscale = hn::Set(df, scale);
  const auto vminimum = hn::Set(df, minimum);
  for (size_t i = 0; i < kCount; i += lanes) {
    const auto q = hn::ConvertTo(df, hn::PromoteTo(di, hn::LoadU(d8, codes + i)));
    auto value = hn::Mul(vscale, q);
    if constexpr (kMinimum) value = hn::Sub(value, vminimum);
    hn::StoreU(value, df, out + i);
  }
}

// Calls body(offset) for every vector of ByteTag in `count` bytes, a multiple of 16.
template <int kCount, class Body>
HWY_INLINE void ForEachByteVector(const Body& body) {
  const size_t step = hn::Lanes(ByteTag());
  for (size_t i = 0; i < kCount; i += step) body(i);
}

HWY_INLINE void StoreCodes(hn::Vec<ByteTag> codes, int8_t* out) {
  hn::StoreU(codes, ByteTag(), reinterpret_cast<uint8_t*>(out));
}

// Low nibbles of 16 bytes, then high nibbles.
HWY_INLINE void UnpackNibbles(const uint8_t* qs, int offset, int8_t* codes) {
  const ByteTag d;
  const auto voffset = hn::Set(d, static_cast<uint8_t>(offset));
  ForEachByteVector<16>([&](size_t i) HWY_ATTR {
    const auto bytes = hn::LoadU(d, qs + i);
    StoreCodes(hn::Sub(hn::And(bytes, hn::Set(d, 0xf)), voffset), codes + i);
    StoreCodes(hn::Sub(hn::ShiftRight<4>(bytes), voffset), codes + 16 + i);
  });
}

// The same through a table of sixteen values.
HWY_INLINE void UnpackNibblesByTable(const uint8_t* qs, const std::array<int8_t, 16>& table,
                                     int8_t* codes) {
#if HWY_TARGET == HWY_SCALAR
  for (size_t i = 0; i < 16; ++i) {
    codes[i] = table[qs[i] & 0xf];
    codes[i + 16] = table[qs[i] >> 4];
  }
#else
  const ByteTag d;
  const auto values = hn::LoadU(d, reinterpret_cast<const uint8_t*>(table.data()));
  const auto bytes = hn::LoadU(d, qs);
  StoreCodes(hn::TableLookupBytes(values, hn::And(bytes, hn::Set(d, 0xf))), codes);
  StoreCodes(hn::TableLookupBytes(values, hn::ShiftRight<4>(bytes)), codes + 16);
#endif
}

// Nibbles with a fifth bit each, which are packed in 32 bits.
HWY_INLINE void UnpackFiveBits(const uint8_t* qs, const uint8_t* qh, int offset, int8_t* codes) {
  // Bit i of the 32 to bit 4 of byte i: eight bits at a time, multiplied to their places.
  uint8_t high[32];
  const uint32_t bits = tensor::LoadU32(qh);
  for (int i = 0; i < 4; ++i) {
    const uint64_t eight = (bits >> (8 * i)) & 0xffu;
    // Copies of the byte, each masked to one bit; adding 0x7f carries any set bit to bit 7.
    const uint64_t single = (eight * 0x0101010101010101ull) & 0x8040201008040201ull;
    const uint64_t ones = ((single + 0x7f7f7f7f7f7f7f7full) | single) & 0x8080808080808080ull;
    const uint64_t sixteens = ones >> 3;
    std::memcpy(high + 8 * i, &sixteens, sizeof(sixteens));
  }
  const ByteTag d;
  const auto voffset = hn::Set(d, static_cast<uint8_t>(offset));
  ForEachByteVector<16>([&](size_t i) HWY_ATTR {
    const auto bytes = hn::LoadU(d, qs + i);
    const auto low = hn::Or(hn::And(bytes, hn::Set(d, 0xf)), hn::LoadU(d, high + i));
    const auto top = hn::Or(hn::ShiftRight<4>(bytes), hn::LoadU(d, high + 16 + i));
    StoreCodes(hn::Sub(low, voffset), codes + i);
    StoreCodes(hn::Sub(top, voffset), codes + 16 + i);
  });
}

HWY_INLINE void DecodeBlock(const tensor::BlockQ4_0& block, float* out) {
  HWY_ALIGN int8_t codes[32];
  UnpackNibbles(block.qs, 8, codes);
  ScaleGroup<32, false>(codes, block.d.ToFloat(), 0, out);
}

HWY_INLINE void DecodeBlock(const tensor::BlockQ4_1& block, float* out) {
  HWY_ALIGN int8_t codes[32];
  UnpackNibbles(block.qs, 0, codes);
  ScaleGroup<32, true>(codes, block.d.ToFloat(), -block.m.ToFloat(), out);
}

HWY_INLINE void DecodeBlock(const tensor::BlockQ5_0& block, float* out) {
  HWY_ALIGN int8_t codes[32];
  UnpackFiveBits(block.qs, block.qh, 16, codes);
  ScaleGroup<32, false>(codes, block.d.ToFloat(), 0, out);
}

HWY_INLINE void DecodeBlock(const tensor::BlockQ5_1& block, float* out) {
  HWY_ALIGN int8_t codes[32];
  UnpackFiveBits(block.qs, block.qh, 0, codes);
  ScaleGroup<32, true>(codes, block.d.ToFloat(), -block.m.ToFloat(), out);
}

HWY_INLINE void DecodeBlock(const tensor::BlockQ8_0& block, float* out) {
  ScaleGroup<32, false>(block.qs, block.d.ToFloat(), 0, out);
}

HWY_INLINE void DecodeBlock(const tensor::BlockIQ4_NL& block, float* out) {
  HWY_ALIGN int8_t codes[32];
  UnpackNibblesByTable(block.qs, tensor::kNonLinear4, codes);
  ScaleGroup<32, false>(codes, block.d.ToFloat(), 0, out);
}

HWY_INLINE void DecodeBlock(const tensor::BlockMXFP4& block, float* out) {
  HWY_ALIGN int8_t codes[32];
  UnpackNibblesByTable(block.qs, tensor::kDoubledE2M1, codes);
  ScaleGroup<32, false>(codes, tensor::HalfE8M0ToFloat(block.e), 0, out);
}

// Pairs of bits of 64 bytes: 32 bytes hold 128 values, in four runs of 32 by rising significance.
HWY_INLINE void UnpackTwoBits(const uint8_t* qs, int8_t* codes) {
  const ByteTag d;
  const auto three = hn::Set(d, 3);
  for (int half = 0; half < 2; ++half) {
    int8_t* to = codes + 128 * half;
    ForEachByteVector<32>([&](size_t i) HWY_ATTR {
      const auto bytes = hn::LoadU(d, qs + 32 * half + i);
      StoreCodes(hn::And(bytes, three), to + i);
      StoreCodes(hn::And(hn::ShiftRight<2>(bytes), three), to + 32 + i);
      StoreCodes(hn::And(hn::ShiftRight<4>(bytes), three), to + 64 + i);
      StoreCodes(hn::ShiftRight<6>(bytes), to + 96 + i);
    });
  }
}

HWY_INLINE void DecodeBlock(const tensor::BlockQ2_K& block, float* out) {
  HWY_ALIGN int8_t codes[256];
  UnpackTwoBits(block.qs, codes);
  const float d = block.d.ToFloat();
  const float dmin = block.dmin.ToFloat();
  for (int group = 0; group < 16; ++group) {
    ScaleGroup<16, true>(codes + 16 * group, d * static_cast<float>(block.scales[group] & 0xf),
                         dmin * static_cast<float>(block.scales[group] >> 4), out + 16 * group);
  }
}

HWY_INLINE void DecodeBlock(const tensor::BlockQ3_K& block, float* out) {
  HWY_ALIGN int8_t codes[256];
  UnpackTwoBits(block.qs, codes);
  const ByteTag d8;
  for (int run = 0; run < 8; ++run) {  // of 32 values, whose third bits are bit `run` of hmask
    const auto bit = hn::Set(d8, static_cast<uint8_t>(1 << run));
    auto* to = reinterpret_cast<uint8_t*>(codes) + 32 * run;
    ForEachByteVector<32>([&](size_t i) HWY_ATTR {
      const auto negative = hn::Eq(hn::And(hn::LoadU(d8, block.hmask + i), bit), hn::Zero(d8));
      const auto low = hn::LoadU(d8, to + i);
      hn::StoreU(hn::Sub(low, hn::IfThenElseZero(negative, hn::Set(d8, 4))), d8, to + i);
    });
  }
  const float d = block.d.ToFloat();
  int8_t scales[16];
  tensor::UnpackScalesQ3_K(block.scales, scales);
  for (int group = 0; group < 16; ++group) {
    ScaleGroup<16, false>(codes + 16 * group, d * static_cast<float>(scales[group]), 0,
                          out + 16 * group);
  }
}

// 128 bytes of nibbles: 32 bytes hold 64 values, low nibbles first.
HWY_INLINE void UnpackNibbleRuns(const uint8_t* qs, int8_t* codes) {
  const ByteTag d;
  for (int run = 0; run < 4; ++run) {
    ForEachByteVector<32>([&](size_t i) HWY_ATTR {
      const auto bytes = hn::LoadU(d, qs + 32 * run + i);
      StoreCodes(hn::And(bytes, hn::Set(d, 0xf)), codes + 64 * run + i);
      StoreCodes(hn::ShiftRight<4>(bytes), codes + 64 * run + 32 + i);
    });
  }
}

// The scales of Q4_K and Q5_K applied to 256 codes.
HWY_INLINE void ScaleWithMinima(const int8_t* codes, const uint8_t* packed, float d, float dmin,
                                float* out) {
  uint8_t scales[8];
  uint8_t minima[8];
  tensor::UnpackScalesQ4_K(packed, scales, minima);
  for (int group = 0; group < 8; ++group) {
    ScaleGroup<32, true>(codes + 32 * group, d * static_cast<float>(scales[group]),
                         dmin * static_cast<float>(minima[group]), out + 32 * group);
  }
}

HWY_INLINE void DecodeBlock(const tensor::BlockQ4_K& block, float* out) {
  HWY_ALIGN int8_t codes[256];
  UnpackNibbleRuns(block.qs, codes);
  ScaleWithMinima(codes, block.scales, block.d.ToFloat(), block.dmin.ToFloat(), out);
}

HWY_INLINE void DecodeBlock(const tensor::BlockQ5_K& block, float* out) {
  HWY_ALIGN int8_t codes[256];
  UnpackNibbleRuns(block.qs, codes);
  const ByteTag d8;
  for (int run = 0; run < 8; ++run) {
    const auto bit = hn::Set(d8, static_cast<uint8_t>(1 << run));
    auto* to = reinterpret_cast<uint8_t*>(codes) + 32 * run;
    ForEachByteVector<32>([&](size_t i) HWY_ATTR {
      const auto clear = hn::Eq(hn::And(hn::LoadU(d8, block.qh + i), bit), hn::Zero(d8));
      const auto high = hn::IfThenZeroElse(clear, hn::Set(d8, 16));
      hn::StoreU(hn::Or(hn::LoadU(d8, to + i), high), d8, to + i);
    });
  }
  ScaleWithMinima(codes, block.scales, block.d.ToFloat(), block.dmin.ToFloat(), out);
}

HWY_INLINE void DecodeBlock(const tensor::BlockQ6_K& block, float* out) {
  HWY_ALIGN int8_t codes[256];
  const ByteTag d8;
  const auto nibble = hn::Set(d8, 0xf);
  const auto high_bits = hn::Set(d8, 0x30);
  const auto offset = hn::Set(d8, 32);
  for (int half = 0; half < 2; ++half) {
    int8_t* to = codes + 128 * half;
    ForEachByteVector<32>([&](size_t i) HWY_ATTR {
      const auto a = hn::LoadU(d8, block.ql + 64 * half + i);
      const auto b = hn::LoadU(d8, block.ql + 64 * half + 32 + i);
      const auto h = hn::LoadU(d8, block.qh + 32 * half + i);
      const auto h0 = hn::And(hn::ShiftLeft<4>(h), high_bits);
      const auto h1 = hn::And(hn::ShiftLeft<2>(h), high_bits);
      const auto h2 = hn::And(h, high_bits);
      const auto h3 = hn::And(hn::ShiftRight<2>(h), high_bits);
      StoreCodes(hn::Sub(hn::Or(hn::And(a, nibble), h0), offset), to + i);
      StoreCodes(hn::Sub(hn::Or(hn::And(b, nibble), h1), offset), to + 32 + i);
      StoreCodes(hn::Sub(hn::Or(hn::ShiftRight<4>(a), h2), offset), to + 64 + i);
      StoreCodes(hn::Sub(hn::Or(hn::ShiftRight<4>(b), h3), offset), to + 96 + i);
    });
  }
  const float d = block.d.ToFloat();
  for (int group = 0; group < 16; ++group) {
    ScaleGroup<16, false>(codes + 16 * group, d * static_cast<float>(block.scales[group]), 0,
                          out + 16 * group);
  }
}

HWY_INLINE void DecodeBlock(const tensor::BlockIQ4_XS& block, float* out) {
  const float d = block.d.ToFloat();
  const int scales_h = tensor::LoadU16(block.scales_h);
  for (int group = 0; group < 8; ++group) {
    const int low = (block.scales_l[group / 2] >> (group % 2 * 4)) & 0xf;
    const int high = (scales_h >> (2 * group)) & 3;
    HWY_ALIGN int8_t codes[32];
    UnpackNibblesByTable(block.qs + 16 * group, tensor::kNonLinear4, codes);
    ScaleGroup<32, false>(codes, d * static_cast<float>(low + 16 * high - 32), 0, out + 32 * group);
  }
}

HWY_INLINE void DecodeBlock(const tensor::BlockNVFP4& block, float* out) {
  for (int group = 0; group < 4; ++group) {
    const uint8_t code = block.d[group];
    const float d = code == 0x7f ? 0.0f : 0.5f * tensor::UnsignedE4M3ToFloat(code);
    // Eight bytes hold the group: low nibbles, then high ones.
    uint8_t nibbles[16];
    HWY_ALIGN int8_t codes[32];
    std::memcpy(nibbles, block.qs + 8 * group, 8);
    std::memset(nibbles + 8, 0, 8);
    UnpackNibblesByTable(nibbles, tensor::kDoubledE2M1, codes);
    std::memcpy(codes + 8, codes + 16, 8);
    ScaleGroup<16, false>(codes, d, 0, out + 16 * group);
  }
}

// Formats of grid_codes.h.
template <class Block, size_t kScales>
HWY_INLINE void DecodeGridBlock(const Block& block, float* out) {
  constexpr size_t kGroup = 256 / kScales;
  HWY_ALIGN int8_t codes[256];
  std::array<float, kScales> scales;
  UnpackCodes(block, codes, scales);
  for (size_t group = 0; group < kScales; ++group) {
    ScaleGroup<kGroup, false>(codes + kGroup * group, scales[group], 0, out + kGroup * group);
  }
}

template <class Block, size_t kScales>
HWY_INLINE void DecodeGridBlocks(const std::byte* data, int64_t cols, float* out) {
  const auto* blocks = reinterpret_cast<const Block*>(data);
  for (int64_t b = 0; b < cols / 256; ++b)
    DecodeGridBlock<Block, kScales>(blocks[b], out + b * 256);
}

template <class Block, int kBlockSize>
HWY_INLINE void DecodeBlocks(const std::byte* data, int64_t cols, float* out) {
  const auto* blocks = reinterpret_cast<const Block*>(data);
  for (int64_t b = 0; b < cols / kBlockSize; ++b) DecodeBlock(blocks[b], out + b * kBlockSize);
}

// Calls body(at) for whole vectors of floats and returns how many columns that covered.
template <class Body>
HWY_INLINE int64_t ForWholeVectors(int64_t count, const Body& body) {
  const auto lanes = static_cast<int64_t>(hn::Lanes(F32Tag()));
  int64_t i = 0;
  for (; i + lanes <= count; i += lanes) body(i);
  return i;
}

// out[i] = value of code i, times scale if `scaled`.
template <class Format>
HWY_INLINE void DecodeFloats(const std::byte* data, int64_t count, bool scaled, float scale,
                             float* out) {
  const F32Tag df;
  const auto* from = reinterpret_cast<const typename Format::Code*>(data);
  const auto vscale = hn::Set(df, scale);
  int64_t i = ForWholeVectors(count, [&](int64_t at) HWY_ATTR {
    auto value = Format::Load(df, from + at);
    if (scaled) value = hn::Mul(value, vscale);
    hn::StoreU(value, df, out + at);
  });
  for (; i < count; ++i) {
    typename Format::Code code;
    std::memcpy(&code, from + i, sizeof(code));
    const float value = Format::ToFloat(code);
    out[i] = scaled ? value * scale : value;
  }
}

// Values c and c + 1 of a row share a byte: nibbles of 16 bytes in pairs, low ones first.
HWY_INLINE void UnpackPairs(const uint8_t* qs, const std::array<int8_t, 16>& table, int8_t* codes) {
#if HWY_TARGET == HWY_SCALAR
  for (size_t i = 0; i < 16; ++i) {
    codes[2 * i] = table[qs[i] & 0xf];
    codes[2 * i + 1] = table[qs[i] >> 4];
  }
#else
  const ByteTag d;
  const auto values = hn::LoadU(d, reinterpret_cast<const uint8_t*>(table.data()));
  const auto bytes = hn::LoadU(d, qs);
  const auto low = hn::TableLookupBytes(values, hn::And(bytes, hn::Set(d, 0xf)));
  const auto high = hn::TableLookupBytes(values, hn::ShiftRight<4>(bytes));
  StoreCodes(hn::InterleaveLower(d, low, high), codes);
  StoreCodes(hn::InterleaveUpper(d, low, high), codes + 16);
#endif
}

// What a nibble of packed INT4 stands for.
constexpr std::array<int8_t, 16> kOffset8 = {-8, -7, -6, -5, -4, -3, -2, -1,
                                             0,  1,  2,  3,  4,  5,  6,  7};

// factor is exact: 1, or a half for the doubled values of E2M1 with scales that are powers of two.
HWY_INLINE void DecodePairs(const tensor::WeightView& w, int64_t row, const std::byte* data,
                            const std::array<int8_t, 16>& table, float factor, float* out) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(data);
  tensor::ForEachScale(tensor::ScalesOfRow(w, row), w.cols,
                       [&](int64_t begin, int64_t end, float scale) HWY_ATTR {
                         for (int64_t c = begin; c < end; c += 32) {
                           HWY_ALIGN int8_t codes[32];
                           UnpackPairs(bytes + c / 2, table, codes);
                           ScaleGroup<32, false>(codes, factor * scale, 0, out + c);
                         }
                       });
}

template <class Format>
HWY_INLINE void DecodeFloatRow(const tensor::WeightView& w, int64_t row, const std::byte* data,
                               float* out) {
  if (w.scales == nullptr) {
    DecodeFloats<Format>(data, w.cols, false, 1, out);
    return;
  }
  constexpr auto kSize = static_cast<int64_t>(sizeof(typename Format::Code));
  tensor::ForEachScale(
      tensor::ScalesOfRow(w, row), w.cols, [&](int64_t begin, int64_t end, float scale) HWY_ATTR {
        DecodeFloats<Format>(data + begin * kSize, end - begin, true, scale, out + begin);
      });
}

// False for types that are none of these.
HWY_INLINE bool DecodeGridRow(DType dtype, const std::byte* data, int64_t cols, float* out) {
  switch (dtype) {
    case DType::kIQ1_S:
      DecodeGridBlocks<tensor::BlockIQ1_S, 8>(data, cols, out);
      break;
    case DType::kIQ1_M:
      DecodeGridBlocks<tensor::BlockIQ1_M, 16>(data, cols, out);
      break;
    case DType::kIQ2_XXS:
      DecodeGridBlocks<tensor::BlockIQ2_XXS, 8>(data, cols, out);
      break;
    case DType::kIQ2_XS:
      DecodeGridBlocks<tensor::BlockIQ2_XS, 16>(data, cols, out);
      break;
    case DType::kIQ2_S:
      DecodeGridBlocks<tensor::BlockIQ2_S, 16>(data, cols, out);
      break;
    case DType::kIQ3_XXS:
      DecodeGridBlocks<tensor::BlockIQ3_XXS, 8>(data, cols, out);
      break;
    case DType::kIQ3_S:
      DecodeGridBlocks<tensor::BlockIQ3_S, 8>(data, cols, out);
      break;
    case DType::kTQ1_0:
      DecodeGridBlocks<tensor::BlockTQ1_0, 1>(data, cols, out);
      break;
    case DType::kTQ2_0:
      DecodeGridBlocks<tensor::BlockTQ2_0, 1>(data, cols, out);
      break;
    default:
      return false;
  }
  return true;
}

// False where this file has no fast version.
HWY_INLINE bool DecodeGgufRow(DType dtype, const std::byte* data, int64_t cols, float* out) {
  switch (dtype) {
    case DType::kQ4_0:
      DecodeBlocks<tensor::BlockQ4_0, 32>(data, cols, out);
      break;
    case DType::kQ4_1:
      DecodeBlocks<tensor::BlockQ4_1, 32>(data, cols, out);
      break;
    case DType::kQ5_0:
      DecodeBlocks<tensor::BlockQ5_0, 32>(data, cols, out);
      break;
    case DType::kQ5_1:
      DecodeBlocks<tensor::BlockQ5_1, 32>(data, cols, out);
      break;
    case DType::kQ8_0:
      DecodeBlocks<tensor::BlockQ8_0, 32>(data, cols, out);
      break;
    case DType::kIQ4_NL:
      DecodeBlocks<tensor::BlockIQ4_NL, 32>(data, cols, out);
      break;
    case DType::kMXFP4:
      DecodeBlocks<tensor::BlockMXFP4, 32>(data, cols, out);
      break;
    case DType::kNVFP4:
      DecodeBlocks<tensor::BlockNVFP4, 64>(data, cols, out);
      break;
    case DType::kQ2_K:
      DecodeBlocks<tensor::BlockQ2_K, 256>(data, cols, out);
      break;
    case DType::kQ3_K:
      DecodeBlocks<tensor::BlockQ3_K, 256>(data, cols, out);
      break;
    case DType::kQ4_K:
      DecodeBlocks<tensor::BlockQ4_K, 256>(data, cols, out);
      break;
    case DType::kQ5_K:
      DecodeBlocks<tensor::BlockQ5_K, 256>(data, cols, out);
      break;
    case DType::kQ6_K:
      DecodeBlocks<tensor::BlockQ6_K, 256>(data, cols, out);
      break;
    case DType::kIQ4_XS:
      DecodeBlocks<tensor::BlockIQ4_XS, 256>(data, cols, out);
      break;
    default:
      return DecodeGridRow(dtype, data, cols, out);
  }
  return true;
}

bool DecodeRowSimd(const tensor::WeightView& w, int64_t row, float* out) {
  const std::byte* data = w.data + row * w.row_stride_bytes;
  const bool whole_groups = w.cols % 32 == 0 && w.scale_block_cols % 32 == 0;
  switch (w.dtype) {
    case DType::kF32:
      DecodeFloatRow<StoredF32>(w, row, data, out);
      break;
    case DType::kF16:
      DecodeFloatRow<StoredF16>(w, row, data, out);
      break;
    case DType::kBF16:
      DecodeFloatRow<StoredBF16>(w, row, data, out);
      break;
    case DType::kF8E4M3:
      DecodeFloatRow<StoredE4M3>(w, row, data, out);
      break;
    case DType::kF8E5M2:
      DecodeFloatRow<StoredE5M2>(w, row, data, out);
      break;
    case DType::kInt4Packed:
      if (!whole_groups) return false;
      DecodePairs(w, row, data, kOffset8, 1.0f, out);
      break;
    case DType::kMXFP4Split:
      if (!whole_groups || w.scale_dtype != DType::kU8) return false;
      DecodePairs(w, row, data, tensor::kDoubledE2M1, 0.5f, out);
      break;
    default:
      return DecodeGgufRow(w.dtype, data, w.cols, out);
  }
  return true;
}

}  // namespace HWY_NAMESPACE
}  // namespace tutti::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tutti::kernels {
namespace {
HWY_EXPORT(DecodeRowSimd);
}  // namespace

void DecodeRowFast(const tensor::WeightView& w, int64_t row, std::span<float> out) {
  TUTTI_CHECK(0 <= row && row < w.rows, "row outside the matrix");
  TUTTI_CHECK(out.size() == static_cast<size_t>(w.cols), "out must hold one row");
  TUTTI_CHECK(w.cols % InfoOf(w.dtype).block_size == 0, "a row must consist of whole blocks");
  if (!HWY_DYNAMIC_DISPATCH(DecodeRowSimd)(w, row, out.data())) tensor::DecodeRow(w, row, out);
}

}  // namespace tutti::kernels
#endif  // HWY_ONCE
