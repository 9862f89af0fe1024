// Weight formats as vectors see them, written once for AVX2 and NEON: a few rows at a time, block
// by block. Packed bytes of the rows are transposed before they are unpacked: half the shuffles, or
// a quarter. Every load lies within a block of its own row.
//
// Included after strip_avx2_vectors-inl.h or strip_neon_vectors-inl.h, which bring the vectors,
// inside tutti::kernels and an unnamed namespace.
#pragma once

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

// kVectorRows rows of a strip, from `first` upwards.
struct Rows {
  const StripSource& strip;
  int first;
  const std::byte* At(int i, int64_t offset) const { return strip.data[first + i] + offset; }
};

struct Dwords4 {
  Bytes v[4];
};
struct Dwords8 {
  Bytes v[8];
};

TUTTI_INLINE void PrefetchRows(const Rows& rows, int64_t offset) {
  TUTTI_UNROLL
  for (int i = 0; i < kVectorRows; ++i) __builtin_prefetch(rows.At(i, offset + rows.strip.ahead));
}

// 16 bytes of every fourth row in a vector each, to dwords of neighbouring rows.
TUTTI_INLINE Dwords4 Transpose4(const Bytes* r) {
  const Bytes t0 = InterleaveLow32(r[0], r[1]);
  const Bytes t1 = InterleaveHigh32(r[0], r[1]);
  const Bytes t2 = InterleaveLow32(r[2], r[3]);
  const Bytes t3 = InterleaveHigh32(r[2], r[3]);
  return {{InterleaveLow64(t0, t2), InterleaveHigh64(t0, t2), InterleaveLow64(t1, t3),
           InterleaveHigh64(t1, t3)}};
}

// 16 bytes of each row.
TUTTI_INLINE Dwords4 Load16(const Rows& rows, int64_t offset) {
  Bytes r[4];
  TUTTI_UNROLL
  for (int i = 0; i < 4; ++i) r[i] = EveryFourthRow(rows, offset, i);
  return Transpose4(r);
}

// 32 bytes of each row.
template <bool kPrefetches>
TUTTI_INLINE Dwords8 Load32(const Rows& rows, int64_t offset) {
  if constexpr (kPrefetches) PrefetchRows(rows, offset);
  const Dwords4 low = Load16(rows, offset);
  const Dwords4 high = Load16(rows, offset + 16);
  Dwords8 out;
  TUTTI_UNROLL
  for (int i = 0; i < 4; ++i) {
    out.v[i] = low.v[i];
    out.v[i + 4] = high.v[i];
  }
  return out;
}

// The last dword of 16 bytes of each row.
TUTTI_INLINE Bytes LastDwords(const Rows& rows, int64_t offset) {
  Bytes r[4];
  TUTTI_UNROLL
  for (int i = 0; i < 4; ++i) r[i] = EveryFourthRow(rows, offset, i);
  return InterleaveHigh64(InterleaveHigh32(r[0], r[1]), InterleaveHigh32(r[2], r[3]));
}

TUTTI_INLINE Bytes And(Bytes v, int byte) { return v & Splat8(byte); }
TUTTI_INLINE Bytes AndDwords(Bytes v, uint32_t dword) { return v & Splat32(dword); }
// Bytes shifted right; the mask removes what came in from the neighbour.
TUTTI_INLINE Bytes ShiftAnd(Bytes v, int shift, int byte) {
  return And(ShiftRight(v, shift), byte);
}
// The bits of `mask` from v moved from bit `from` of each byte to bit `to`, the mask's.
TUTTI_INLINE Bytes MovedBits(Bytes v, int from, int to, int mask) {
  if (from == to) return And(v, mask);
  return And(from > to ? ShiftRight(v, from - to) : ShiftLeft(v, to - from), mask);
}

// Byte i of each dword, unsigned and signed, as floats.
TUTTI_INLINE Floats ByteToFloat(Bytes v, int i) {
  return ToFloat(AndDwords(ShiftRight32(v, 8 * i), 0xff));
}
TUTTI_INLINE Floats SignedByteToFloat(Bytes v, int i) {
  return ToFloat(ShiftRightSigned32(ShiftLeft32(v, 24 - 8 * i), 24));
}
TUTTI_INLINE Floats HighHalfToFloat(Bytes v) { return LowHalfToFloat(ShiftRight32(v, 16)); }

