// Strips with AVX-512, format by format. Packed bytes of 16 rows are transposed before they are
// unpacked: half the shuffles, or a quarter. Every load lies within a block of its own row.
#include "tutti/kernels/strip_avx512_unpack.h"

#if defined(__x86_64__)
#include <immintrin.h>

#include <array>
#include <cstring>

#include "tutti/kernels/strip_target.h"
#include "tutti/tensor/blocks.h"
#include "tutti/tensor/iq_tables.h"
#include "tutti/tensor/row_scales.h"

TUTTI_BEGIN_TARGET("avx512f,avx512bw,avx512dq,avx512vl,f16c")
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

constexpr int64_t kGroupBytes = 8 * kStripRows * 4;

// Bytes of 8 vectors of dwords: [dword j][row i].
struct Dwords8 {
  __m512i v[8];
};
struct Dwords4 {
  __m512i v[4];
};

inline __m512i Rows32(const StripSource& rows, int64_t offset, int i) {
  const __m256i low = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(rows.data[i] + offset));
  const __m256i high =
      _mm256_loadu_si256(reinterpret_cast<const __m256i*>(rows.data[i + 8] + offset));
  return _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
}

// 32 bytes of each row. r[i] holds rows i and i + 8; two 8 x 8 transposes of dwords side by side.
inline Dwords8 Load32(const StripSource& rows, int64_t offset) {
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
inline __m512i Quad16(const StripSource& rows, int64_t offset, int i) {
  const auto load = [&](int row) {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(rows.data[row] + offset));
  };
  __m512i v = _mm512_castsi128_si512(load(i));
  v = _mm512_inserti32x4(v, load(4 + i), 1);
  v = _mm512_inserti32x4(v, load(8 + i), 2);
  return _mm512_inserti32x4(v, load(12 + i), 3);
}

// Four 4 x 4 transposes of dwords side by side: rows end up in the order 0 1 2 3 | 4 5 6 7 | ...
inline Dwords4 Transpose4(const __m512i* r) {
  const __m512i t0 = _mm512_unpacklo_epi32(r[0], r[1]);
  const __m512i t1 = _mm512_unpackhi_epi32(r[0], r[1]);
  const __m512i t2 = _mm512_unpacklo_epi32(r[2], r[3]);
  const __m512i t3 = _mm512_unpackhi_epi32(r[2], r[3]);
  return {{_mm512_unpacklo_epi64(t0, t2), _mm512_unpackhi_epi64(t0, t2),
           _mm512_unpacklo_epi64(t1, t3), _mm512_unpackhi_epi64(t1, t3)}};
}

// 16 bytes of each row.
inline Dwords4 Load16(const StripSource& rows, int64_t offset) {
  __m512i r[4];
  TUTTI_UNROLL
  for (int i = 0; i < 4; ++i) r[i] = Quad16(rows, offset, i);
  return Transpose4(r);
}

inline __m512i And(__m512i v, int byte) {
  return _mm512_and_si512(v, _mm512_set1_epi8(static_cast<char>(byte)));
}
// Bytes shifted right; the mask removes what came in from the neighbour.
inline __m512i ShiftAnd(__m512i v, int shift, int byte) {
  return And(_mm512_srl_epi16(v, _mm_cvtsi32_si128(shift)), byte);
}
inline __m512i AddBytes(__m512i v, int byte) {
  return _mm512_add_epi8(v, _mm512_set1_epi8(static_cast<char>(byte)));
}
inline void StoreDword(uint8_t* group, int j, __m512i v) { _mm512_store_si512(group + j * 64, v); }
inline void StoreRow(float* out, int64_t at, __m512 v) { _mm512_store_ps(out + at * 16, v); }

