// Weight formats with AVX-512: 16 rows at a time, block by block. Packed bytes of the rows are
// transposed before they are unpacked: half the shuffles, or a quarter. Every load lies within a
// block of its own row.
//
// Included between TUTTI_BEGIN_TARGET and TUTTI_END_TARGET, after all other headers, inside
// tutti::kernels and an unnamed namespace.
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

// Bytes of 8 vectors of dwords: [dword j][row i].
struct Dwords8 {
  __m512i v[8];
};
struct Dwords4 {
  __m512i v[4];
};

TUTTI_INLINE __m512i Rows32(const StripSource& rows, int64_t offset, int i) {
  const __m256i low = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(rows.data[i] + offset));
  const __m256i high =
      _mm256_loadu_si256(reinterpret_cast<const __m256i*>(rows.data[i + 8] + offset));
  return _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
}

// 32 bytes of each row. r[i] holds rows i and i + 8; two 8 x 8 transposes of dwords side by side.
TUTTI_INLINE Dwords8 Load32(const StripSource& rows, int64_t offset) {
  __m512i r[8];
  TUTTI_UNROLL
  for (int i = 0; i < 8; ++i) r[i] = Rows32(rows, offset, i);
  __m512i t[8];
  TUTTI_UNROLL
  for (int i = 0; i < 8; i += 2) {
    t[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
    t[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
  }
  __m512i u[8];
  TUTTI_UNROLL
  for (int i = 0; i < 8; i += 4) {
    u[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
    u[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
    u[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
    u[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
  }
  const __m512i low = _mm512_setr_epi64(0, 1, 8, 9, 4, 5, 12, 13);
  const __m512i high = _mm512_setr_epi64(2, 3, 10, 11, 6, 7, 14, 15);
  Dwords8 out;
  TUTTI_UNROLL
  for (int i = 0; i < 4; ++i) {
    out.v[i] = _mm512_permutex2var_epi64(u[i], low, u[i + 4]);
    out.v[i + 4] = _mm512_permutex2var_epi64(u[i], high, u[i + 4]);
  }
  return out;
}

// 16 bytes of four rows: lane l is row 4 l + i.
TUTTI_INLINE __m512i Quad16(const StripSource& rows, int64_t offset, int i) {
  const auto load = [&](int row) {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(rows.data[row] + offset));
  };
  __m512i v = _mm512_castsi128_si512(load(i));
  v = _mm512_inserti32x4(v, load(4 + i), 1);
  v = _mm512_inserti32x4(v, load(8 + i), 2);
  return _mm512_inserti32x4(v, load(12 + i), 3);
}

// Four 4 x 4 transposes of dwords side by side: rows end up in the order 0 1 2 3 | 4 5 6 7 | ...
TUTTI_INLINE Dwords4 Transpose4(const __m512i* r) {
  const __m512i t0 = _mm512_unpacklo_epi32(r[0], r[1]);
  const __m512i t1 = _mm512_unpackhi_epi32(r[0], r[1]);
  const __m512i t2 = _mm512_unpacklo_epi32(r[2], r[3]);
  const __m512i t3 = _mm512_unpackhi_epi32(r[2], r[3]);
  return {{_mm512_unpacklo_epi64(t0, t2), _mm512_unpackhi_epi64(t0, t2),
           _mm512_unpacklo_epi64(t1, t3), _mm512_unpackhi_epi64(t1, t3)}};
}

// The last dword of 16 bytes of each row, in the rows' order.
TUTTI_INLINE __m512i LastDwords(const StripSource& rows, int64_t offset) {
  __m512i r[4];
  TUTTI_UNROLL
  for (int i = 0; i < 4; ++i) r[i] = Quad16(rows, offset, i);
  return _mm512_unpackhi_epi64(_mm512_unpackhi_epi32(r[0], r[1]),
                               _mm512_unpackhi_epi32(r[2], r[3]));
}

// 16 bytes of each row.
TUTTI_INLINE Dwords4 Load16(const StripSource& rows, int64_t offset) {
  __m512i r[4];
  TUTTI_UNROLL
  for (int i = 0; i < 4; ++i) r[i] = Quad16(rows, offset, i);
  return Transpose4(r);
}

TUTTI_INLINE __m512i And(__m512i v, int byte) {
  return _mm512_and_si512(v, _mm512_set1_epi8(static_cast<char>(byte)));
}
// Bytes shifted right; the mask removes what came in from the neighbour.
TUTTI_INLINE __m512i ShiftAnd(__m512i v, int shift, int byte) {
  return And(_mm512_srl_epi16(v, _mm_cvtsi32_si128(shift)), byte);
}
TUTTI_INLINE __m512i AddBytes(__m512i v, int byte) {
  return _mm512_add_epi8(v, _mm512_set1_epi8(static_cast<char>(byte)));
}
// `low` with the bits of `mask` from v moved from bit `from` of each byte to bit `to`, the mask's.
TUTTI_INLINE __m512i OrBits(__m512i low, __m512i v, int from, int to, int mask) {
  const __m512i moved = from > to   ? _mm512_srl_epi16(v, _mm_cvtsi32_si128(from - to))
                        : from < to ? _mm512_sll_epi16(v, _mm_cvtsi32_si128(to - from))
                                    : v;
  constexpr int kOrAnd = 0xf8;  // a | (b & c)
  return _mm512_ternarylogic_epi32(low, moved, _mm512_set1_epi8(static_cast<char>(mask)), kOrAnd);
}

// A 16-bit number of each row.
TUTTI_INLINE __m256i Words(const StripSource& rows, int64_t offset) {
  const auto at = [&](int row) {
    return static_cast<int16_t>(tensor::LoadU16(rows.data[row] + offset));
  };
  return _mm256_setr_epi16(at(0), at(1), at(2), at(3), at(4), at(5), at(6), at(7), at(8), at(9),
                           at(10), at(11), at(12), at(13), at(14), at(15));
}
TUTTI_INLINE __m512 Halves(const StripSource& rows, int64_t offset) {
  return _mm512_cvtph_ps(Words(rows, offset));
}
TUTTI_INLINE __m512i DwordOf(const StripSource& rows, int64_t offset) {
  const auto at = [&](int row) {
    return static_cast<int32_t>(tensor::LoadU32(rows.data[row] + offset));
  };
  return _mm512_setr_epi32(at(0), at(1), at(2), at(3), at(4), at(5), at(6), at(7), at(8), at(9),
                           at(10), at(11), at(12), at(13), at(14), at(15));
}
TUTTI_INLINE __m512 LowHalfOf(__m512i dwords) {
  return _mm512_cvtph_ps(_mm512_cvtepi32_epi16(dwords));
}
TUTTI_INLINE __m512 HighHalfOf(__m512i dwords) { return LowHalfOf(_mm512_srli_epi32(dwords, 16)); }
// Byte i of each dword, unsigned and signed, as floats.
TUTTI_INLINE __m512 ByteToFloat(__m512i dwords, int i) {
  return _mm512_cvtepi32_ps(_mm512_and_si512(_mm512_srl_epi32(dwords, _mm_cvtsi32_si128(8 * i)),
                                             _mm512_set1_epi32(0xff)));
}
TUTTI_INLINE __m512 SignedByteToFloat(__m512i dwords, int i) {
  return _mm512_cvtepi32_ps(
      _mm512_srai_epi32(_mm512_sll_epi32(dwords, _mm_cvtsi32_si128(24 - 8 * i)), 24));
}

// A table of 16 levels, moved by 128 so that levels are unsigned, in every 16 bytes.
TUTTI_INLINE __m512i TableOf(const std::array<int8_t, 16>& levels) {
  const __m128i table = _mm_loadu_si128(reinterpret_cast<const __m128i*>(levels.data()));
  return _mm512_broadcast_i32x4(_mm_xor_si128(table, _mm_set1_epi8(static_cast<char>(0x80))));
}

// Formats. Unit<Format>::Decode hands out the 16 rows of one *unit*, a block of the format, to a
// sink:
//
//   sink.Dword(group, j, v)      columns 32 group + 4 j .. + 3 of each row, a dword per row
//   sink.HighNibbles(group, j, v)  the same, in the upper halves of v's bytes
//   sink.Scale(i, v)             scale i of the unit, and where the form has one
//   sink.Minimum(i, v)           its minimum
//
// Everything is unrolled, so that a sink may keep what it gets in registers.

// What nibbles stand for: themselves, or a table's levels.
struct Plain {
  __m512i operator()(__m512i nibbles) const { return nibbles; }
};
struct Levels {
  explicit Levels(const std::array<int8_t, 16>& levels) : table(TableOf(levels)) {}
  __m512i operator()(__m512i nibbles) const { return _mm512_shuffle_epi8(table, nibbles); }
  __m512i table;
};

// 16 bytes of nibbles: low ones are columns 0..15, high ones 16..31.
template <typename Levels, typename Sink>
TUTTI_INLINE void PutNibbles(const __m512i* packed, const Levels& levels, int group, Sink& out) {
  TUTTI_UNROLL
  for (int j = 0; j < 4; ++j) {
    out.Dword(group, j, levels(And(packed[j], 0xf)));
    out.Dword(group, 4 + j, levels(ShiftAnd(packed[j], 4, 0xf)));
  }
}

// Nibbles in pairs: byte i is columns 2 i and 2 i + 1, so dword j has columns 8 j .. 8 j + 7.
template <typename Levels, typename Sink>
TUTTI_INLINE void PutPairedNibbles(const __m512i* packed, const Levels& levels, Sink& out) {
  TUTTI_UNROLL
  for (int j = 0; j < 4; ++j) {
    const __m512i even = levels(And(packed[j], 0xf));
    const __m512i odd = levels(ShiftAnd(packed[j], 4, 0xf));
    // Eight columns of rows 0 and 1 of a lane, and of rows 2 and 3.
    const __m512 first = _mm512_castsi512_ps(_mm512_unpacklo_epi8(even, odd));
    const __m512 second = _mm512_castsi512_ps(_mm512_unpackhi_epi8(even, odd));
    out.Dword(0, 2 * j, _mm512_castps_si512(_mm512_shuffle_ps(first, second, 0x88)));
    out.Dword(0, 2 * j + 1, _mm512_castps_si512(_mm512_shuffle_ps(first, second, 0xdd)));
  }
}

// Adds 16 to column 4 j + k of row i where bit 4 j + k of dword i of `bits` is set.
template <typename Sink>
TUTTI_INLINE void PutFiveBits(const __m512i* packed, __m512i bits, Sink& out) {
  const __m512i sixteen = _mm512_set1_epi8(16);
  TUTTI_UNROLL
  for (int j = 0; j < 8; ++j) {
    const __m512i q = j < 4 ? And(packed[j % 4], 0xf) : ShiftAnd(packed[j % 4], 4, 0xf);
    // Byte j / 2 of each row's dword, four times; then one bit of it in each.
    const __m512i spread = _mm512_shuffle_epi8(
        bits, _mm512_add_epi8(_mm512_set1_epi8(static_cast<char>(j / 2)),
                              _mm512_broadcast_i32x4(_mm_setr_epi8(0, 0, 0, 0, 4, 4, 4, 4, 8, 8, 8,
                                                                   8, 12, 12, 12, 12))));
    const __m512i which = _mm512_set1_epi32(j % 2 == 0 ? 0x08040201 : static_cast<int>(0x80402010));
    out.Dword(0, j, _mm512_mask_add_epi8(q, _mm512_test_epi8_mask(spread, which), q, sixteen));
  }
}

template <typename Sink>
TUTTI_INLINE void PutScaleAndMinimum(__m512i d_and_m, Sink& out) {
  out.Scale(0, LowHalfOf(d_and_m));
  // value = d q + m, and the form subtracts its minimum.
  out.Minimum(0, _mm512_xor_ps(HighHalfOf(d_and_m), _mm512_set1_ps(-0.0f)));
}

template <typename Block, int kGroupsOf, StripForm kFormOf, int kBiasOf>
struct UnitOf {
  static constexpr int kGroups = kGroupsOf;  // of 32 columns
  static constexpr StripForm kForm = kFormOf;
  static constexpr int kBias = kBiasOf;  // what was added to signed q
  static constexpr int64_t kBytes = static_cast<int64_t>(sizeof(Block));
};

// Unit u of the rows is where u * kBytes is.
template <DType dtype>
struct Unit;

template <>
struct Unit<DType::kQ8_0> : UnitOf<BlockQ8_0, 1, StripForm::kSigned32, 128> {
  template <typename Sink>
  static TUTTI_INLINE void Decode(const StripSource& rows, int64_t u, Sink& out) {
    const __m512i flip = _mm512_set1_epi8(static_cast<char>(0x80));
    const Dwords8 q = Load32(rows, u * kBytes + 2);
    TUTTI_UNROLL
    for (int j = 0; j < 8; ++j) out.Dword(0, j, _mm512_xor_si512(q.v[j], flip));
    out.Scale(0, Halves(rows, u * kBytes));
  }
};

template <>
struct Unit<DType::kQ4_0> : UnitOf<BlockQ4_0, 1, StripForm::kSmallSigned32, 8> {
  template <typename Sink>
  static TUTTI_INLINE void Decode(const StripSource& rows, int64_t u, Sink& out) {
    PutNibbles(Load16(rows, u * kBytes + 2).v, Plain(), 0, out);
    out.Scale(0, Halves(rows, u * kBytes));
  }
};

template <>
struct Unit<DType::kIQ4_NL> : UnitOf<BlockIQ4_NL, 1, StripForm::kSigned32, 128> {
  template <typename Sink>
  static TUTTI_INLINE void Decode(const StripSource& rows, int64_t u, Sink& out) {
    PutNibbles(Load16(rows, u * kBytes + 2).v, Levels(tensor::kNonLinear4), 0, out);
    out.Scale(0, Halves(rows, u * kBytes));
  }
};

template <>
struct Unit<DType::kQ4_1> : UnitOf<BlockQ4_1, 1, StripForm::kUnsigned32, 0> {
  template <typename Sink>
  static TUTTI_INLINE void Decode(const StripSource& rows, int64_t u, Sink& out) {
    PutNibbles(Load16(rows, u * kBytes + 4).v, Plain(), 0, out);
    PutScaleAndMinimum(DwordOf(rows, u * kBytes), out);
  }
};

template <>
struct Unit<DType::kQ5_0> : UnitOf<BlockQ5_0, 1, StripForm::kSmallSigned32, 16> {
  template <typename Sink>
  static TUTTI_INLINE void Decode(const StripSource& rows, int64_t u, Sink& out) {
    const int64_t at = u * kBytes;
    PutFiveBits(Load16(rows, at + 6).v, DwordOf(rows, at + 2), out);
    out.Scale(0, Halves(rows, at));
  }
};

template <>
struct Unit<DType::kQ5_1> : UnitOf<BlockQ5_1, 1, StripForm::kUnsigned32, 0> {
  template <typename Sink>
  static TUTTI_INLINE void Decode(const StripSource& rows, int64_t u, Sink& out) {
    const int64_t at = u * kBytes;
    PutFiveBits(Load16(rows, at + 8).v, DwordOf(rows, at + 4), out);
    PutScaleAndMinimum(DwordOf(rows, at), out);
  }
};

// Half of 2^(e - 127): exponent e - 1, except for the two smallest, which are denormal.
TUTTI_INLINE __m512 HalfOfE8M0(__m512i e) {
  const __m512i normal = _mm512_slli_epi32(_mm512_sub_epi32(e, _mm512_set1_epi32(1)), 23);
  const __m512i denormal = _mm512_sllv_epi32(_mm512_set1_epi32(0x00200000), e);
  const __mmask16 small = _mm512_cmplt_epu32_mask(e, _mm512_set1_epi32(2));
  return _mm512_castsi512_ps(_mm512_mask_mov_epi32(normal, small, denormal));
}

template <>
struct Unit<DType::kMXFP4> : UnitOf<BlockMXFP4, 1, StripForm::kSmallSigned32, 128> {
  template <typename Sink>
  static TUTTI_INLINE void Decode(const StripSource& rows, int64_t u, Sink& out) {
    PutNibbles(Load16(rows, u * kBytes + 1).v, Levels(tensor::kDoubledE2M1), 0, out);
    out.Scale(0, HalfOfE8M0(_mm512_and_si512(DwordOf(rows, u * kBytes), _mm512_set1_epi32(0xff))));
  }
};

// Formats whose scales lie in a second tensor, in any type of plain numbers.
TUTTI_INLINE __m512 OuterScales(const StripSource& rows, int64_t group, float factor) {
  alignas(64) float scale[kStripRows];
  for (int64_t i = 0; i < kStripRows; ++i) {
    const tensor::RowScales scales{rows.scales[i], rows.scale_dtype, rows.scale_block_cols};
    scale[i] = factor * scales.At(group * kQ8GroupSize / rows.scale_block_cols);
  }
  return _mm512_load_ps(scale);
}

struct SplitBlock {
  uint8_t q[16];
};

template <>
struct Unit<DType::kMXFP4Split> : UnitOf<SplitBlock, 1, StripForm::kSmallSigned32, 128> {
  template <typename Sink>
  static TUTTI_INLINE void Decode(const StripSource& rows, int64_t u, Sink& out) {
    PutPairedNibbles(Load16(rows, u * kBytes).v, Levels(tensor::kDoubledE2M1), out);
    out.Scale(0, OuterScales(rows, u, 0.5f));
  }
};

template <>
struct Unit<DType::kInt4Packed> : UnitOf<SplitBlock, 1, StripForm::kSmallSigned32, 8> {
  template <typename Sink>
  static TUTTI_INLINE void Decode(const StripSource& rows, int64_t u, Sink& out) {
    PutPairedNibbles(Load16(rows, u * kBytes).v, Plain(), out);
    out.Scale(0, OuterScales(rows, u, 1.0f));
  }
};

template <>
struct Unit<DType::kQ2_K> : UnitOf<BlockQ2_K, 8, StripForm::kUnsigned16, 0> {
  template <typename Sink>
  static TUTTI_INLINE void Decode(const StripSource& rows, int64_t u, Sink& out) {
    const int64_t at = u * kBytes;
    TUTTI_UNROLL
    for (int half = 0; half < 2; ++half) {
      const Dwords8 packed = Load32(rows, at + 16 + 32 * half);
      TUTTI_UNROLL
      for (int part = 0; part < 4; ++part) {
        TUTTI_UNROLL
        for (int j = 0; j < 8; ++j) {
          out.Dword(4 * half + part, j, ShiftAnd(packed.v[j], 2 * part, 3));
        }
      }
    }
    const Dwords4 scales = Load16(rows, at);
    const __m512i d_and_min = LastDwords(rows, at + 84 - 16);
    const __m512 d = LowHalfOf(d_and_min);
    const __m512 dmin = HighHalfOf(d_and_min);
    TUTTI_UNROLL
    for (int v = 0; v < 4; ++v) {
      const __m512i low = And(scales.v[v], 0xf);
      const __m512i high = ShiftAnd(scales.v[v], 4, 0xf);
      TUTTI_UNROLL
      for (int i = 0; i < 4; ++i) {
        out.Scale(4 * v + i, _mm512_mul_ps(d, ByteToFloat(low, i)));
        out.Minimum(4 * v + i, _mm512_mul_ps(dmin, ByteToFloat(high, i)));
      }
    }
  }
};

template <>
struct Unit<DType::kQ3_K> : UnitOf<BlockQ3_K, 8, StripForm::kSmallSigned16, 4> {
  template <typename Sink>
  static TUTTI_INLINE void Decode(const StripSource& rows, int64_t u, Sink& out) {
    const int64_t at = u * kBytes;
    const Dwords8 mask = Load32(rows, at);
    TUTTI_UNROLL
    for (int half = 0; half < 2; ++half) {
      const Dwords8 packed = Load32(rows, at + 32 + 32 * half);
      TUTTI_UNROLL
      for (int part = 0; part < 4; ++part) {
        TUTTI_UNROLL
        for (int j = 0; j < 8; ++j) {
          const __m512i low = ShiftAnd(packed.v[j], 2 * part, 3);
          out.Dword(4 * half + part, j, OrBits(low, mask.v[j], 4 * half + part, 2, 4));
        }
      }
    }
    PutScales(rows, at, out);
  }

  // The last 16 bytes of the superblock are two of q, twelve of scales and the f16 d. Shifted by
  // two they make four dwords: nibbles, nibbles, pairs of high bits, d.
  template <typename Sink>
  static TUTTI_INLINE void PutScales(const StripSource& rows, int64_t at, Sink& out) {
    __m512i r[4];
    TUTTI_UNROLL
    for (int i = 0; i < 4; ++i) r[i] = _mm512_bsrli_epi128(Quad16(rows, at + 94, i), 2);
    const Dwords4 tail = Transpose4(r);
    const __m512 d = LowHalfOf(tail.v[3]);
    TUTTI_UNROLL
    for (int v = 0; v < 4; ++v) {
      const __m512i low = ShiftAnd(tail.v[v % 2], v / 2 * 4, 0xf);
      const __m512i high = _mm512_slli_epi16(ShiftAnd(tail.v[2], 2 * v, 3), 4);
      const __m512i scales = AddBytes(_mm512_or_si512(low, high), -32);
      TUTTI_UNROLL
      for (int i = 0; i < 4; ++i) {
        out.Scale(4 * v + i, _mm512_mul_ps(d, SignedByteToFloat(scales, i)));
      }
    }
  }
};

// The upper two bits of each byte as bits 4 and 5.
TUTTI_INLINE __m512i TopBits(__m512i v) { return _mm512_slli_epi16(ShiftAnd(v, 6, 3), 4); }

// d, dmin and twelve bytes of 6-bit scales: the first 16 bytes of Q4_K and Q5_K.
template <typename Sink>
TUTTI_INLINE void PutScalesOfQ4_K(const StripSource& rows, int64_t at, Sink& out) {
  const Dwords4 head = Load16(rows, at);
  const __m512 d = LowHalfOf(head.v[0]);
  const __m512 dmin = HighHalfOf(head.v[0]);
  const __m512i scales[2] = {And(head.v[1], 0x3f),
                             _mm512_or_si512(And(head.v[3], 0xf), TopBits(head.v[1]))};
  const __m512i minima[2] = {And(head.v[2], 0x3f),
                             _mm512_or_si512(ShiftAnd(head.v[3], 4, 0xf), TopBits(head.v[2]))};
  TUTTI_UNROLL
  for (int v = 0; v < 2; ++v) {
    TUTTI_UNROLL
    for (int i = 0; i < 4; ++i) {
      out.Scale(4 * v + i, _mm512_mul_ps(d, ByteToFloat(scales[v], i)));
      out.Minimum(4 * v + i, _mm512_mul_ps(dmin, ByteToFloat(minima[v], i)));
    }
  }
}

template <>
struct Unit<DType::kQ4_K> : UnitOf<BlockQ4_K, 8, StripForm::kUnsigned32, 0> {
  template <typename Sink>
  static TUTTI_INLINE void Decode(const StripSource& rows, int64_t u, Sink& out) {
    const int64_t at = u * kBytes;
    TUTTI_UNROLL
    for (int c = 0; c < 4; ++c) {
      const Dwords8 packed = Load32(rows, at + 16 + 32 * c);
      TUTTI_UNROLL
      for (int j = 0; j < 8; ++j) {
        out.Dword(2 * c, j, And(packed.v[j], 0xf));
        out.HighNibbles(2 * c + 1, j, packed.v[j]);
      }
    }
    PutScalesOfQ4_K(rows, at, out);
  }
};

template <>
struct Unit<DType::kQ5_K> : UnitOf<BlockQ5_K, 8, StripForm::kUnsigned32, 0> {
  template <typename Sink>
  static TUTTI_INLINE void Decode(const StripSource& rows, int64_t u, Sink& out) {
    const int64_t at = u * kBytes;
    const Dwords8 high = Load32(rows, at + 16);
    TUTTI_UNROLL
    for (int c = 0; c < 4; ++c) {
      const Dwords8 packed = Load32(rows, at + 48 + 32 * c);
      TUTTI_UNROLL
      for (int j = 0; j < 8; ++j) {
        out.Dword(2 * c, j, OrBits(And(packed.v[j], 0xf), high.v[j], 2 * c, 4, 0x10));
        out.Dword(2 * c + 1, j,
                  OrBits(ShiftAnd(packed.v[j], 4, 0xf), high.v[j], 2 * c + 1, 4, 0x10));
      }
    }
    PutScalesOfQ4_K(rows, at, out);
  }
};

template <>
struct Unit<DType::kQ6_K> : UnitOf<BlockQ6_K, 8, StripForm::kSmallSigned16, 32> {
  template <typename Sink>
  static TUTTI_INLINE void Decode(const StripSource& rows, int64_t u, Sink& out) {
    const int64_t at = u * kBytes;
    TUTTI_UNROLL
    for (int half = 0; half < 2; ++half) {
      const Dwords8 high = Load32(rows, at + 128 + 32 * half);
      TUTTI_UNROLL
      for (int odd = 0; odd < 2; ++odd) {
        const Dwords8 packed = Load32(rows, at + 64 * half + 32 * odd);
        TUTTI_UNROLL
        for (int j = 0; j < 8; ++j) {
          const __m512i low = And(packed.v[j], 0xf);
          const __m512i high4 = ShiftAnd(packed.v[j], 4, 0xf);
          out.Dword(4 * half + odd, j, OrBits(low, high.v[j], 2 * odd, 4, 0x30));
          out.Dword(4 * half + odd + 2, j, OrBits(high4, high.v[j], 2 * odd + 4, 4, 0x30));
        }
      }
    }
    const Dwords4 scales = Load16(rows, at + 192);
    const __m512 d = HighHalfOf(LastDwords(rows, at + 210 - 16));
    TUTTI_UNROLL
    for (int v = 0; v < 4; ++v) {
      TUTTI_UNROLL
      for (int i = 0; i < 4; ++i) {
        out.Scale(4 * v + i, _mm512_mul_ps(d, SignedByteToFloat(scales.v[v], i)));
      }
    }
  }
};

template <>
struct Unit<DType::kIQ4_XS> : UnitOf<BlockIQ4_XS, 8, StripForm::kSigned32, 128> {
  template <typename Sink>
  static TUTTI_INLINE void Decode(const StripSource& rows, int64_t u, Sink& out) {
    const int64_t at = u * kBytes;
    const Levels levels(tensor::kNonLinear4);
    TUTTI_UNROLL
    for (int c = 0; c < 4; ++c) {
      const Dwords8 packed = Load32(rows, at + 8 + 32 * c);
      PutNibbles(packed.v, levels, 2 * c, out);
      PutNibbles(packed.v + 4, levels, 2 * c + 1, out);
    }
    const __m512i head = DwordOf(rows, at);  // d, then eight pairs of high bits
    const __m512i nibbles = DwordOf(rows, at + 4);
    const __m512 d = LowHalfOf(head);
    TUTTI_UNROLL
    for (int s = 0; s < 8; ++s) {
      const __m512i low = _mm512_and_si512(_mm512_srli_epi32(nibbles, static_cast<unsigned>(4 * s)),
                                           _mm512_set1_epi32(0xf));
      const __m512i high = _mm512_and_si512(
          _mm512_srli_epi32(head, static_cast<unsigned>(16 + 2 * s)), _mm512_set1_epi32(3));
      const __m512i scale =
          _mm512_sub_epi32(_mm512_or_si512(low, _mm512_slli_epi32(high, 4)), _mm512_set1_epi32(32));
      out.Scale(s, _mm512_mul_ps(d, _mm512_cvtepi32_ps(scale)));
    }
  }
};

// The function table[dtype] for all formats; null for others.
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