// Formats. Unit<Format>::Decode hands out the rows of one *unit*, a block of the format, to a sink:
//
//   sink.Dword(group, j, v)      columns 32 group + 4 j .. + 3 of each row, a dword per row;
//                                for each group j rises from 0 to 7
//   sink.Scale(i, v)             scale i of the unit, and where the form has one
//   sink.Minimum(i, v)           its minimum
//
// With Sink::kPrefetches, large units ask for what lies `ahead` of them, as they load. Everything
// is unrolled, so that a sink may keep what it gets in registers.

// What nibbles stand for: themselves, or a table's levels.
struct Plain {
  TUTTI_INLINE Bytes operator()(Bytes nibbles) const { return nibbles; }
};
struct Levels {
  TUTTI_INLINE explicit Levels(const std::array<int8_t, 16>& levels)
      : table(RepeatedTable(levels.data())) {}
  TUTTI_INLINE Bytes operator()(Bytes nibbles) const { return LookUp(table, nibbles); }
  Bytes table;
};

// 16 bytes of nibbles: low ones are columns 0..15, high ones 16..31.
template <typename Levels, typename Sink>
TUTTI_INLINE void PutNibbles(const Bytes* packed, const Levels& levels, int group, Sink& out) {
  TUTTI_UNROLL
  for (int j = 0; j < 4; ++j) out.Dword(group, j, levels(And(packed[j], 0xf)));
  TUTTI_UNROLL
  for (int j = 0; j < 4; ++j) out.Dword(group, 4 + j, levels(ShiftAnd(packed[j], 4, 0xf)));
}

// Nibbles in pairs: byte i is columns 2 i and 2 i + 1, so dword j has columns 8 j .. 8 j + 7.
template <typename Levels, typename Sink>
TUTTI_INLINE void PutPairedNibbles(const Bytes* packed, const Levels& levels, Sink& out) {
  static constexpr int8_t kTwice[2][16] = {
      {0, 0, 1, 1, 4, 4, 5, 5, 8, 8, 9, 9, 12, 12, 13, 13},
      {2, 2, 3, 3, 6, 6, 7, 7, 10, 10, 11, 11, 14, 14, 15, 15}};
  TUTTI_UNROLL
  for (int j = 0; j < 8; ++j) {
    const Bytes twice = LookUp(packed[j / 2], RepeatedTable(kTwice[j % 2]));
    out.Dword(0, j,
              levels(AndDwords(twice, 0x000f000f) | AndDwords(ShiftRight(twice, 4), 0x0f000f00)));
  }
}

// Adds 16 to column 4 j + k of row i where bit 4 j + k of dword i of `bits` is set.
template <typename Sink>
TUTTI_INLINE void PutFiveBits(const Bytes* packed, Bytes bits, Sink& out) {
  static constexpr int8_t kFourTimes[16] = {0, 0, 0, 0, 4, 4, 4, 4, 8, 8, 8, 8, 12, 12, 12, 12};
  const Bytes four_times = RepeatedTable(kFourTimes);
  TUTTI_UNROLL
  for (int j = 0; j < 8; ++j) {
    const Bytes q = j < 4 ? And(packed[j % 4], 0xf) : ShiftAnd(packed[j % 4], 4, 0xf);
    // Byte j / 2 of each row's dword, four times; then one bit of it in each.
    const Bytes spread = LookUp(bits, four_times + Splat8(j / 2));
    const Bytes which = Splat32(j % 2 == 0 ? 0x08040201 : 0x80402010);
    const Bytes is_set = reinterpret_cast<Bytes>((spread & which) == which);
    out.Dword(0, j, q | And(is_set, 16));
  }
}

template <typename Sink>
TUTTI_INLINE void PutScaleAndMinimum(Bytes d_and_m, Sink& out) {
  out.Scale(0, LowHalfToFloat(d_and_m));
  // value = d q + m, and the form subtracts its minimum.
  out.Minimum(0, -HighHalfToFloat(d_and_m));
}

template <typename Block, int kGroupsOf, StripForm kFormOf, int kBiasOf, int kMostOf>
struct UnitOf {
  static constexpr int kGroups = kGroupsOf;  // of 32 columns
  static constexpr StripForm kForm = kFormOf;
  static constexpr int kBias = kBiasOf;  // what was added to signed q, which made them unsigned
  static constexpr int kMost = kMostOf;  // the largest magnitude of what a sink gets
  static constexpr int64_t kBytes = static_cast<int64_t>(sizeof(Block));
  // True if sinks get bytes with a sign.
  static constexpr bool kSigned = !HasMinimum(kForm) && kBias == 0;
};