// A 16-bit number of each row.
inline __m256i Words(const StripSource& rows, int64_t offset) {
  const auto at = [&](int row) {
    return static_cast<int16_t>(tensor::LoadU16(rows.data[row] + offset));
  };
  return _mm256_setr_epi16(at(0), at(1), at(2), at(3), at(4), at(5), at(6), at(7), at(8), at(9),
                           at(10), at(11), at(12), at(13), at(14), at(15));
}
inline __m512 Halves(const StripSource& rows, int64_t offset) {
  return _mm512_cvtph_ps(Words(rows, offset));
}
inline __m512i DwordOf(const StripSource& rows, int64_t offset) {
  const auto at = [&](int row) {
    return static_cast<int32_t>(tensor::LoadU32(rows.data[row] + offset));
  };
  return _mm512_setr_epi32(at(0), at(1), at(2), at(3), at(4), at(5), at(6), at(7), at(8), at(9),
                           at(10), at(11), at(12), at(13), at(14), at(15));
}
inline __m512 LowHalfOf(__m512i dwords) { return _mm512_cvtph_ps(_mm512_cvtepi32_epi16(dwords)); }
inline __m512 HighHalfOf(__m512i dwords) { return LowHalfOf(_mm512_srli_epi32(dwords, 16)); }
// Byte i of each dword, unsigned and signed, as floats.
inline __m512 ByteToFloat(__m512i dwords, int i) {
  return _mm512_cvtepi32_ps(_mm512_and_si512(_mm512_srl_epi32(dwords, _mm_cvtsi32_si128(8 * i)),
                                             _mm512_set1_epi32(0xff)));
}
inline __m512 SignedByteToFloat(__m512i dwords, int i) {
  return _mm512_cvtepi32_ps(
      _mm512_srai_epi32(_mm512_sll_epi32(dwords, _mm_cvtsi32_si128(24 - 8 * i)), 24));
}

// A table of 16 levels, moved by 128 so that levels are unsigned, in every 16 bytes.
inline __m512i TableOf(const std::array<int8_t, 16>& levels) {
  const __m128i table = _mm_loadu_si128(reinterpret_cast<const __m128i*>(levels.data()));
  return _mm512_broadcast_i32x4(_mm_xor_si128(table, _mm_set1_epi8(static_cast<char>(0x80))));
}
inline __m512i LinearTable(int smallest) {
  std::array<int8_t, 16> levels;
  for (int i = 0; i < 16; ++i) levels[static_cast<size_t>(i)] = static_cast<int8_t>(smallest + i);
  return TableOf(levels);
}

// 16 bytes of nibbles: low ones are columns 0..15, high ones 16..31. The table maps all formats.
inline void StoreNibbles(const __m512i* packed, __m512i table, uint8_t* group) {
  TUTTI_UNROLL
  for (int j = 0; j < 4; ++j) {
    StoreDword(group, j, _mm512_shuffle_epi8(table, And(packed[j], 0xf)));
    StoreDword(group, 4 + j, _mm512_shuffle_epi8(table, ShiftAnd(packed[j], 4, 0xf)));
  }
}

// Nibbles in pairs: byte i is columns 2 i and 2 i + 1, so dword j has columns 8 j .. 8 j + 7.
inline void StorePairedNibbles(const __m512i* packed, __m512i table, uint8_t* group) {
  TUTTI_UNROLL
  for (int j = 0; j < 4; ++j) {
    const __m512i even = _mm512_shuffle_epi8(table, And(packed[j], 0xf));
    const __m512i odd = _mm512_shuffle_epi8(table, ShiftAnd(packed[j], 4, 0xf));
    // Eight columns of rows 0 and 1 of a lane, and of rows 2 and 3.
    const __m512 first = _mm512_castsi512_ps(_mm512_unpacklo_epi8(even, odd));
    const __m512 second = _mm512_castsi512_ps(_mm512_unpackhi_epi8(even, odd));
    StoreDword(group, 2 * j, _mm512_castps_si512(_mm512_shuffle_ps(first, second, 0x88)));
    StoreDword(group, 2 * j + 1, _mm512_castps_si512(_mm512_shuffle_ps(first, second, 0xdd)));
  }
}

// Adds 16 to column 4 j + k of row i where bit 4 j + k of dword i of `bits` is set.
inline void StoreFiveBits(const __m512i* packed, __m512i bits, __m512i table, uint8_t* group) {
  const __m512i sixteen = _mm512_set1_epi8(16);
  TUTTI_UNROLL
  for (int j = 0; j < 8; ++j) {
    const __m512i nibbles = j < 4 ? And(packed[j], 0xf) : ShiftAnd(packed[j - 4], 4, 0xf);
    const __m512i q = _mm512_shuffle_epi8(table, nibbles);
    // Byte j / 2 of each row's dword, four times; then one bit of it in each.
    const __m512i spread = _mm512_shuffle_epi8(
        bits, _mm512_add_epi8(_mm512_set1_epi8(static_cast<char>(j / 2)),
                              _mm512_broadcast_i32x4(_mm_setr_epi8(0, 0, 0, 0, 4, 4, 4, 4, 8, 8, 8,
                                                                   8, 12, 12, 12, 12))));
    const __m512i which = _mm512_set1_epi32(j % 2 == 0 ? 0x08040201 : static_cast<int>(0x80402010));
    StoreDword(group, j, _mm512_mask_add_epi8(q, _mm512_test_epi8_mask(spread, which), q, sixteen));
  }
}

void UnpackQ8_0(const StripSource& rows, int64_t first, int64_t groups, const StripSlice& out) {
  const __m512i flip = _mm512_set1_epi8(static_cast<char>(0x80));
  for (int64_t g = 0; g < groups; ++g) {
    const int64_t at = (first + g) * static_cast<int64_t>(sizeof(BlockQ8_0));
    const Dwords8 q = Load32(rows, at + 2);
    TUTTI_UNROLL
    for (int j = 0; j < 8; ++j) {
      StoreDword(out.q + g * kGroupBytes, j, _mm512_xor_si512(q.v[j], flip));
    }
    StoreRow(out.scale, g, Halves(rows, at));
  }
}

// Q4_0 and IQ4_NL: the same bytes, other levels.
inline void UnpackNibbleBlocks(const StripSource& rows, int64_t first, int64_t groups,
                               __m512i table, const StripSlice& out) {
  for (int64_t g = 0; g < groups; ++g) {
    const int64_t at = (first + g) * static_cast<int64_t>(sizeof(BlockQ4_0));
    StoreNibbles(Load16(rows, at + 2).v, table, out.q + g * kGroupBytes);
    StoreRow(out.scale, g, Halves(rows, at));
  }
}
void UnpackQ4_0(const StripSource& rows, int64_t first, int64_t groups, const StripSlice& out) {
  UnpackNibbleBlocks(rows, first, groups, LinearTable(-8), out);
}
void UnpackIQ4_NL(const StripSource& rows, int64_t first, int64_t groups, const StripSlice& out) {
  UnpackNibbleBlocks(rows, first, groups, TableOf(tensor::kNonLinear4), out);
}

inline void StoreScaleAndMinimum(__m512i d_and_m, int64_t g, const StripSlice& out) {
  StoreRow(out.scale, g, LowHalfOf(d_and_m));
  // value = d q + m, and the form subtracts its minimum.
  StoreRow(out.minimum, g, _mm512_xor_ps(HighHalfOf(d_and_m), _mm512_set1_ps(-0.0f)));
}

// Unsigned forms are stored as they are: the levels' bias of 128 is taken out of the table.
inline __m512i UnsignedTable() { return LinearTable(-128); }

void UnpackQ4_1(const StripSource& rows, int64_t first, int64_t groups, const StripSlice& out) {
  for (int64_t g = 0; g < groups; ++g) {
    const int64_t at = (first + g) * static_cast<int64_t>(sizeof(BlockQ4_1));
    StoreNibbles(Load16(rows, at + 4).v, UnsignedTable(), out.q + g * kGroupBytes);
    StoreScaleAndMinimum(DwordOf(rows, at), g, out);
  }
}

void UnpackQ5_0(const StripSource& rows, int64_t first, int64_t groups, const StripSlice& out) {
  const __m512i table = LinearTable(-16);
  for (int64_t g = 0; g < groups; ++g) {
    const int64_t at = (first + g) * static_cast<int64_t>(sizeof(BlockQ5_0));
    StoreFiveBits(Load16(rows, at + 6).v, DwordOf(rows, at + 2), table, out.q + g * kGroupBytes);
    StoreRow(out.scale, g, Halves(rows, at));
  }
}