// Sinks get this many dwords of each row for one scale.
template <typename Unit>
constexpr int StepsOf() {
  return 8 / ScalesPerGroup(Unit::kForm);
}

// Unit u of the rows is where u * kBytes is.
template <DType dtype>
struct Unit;

template <>
struct Unit<DType::kQ8_0> : UnitOf<BlockQ8_0, 1, StripForm::kSigned32, 0, 128> {
  template <typename Sink>
  static TUTTI_INLINE void Decode(const Rows& rows, int64_t u, Sink& out) {
    const Dwords8 q = Load32<Sink::kPrefetches>(rows, u * kBytes + 2);
    TUTTI_UNROLL
    for (int j = 0; j < 8; ++j) out.Dword(0, j, q.v[j]);
    out.Scale(0, Halves(rows, u * kBytes));
  }
};

template <>
struct Unit<DType::kQ4_0> : UnitOf<BlockQ4_0, 1, StripForm::kSmallSigned32, 8, 15> {
  template <typename Sink>
  static TUTTI_INLINE void Decode(const Rows& rows, int64_t u, Sink& out) {
    PutNibbles(Load16(rows, u * kBytes + 2).v, Plain(), 0, out);
    out.Scale(0, Halves(rows, u * kBytes));
  }
};

template <>
struct Unit<DType::kIQ4_NL> : UnitOf<BlockIQ4_NL, 1, StripForm::kSigned32, 0, 127> {
  template <typename Sink>
  static TUTTI_INLINE void Decode(const Rows& rows, int64_t u, Sink& out) {
    PutNibbles(Load16(rows, u * kBytes + 2).v, Levels(tensor::kNonLinear4), 0, out);
    out.Scale(0, Halves(rows, u * kBytes));
  }
};

template <>
struct Unit<DType::kQ4_1> : UnitOf<BlockQ4_1, 1, StripForm::kUnsigned32, 0, 15> {
  template <typename Sink>
  static TUTTI_INLINE void Decode(const Rows& rows, int64_t u, Sink& out) {
    PutNibbles(Load16(rows, u * kBytes + 4).v, Plain(), 0, out);
    PutScaleAndMinimum(DwordOf(rows, u * kBytes), out);
  }
};

template <>
struct Unit<DType::kQ5_0> : UnitOf<BlockQ5_0, 1, StripForm::kSmallSigned32, 16, 31> {
  template <typename Sink>
  static TUTTI_INLINE void Decode(const Rows& rows, int64_t u, Sink& out) {
    const int64_t at = u * kBytes;
    PutFiveBits(Load16(rows, at + 6).v, DwordOf(rows, at + 2), out);
    out.Scale(0, Halves(rows, at));
  }
};

template <>
struct Unit<DType::kQ5_1> : UnitOf<BlockQ5_1, 1, StripForm::kUnsigned32, 0, 31> {
  template <typename Sink>
  static TUTTI_INLINE void Decode(const Rows& rows, int64_t u, Sink& out) {
    const int64_t at = u * kBytes;
    PutFiveBits(Load16(rows, at + 8).v, DwordOf(rows, at + 4), out);
    PutScaleAndMinimum(DwordOf(rows, at), out);
  }
};

template <>
struct Unit<DType::kMXFP4> : UnitOf<BlockMXFP4, 1, StripForm::kSmallSigned32, 0, 12> {
  template <typename Sink>
  static TUTTI_INLINE void Decode(const Rows& rows, int64_t u, Sink& out) {
    PutNibbles(Load16(rows, u * kBytes + 1).v, Levels(tensor::kDoubledE2M1), 0, out);
    // Half of 2^(e - 127): exponent e - 1, except for the two smallest, which are denormal.
    const Bytes e = AndDwords(DwordOf(rows, u * kBytes), 0xff);
    const Bytes less1 = reinterpret_cast<Bytes>(reinterpret_cast<Dwords>(e) - 1U);
    const Bytes more1 = reinterpret_cast<Bytes>(reinterpret_cast<Dwords>(e) + 1U);
    const Bytes normal = ShiftLeft32(less1, 23);
    const Bytes denormal = ShiftLeft32(more1, 21);
    const Bytes small = reinterpret_cast<Bytes>(reinterpret_cast<Ints>(e) < 2);
    out.Scale(0, reinterpret_cast<Floats>((normal & ~small) | (denormal & small)));
  }
};