void UnpackQ5_1(const StripSource& rows, int64_t first, int64_t groups, const StripSlice& out) {
  for (int64_t g = 0; g < groups; ++g) {
    const int64_t at = (first + g) * static_cast<int64_t>(sizeof(BlockQ5_1));
    StoreFiveBits(Load16(rows, at + 8).v, DwordOf(rows, at + 4), UnsignedTable(),
                  out.q + g * kGroupBytes);
    StoreScaleAndMinimum(DwordOf(rows, at), g, out);
  }
}

void UnpackMXFP4(const StripSource& rows, int64_t first, int64_t groups, const StripSlice& out) {
  const __m512i table = TableOf(tensor::kDoubledE2M1);
  for (int64_t g = 0; g < groups; ++g) {
    const int64_t at = (first + g) * static_cast<int64_t>(sizeof(BlockMXFP4));
    StoreNibbles(Load16(rows, at + 1).v, table, out.q + g * kGroupBytes);
    // Half of 2^(e - 127): exponent e - 1, except for the two smallest, which are denormal.
    const __m512i e = _mm512_and_si512(DwordOf(rows, at), _mm512_set1_epi32(0xff));
    const __m512i normal = _mm512_slli_epi32(_mm512_sub_epi32(e, _mm512_set1_epi32(1)), 23);
    const __m512i denormal = _mm512_sllv_epi32(_mm512_set1_epi32(0x00200000), e);
    const __mmask16 small = _mm512_cmplt_epu32_mask(e, _mm512_set1_epi32(2));
    StoreRow(out.scale, g, _mm512_castsi512_ps(_mm512_mask_mov_epi32(normal, small, denormal)));
  }
}

// Formats whose scales lie in a second tensor, in any type of plain numbers.
inline void StoreOuterScales(const StripSource& rows, int64_t group, float factor, float* scale) {
  for (int64_t i = 0; i < kStripRows; ++i) {
    const tensor::RowScales scales{rows.scales[i], rows.scale_dtype, rows.scale_block_cols};
    scale[i] = factor * scales.At(group * kQ8GroupSize / rows.scale_block_cols);
  }
}

inline void UnpackPairedNibbles(const StripSource& rows, int64_t first, int64_t groups,
                                __m512i table, float factor, const StripSlice& out) {
  for (int64_t g = 0; g < groups; ++g) {
    StorePairedNibbles(Load16(rows, 16 * (first + g)).v, table, out.q + g * kGroupBytes);
    StoreOuterScales(rows, first + g, factor, out.scale + g * kStripRows);
  }
}
void UnpackMXFP4Split(const StripSource& rows, int64_t first, int64_t groups,
                      const StripSlice& out) {
  UnpackPairedNibbles(rows, first, groups, TableOf(tensor::kDoubledE2M1), 0.5f, out);
}
void UnpackInt4Packed(const StripSource& rows, int64_t first, int64_t groups,
                      const StripSlice& out) {
  UnpackPairedNibbles(rows, first, groups, LinearTable(-8), 1.0f, out);
}

// A slice of superblocks, each unpacked by `superblock` given the superblock's offset in its row
// and its first group within the slice.
using SuperblockFunction = void (*)(const StripSource& rows, int64_t at, int64_t g,
                                    const StripSlice& out);
template <typename Block, SuperblockFunction superblock>
void UnpackSuperblocks(const StripSource& rows, int64_t first, int64_t groups,
                       const StripSlice& out) {
  for (int64_t g = 0; g < groups; g += 8) {
    superblock(rows, (first + g) / 8 * static_cast<int64_t>(sizeof(Block)), g, out);
  }
}

void SuperblockQ2_K(const StripSource& rows, int64_t at, int64_t g, const StripSlice& out) {
  for (int half = 0; half < 2; ++half) {
    const Dwords8 packed = Load32(rows, at + 16 + 32 * half);
    for (int part = 0; part < 4; ++part) {
      uint8_t* group = out.q + (g + 4 * half + part) * kGroupBytes;
      TUTTI_UNROLL
      for (int j = 0; j < 8; ++j) StoreDword(group, j, ShiftAnd(packed.v[j], 2 * part, 3));
    }
  }
  const Dwords4 scales = Load16(rows, at);
  const __m512i d_and_min = DwordOf(rows, at + 80);
  const __m512 d = LowHalfOf(d_and_min);
  const __m512 dmin = HighHalfOf(d_and_min);
  TUTTI_UNROLL
  for (int v = 0; v < 4; ++v) {
    const __m512i low = And(scales.v[v], 0xf);
    const __m512i high = ShiftAnd(scales.v[v], 4, 0xf);
    TUTTI_UNROLL
    for (int i = 0; i < 4; ++i) {
      StoreRow(out.scale, 2 * g + 4 * v + i, _mm512_mul_ps(d, ByteToFloat(low, i)));
      StoreRow(out.minimum, 2 * g + 4 * v + i, _mm512_mul_ps(dmin, ByteToFloat(high, i)));
    }
  }
}

// The last 16 bytes of the superblock are two of q, twelve of scales and the f16 d. Shifted by two
// they make four dwords: nibbles, nibbles, pairs of high bits, d.
inline void ScalesOfQ3_K(const StripSource& rows, int64_t at, int64_t g, const StripSlice& out) {
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
      StoreRow(out.scale, 2 * g + 4 * v + i, _mm512_mul_ps(d, SignedByteToFloat(scales, i)));
    }
  }
}

void SuperblockQ3_K(const StripSource& rows, int64_t at, int64_t g, const StripSlice& out) {
  const Dwords8 mask = Load32(rows, at);
  for (int half = 0; half < 2; ++half) {
    const Dwords8 packed = Load32(rows, at + 32 + 32 * half);
    for (int part = 0; part < 4; ++part) {
      uint8_t* group = out.q + (g + 4 * half + part) * kGroupBytes;
      TUTTI_UNROLL
      for (int j = 0; j < 8; ++j) {
        const __m512i low = ShiftAnd(packed.v[j], 2 * part, 3);
        const __m512i high = _mm512_slli_epi16(ShiftAnd(mask.v[j], 4 * half + part, 1), 2);
        StoreDword(group, j, AddBytes(_mm512_or_si512(low, high), 128 - 4));
      }
    }
  }
  ScalesOfQ3_K(rows, at, g, out);
}

// The upper two bits of each byte as bits 4 and 5.
inline __m512i TopBits(__m512i v) { return _mm512_slli_epi16(ShiftAnd(v, 6, 3), 4); }

// d, dmin and twelve bytes of 6-bit scales: the first 16 bytes of Q4_K and Q5_K.
inline void ScalesOfQ4_K(const StripSource& rows, int64_t at, int64_t g, const StripSlice& out) {
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
      StoreRow(out.scale, g + 4 * v + i, _mm512_mul_ps(d, ByteToFloat(scales[v], i)));
      StoreRow(out.minimum, g + 4 * v + i, _mm512_mul_ps(dmin, ByteToFloat(minima[v], i)));
    }
  }
}

void SuperblockQ4_K(const StripSource& rows, int64_t at, int64_t g, const StripSlice& out) {
  for (int c = 0; c < 4; ++c) {
    const Dwords8 packed = Load32(rows, at + 16 + 32 * c);
    uint8_t* low = out.q + (g + 2 * c) * kGroupBytes;
    TUTTI_UNROLL
    for (int j = 0; j < 8; ++j) {
      StoreDword(low, j, And(packed.v[j], 0xf));
      StoreDword(low + kGroupBytes, j, ShiftAnd(packed.v[j], 4, 0xf));
    }
  }
  ScalesOfQ4_K(rows, at, g, out);
}

void SuperblockQ5_K(const StripSource& rows, int64_t at, int64_t g, const StripSlice& out) {
  const Dwords8 high = Load32(rows, at + 16);
  for (int c = 0; c < 4; ++c) {
    const Dwords8 packed = Load32(rows, at + 48 + 32 * c);
    uint8_t* low = out.q + (g + 2 * c) * kGroupBytes;
    TUTTI_UNROLL
    for (int j = 0; j < 8; ++j) {
      const __m512i bit0 = _mm512_slli_epi16(ShiftAnd(high.v[j], 2 * c, 1), 4);
      const __m512i bit1 = _mm512_slli_epi16(ShiftAnd(high.v[j], 2 * c + 1, 1), 4);
      StoreDword(low, j, _mm512_or_si512(And(packed.v[j], 0xf), bit0));
      StoreDword(low + kGroupBytes, j, _mm512_or_si512(ShiftAnd(packed.v[j], 4, 0xf), bit1));
    }
  }
  ScalesOfQ4_K(rows, at, g, out);
}