// Formats whose scales lie in a second tensor, in any type of plain numbers.
TUTTI_INLINE Floats OuterScales(const Rows& rows, int64_t group, float factor) {
  const StripSource& strip = rows.strip;
  Floats scale = {};
  TUTTI_UNROLL
  for (int i = 0; i < kVectorRows; ++i) {
    const tensor::RowScales scales{strip.scales[rows.first + i], strip.scale_dtype,
                                   strip.scale_block_cols};
    scale[i] = factor * scales.At(group * kQ8GroupSize / strip.scale_block_cols);
  }
  return scale;
}

struct SplitBlock {
  uint8_t q[16];
};

template <>
struct Unit<DType::kMXFP4Split> : UnitOf<SplitBlock, 1, StripForm::kSmallSigned32, 0, 12> {
  template <typename Sink>
  static TUTTI_INLINE void Decode(const Rows& rows, int64_t u, Sink& out) {
    PutPairedNibbles(Load16(rows, u * kBytes).v, Levels(tensor::kDoubledE2M1), out);
    out.Scale(0, OuterScales(rows, u, 0.5f));
  }
};

template <>
struct Unit<DType::kInt4Packed> : UnitOf<SplitBlock, 1, StripForm::kSmallSigned32, 8, 15> {
  template <typename Sink>
  static TUTTI_INLINE void Decode(const Rows& rows, int64_t u, Sink& out) {
    PutPairedNibbles(Load16(rows, u * kBytes).v, Plain(), out);
    out.Scale(0, OuterScales(rows, u, 1.0f));
  }
};

template <>
struct Unit<DType::kQ2_K> : UnitOf<BlockQ2_K, 8, StripForm::kUnsigned16, 0, 3> {
  template <typename Sink>
  static TUTTI_INLINE void Decode(const Rows& rows, int64_t u, Sink& out) {
    const int64_t at = u * kBytes;
    TUTTI_UNROLL
    for (int half = 0; half < 2; ++half) {
      const Dwords8 packed = Load32<Sink::kPrefetches>(rows, at + 16 + 32 * half);
      TUTTI_UNROLL
      for (int part = 0; part < 4; ++part) {
        TUTTI_UNROLL
        for (int j = 0; j < 8; ++j) {
          out.Dword(4 * half + part, j, ShiftAnd(packed.v[j], 2 * part, 3));
        }
      }
    }
    const Dwords4 scales = Load16(rows, at);
    const Bytes d_and_min = LastDwords(rows, at + 84 - 16);
    const Floats d = LowHalfToFloat(d_and_min);
    const Floats dmin = HighHalfToFloat(d_and_min);
    TUTTI_UNROLL
    for (int v = 0; v < 4; ++v) {
      const Bytes low = And(scales.v[v], 0xf);
      const Bytes high = ShiftAnd(scales.v[v], 4, 0xf);
      TUTTI_UNROLL
      for (int i = 0; i < 4; ++i) {
        out.Scale(4 * v + i, d * ByteToFloat(low, i));
        out.Minimum(4 * v + i, dmin * ByteToFloat(high, i));
      }
    }
  }
};

template <>
struct Unit<DType::kQ3_K> : UnitOf<BlockQ3_K, 8, StripForm::kSmallSigned16, 4, 7> {
  template <typename Sink>
  static TUTTI_INLINE void Decode(const Rows& rows, int64_t u, Sink& out) {
    const int64_t at = u * kBytes;
    const Dwords8 mask = Load32<Sink::kPrefetches>(rows, at);
    TUTTI_UNROLL
    for (int half = 0; half < 2; ++half) {
      const Dwords8 packed = Load32<Sink::kPrefetches>(rows, at + 32 + 32 * half);
      TUTTI_UNROLL
      for (int part = 0; part < 4; ++part) {
        TUTTI_UNROLL
        for (int j = 0; j < 8; ++j) {
          const Bytes low = ShiftAnd(packed.v[j], 2 * part, 3);
          out.Dword(4 * half + part, j, low | MovedBits(mask.v[j], 4 * half + part, 2, 4));
        }
      }
    }
    PutScales(rows, at, out);
  }

  // The last 16 bytes of the superblock are two of q, twelve of scales and the f16 d: as four
  // dwords with half of the next in each.
  template <typename Sink>
  static TUTTI_INLINE void PutScales(const Rows& rows, int64_t at, Sink& out) {
    const Dwords4 tail = Load16(rows, at + 94);
    const Floats d = HighHalfToFloat(tail.v[3]);
    Bytes packed[3];
    TUTTI_UNROLL
    for (int i = 0; i < 3; ++i) {
      packed[i] = ShiftRight32(tail.v[i], 16) | ShiftLeft32(tail.v[i + 1], 16);
    }
    TUTTI_UNROLL
    for (int v = 0; v < 4; ++v) {
      const Bytes low = ShiftAnd(packed[v % 2], v / 2 * 4, 0xf);
      const Bytes high = MovedBits(packed[2], 2 * v, 4, 0x30);
      const Bytes scales = (low | high) - Splat8(32);
      TUTTI_UNROLL
      for (int i = 0; i < 4; ++i) out.Scale(4 * v + i, d * SignedByteToFloat(scales, i));
    }
  }
};

// d, dmin and twelve bytes of 6-bit scales: the first 16 bytes of Q4_K and Q5_K.
template <typename Sink>
TUTTI_INLINE void PutScalesOfQ4_K(const Rows& rows, int64_t at, Sink& out) {
  const Dwords4 head = Load16(rows, at);
  const Floats d = LowHalfToFloat(head.v[0]);
  const Floats dmin = HighHalfToFloat(head.v[0]);
  const Bytes scales[2] = {And(head.v[1], 0x3f),
                           And(head.v[3], 0xf) | MovedBits(head.v[1], 6, 4, 0x30)};
  const Bytes minima[2] = {And(head.v[2], 0x3f),
                           ShiftAnd(head.v[3], 4, 0xf) | MovedBits(head.v[2], 6, 4, 0x30)};
  TUTTI_UNROLL
  for (int v = 0; v < 2; ++v) {
    TUTTI_UNROLL
    for (int i = 0; i < 4; ++i) {
      out.Scale(4 * v + i, d * ByteToFloat(scales[v], i));
      out.Minimum(4 * v + i, dmin * ByteToFloat(minima[v], i));
    }
  }
}

template <>
struct Unit<DType::kQ4_K> : UnitOf<BlockQ4_K, 8, StripForm::kUnsigned32, 0, 15> {
  template <typename Sink>
  static TUTTI_INLINE void Decode(const Rows& rows, int64_t u, Sink& out) {
    const int64_t at = u * kBytes;
    TUTTI_UNROLL
    for (int c = 0; c < 4; ++c) {
      const Dwords8 packed = Load32<Sink::kPrefetches>(rows, at + 16 + 32 * c);
      TUTTI_UNROLL
      for (int j = 0; j < 8; ++j) {
        out.Dword(2 * c, j, And(packed.v[j], 0xf));
        out.Dword(2 * c + 1, j, ShiftAnd(packed.v[j], 4, 0xf));
      }
    }
    PutScalesOfQ4_K(rows, at, out);
  }
};

template <>
struct Unit<DType::kQ5_K> : UnitOf<BlockQ5_K, 8, StripForm::kUnsigned32, 0, 31> {
  template <typename Sink>
  static TUTTI_INLINE void Decode(const Rows& rows, int64_t u, Sink& out) {
    const int64_t at = u * kBytes;
    const Dwords8 high = Load32<Sink::kPrefetches>(rows, at + 16);
    TUTTI_UNROLL
    for (int c = 0; c < 4; ++c) {
      const Dwords8 packed = Load32<Sink::kPrefetches>(rows, at + 48 + 32 * c);
      TUTTI_UNROLL
      for (int j = 0; j < 8; ++j) {
        out.Dword(2 * c, j, And(packed.v[j], 0xf) | MovedBits(high.v[j], 2 * c, 4, 0x10));
        out.Dword(2 * c + 1, j,
                  ShiftAnd(packed.v[j], 4, 0xf) | MovedBits(high.v[j], 2 * c + 1, 4, 0x10));
      }
    }
    PutScalesOfQ4_K(rows, at, out);
  }
};