void SuperblockQ6_K(const StripSource& rows, int64_t at, int64_t g, const StripSlice& out) {
  for (int half = 0; half < 2; ++half) {
    const Dwords8 high = Load32(rows, at + 128 + 32 * half);
    for (int odd = 0; odd < 2; ++odd) {
      const Dwords8 packed = Load32(rows, at + 64 * half + 32 * odd);
      uint8_t* low = out.q + (g + 4 * half + odd) * kGroupBytes;
      TUTTI_UNROLL
      for (int j = 0; j < 8; ++j) {
        const __m512i top0 = _mm512_slli_epi16(ShiftAnd(high.v[j], 2 * odd, 3), 4);
        const __m512i top2 = _mm512_slli_epi16(ShiftAnd(high.v[j], 2 * odd + 4, 3), 4);
        const __m512i q0 = _mm512_or_si512(And(packed.v[j], 0xf), top0);
        const __m512i q2 = _mm512_or_si512(ShiftAnd(packed.v[j], 4, 0xf), top2);
        StoreDword(low, j, AddBytes(q0, 128 - 32));
        StoreDword(low + 2 * kGroupBytes, j, AddBytes(q2, 128 - 32));
      }
    }
  }
  const Dwords4 scales = Load16(rows, at + 192);
  const __m512 d = Halves(rows, at + 208);
  TUTTI_UNROLL
  for (int v = 0; v < 4; ++v) {
    TUTTI_UNROLL
    for (int i = 0; i < 4; ++i) {
      StoreRow(out.scale, 2 * g + 4 * v + i, _mm512_mul_ps(d, SignedByteToFloat(scales.v[v], i)));
    }
  }
}

void SuperblockIQ4_XS(const StripSource& rows, int64_t at, int64_t g, const StripSlice& out) {
  const __m512i table = TableOf(tensor::kNonLinear4);
  for (int c = 0; c < 4; ++c) {
    const Dwords8 packed = Load32(rows, at + 8 + 32 * c);
    StoreNibbles(packed.v, table, out.q + (g + 2 * c) * kGroupBytes);
    StoreNibbles(packed.v + 4, table, out.q + (g + 2 * c + 1) * kGroupBytes);
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
    StoreRow(out.scale, g + s, _mm512_mul_ps(d, _mm512_cvtepi32_ps(scale)));
  }
}

}  // namespace
}  // namespace tutti::kernels
TUTTI_END_TARGET

namespace tutti::kernels {

UnpackFunction UnpackAvx512(DType dtype) {
  switch (dtype) {
    case DType::kQ8_0:
      return UnpackQ8_0;
    case DType::kQ4_0:
      return UnpackQ4_0;
    case DType::kQ4_1:
      return UnpackQ4_1;
    case DType::kQ5_0:
      return UnpackQ5_0;
    case DType::kQ5_1:
      return UnpackQ5_1;
    case DType::kIQ4_NL:
      return UnpackIQ4_NL;
    case DType::kMXFP4:
      return UnpackMXFP4;
    case DType::kMXFP4Split:
      return UnpackMXFP4Split;
    case DType::kInt4Packed:
      return UnpackInt4Packed;
    case DType::kQ2_K:
      return UnpackSuperblocks<BlockQ2_K, SuperblockQ2_K>;
    case DType::kQ3_K:
      return UnpackSuperblocks<BlockQ3_K, SuperblockQ3_K>;
    case DType::kQ4_K:
      return UnpackSuperblocks<BlockQ4_K, SuperblockQ4_K>;
    case DType::kQ5_K:
      return UnpackSuperblocks<BlockQ5_K, SuperblockQ5_K>;
    case DType::kQ6_K:
      return UnpackSuperblocks<BlockQ6_K, SuperblockQ6_K>;
    case DType::kIQ4_XS:
      return UnpackSuperblocks<BlockIQ4_XS, SuperblockIQ4_XS>;
    default:
      return nullptr;
  }
}

}  // namespace tutti::kernels
#endif