template <>
struct Unit<DType::kQ6_K> : UnitOf<BlockQ6_K, 8, StripForm::kSmallSigned16, 32, 63> {
  template <typename Sink>
  static TUTTI_INLINE void Decode(const Rows& rows, int64_t u, Sink& out) {
    const int64_t at = u * kBytes;
    TUTTI_UNROLL
    for (int half = 0; half < 2; ++half) {
      const Dwords8 high = Load32<Sink::kPrefetches>(rows, at + 128 + 32 * half);
      TUTTI_UNROLL
      for (int odd = 0; odd < 2; ++odd) {
        const Dwords8 packed = Load32<Sink::kPrefetches>(rows, at + 64 * half + 32 * odd);
        TUTTI_UNROLL
        for (int j = 0; j < 8; ++j) {
          const Bytes low = And(packed.v[j], 0xf);
          const Bytes high4 = ShiftAnd(packed.v[j], 4, 0xf);
          out.Dword(4 * half + odd, j, low | MovedBits(high.v[j], 2 * odd, 4, 0x30));
          out.Dword(4 * half + odd + 2, j, high4 | MovedBits(high.v[j], 2 * odd + 4, 4, 0x30));
        }
      }
    }
    const Dwords4 scales = Load16(rows, at + 192);
    const Floats d = HighHalfToFloat(LastDwords(rows, at + 210 - 16));
    TUTTI_UNROLL
    for (int v = 0; v < 4; ++v) {
      TUTTI_UNROLL
      for (int i = 0; i < 4; ++i) out.Scale(4 * v + i, d * SignedByteToFloat(scales.v[v], i));
    }
  }
};

template <>
struct Unit<DType::kIQ4_XS> : UnitOf<BlockIQ4_XS, 8, StripForm::kSigned32, 0, 127> {
  template <typename Sink>
  static TUTTI_INLINE void Decode(const Rows& rows, int64_t u, Sink& out) {
    const int64_t at = u * kBytes;
    const Levels levels(tensor::kNonLinear4);
    TUTTI_UNROLL
    for (int c = 0; c < 4; ++c) {
      const Dwords8 packed = Load32<Sink::kPrefetches>(rows, at + 8 + 32 * c);
      PutNibbles(packed.v, levels, 2 * c, out);
      PutNibbles(packed.v + 4, levels, 2 * c + 1, out);
    }
    const Bytes head = DwordOf(rows, at);  // d, then eight pairs of high bits
    const Bytes nibbles = DwordOf(rows, at + 4);
    const Floats d = LowHalfToFloat(head);
    TUTTI_UNROLL
    for (int s = 0; s < 8; ++s) {
      const Bytes low = AndDwords(ShiftRight32(nibbles, 4 * s), 0xf);
      const Bytes high = AndDwords(ShiftRight32(head, 16 + 2 * s), 3);
      const Dwords scale = reinterpret_cast<Dwords>(low | ShiftLeft32(high, 4)) - 32U;
      out.Scale(s, d * ToFloat(reinterpret_cast<Bytes>(scale)));
    }
  }
};

// Function<Unit<dtype>> for all formats; null for others.
#define TUTTI_FOR_EVERY_UNIT(Function)           \
  switch (dtype) {                               \
    case DType::kQ8_0:                           \
      return Function<Unit<DType::kQ8_0>>;       \
    case DType::kQ4_0:                           \
      return Function<Unit<DType::kQ4_0>>;       \
    case DType::kQ4_1:                           \
      return Function<Unit<DType::kQ4_1>>;       \
    case DType::kQ5_0:                           \
      return Function<Unit<DType::kQ5_0>>;       \
    case DType::kQ5_1:                           \
      return Function<Unit<DType::kQ5_1>>;       \
    case DType::kIQ4_NL:                         \
      return Function<Unit<DType::kIQ4_NL>>;     \
    case DType::kMXFP4:                          \
      return Function<Unit<DType::kMXFP4>>;      \
    case DType::kMXFP4Split:                     \
      return Function<Unit<DType::kMXFP4Split>>; \
    case DType::kInt4Packed:                     \
      return Function<Unit<DType::kInt4Packed>>; \
    case DType::kQ2_K:                           \
      return Function<Unit<DType::kQ2_K>>;       \
    case DType::kQ3_K:                           \
      return Function<Unit<DType::kQ3_K>>;       \
    case DType::kQ4_K:                           \
      return Function<Unit<DType::kQ4_K>>;       \
    case DType::kQ5_K:                           \
      return Function<Unit<DType::kQ5_K>>;       \
    case DType::kQ6_K:                           \
      return Function<Unit<DType::kQ6_K>>;       \
    case DType::kIQ4_XS:                         \
      return Function<Unit<DType::kIQ4_XS>>;     \
    default:                                     \
      return nullptr;                            \
  }
