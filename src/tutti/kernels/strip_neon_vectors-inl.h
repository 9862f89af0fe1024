// Vectors of NEON, 4 rows of a strip in each, for strip_formats-inl.h.
//
// Included between TUTTI_BEGIN_NEON_TARGET and TUTTI_END_NEON_TARGET where the file has them, after
// all other headers, inside tutti::kernels and an unnamed namespace.
#pragma once

inline constexpr int kVectorRows = 4;
using Bytes __attribute__((vector_size(4 * kVectorRows))) = uint8_t;
using Dwords __attribute__((vector_size(4 * kVectorRows))) = uint32_t;
using Ints __attribute__((vector_size(4 * kVectorRows))) = int32_t;
using Floats __attribute__((vector_size(4 * kVectorRows))) = float;

TUTTI_INLINE Bytes Splat8(int byte) {
  return reinterpret_cast<Bytes>(vdupq_n_u8(static_cast<uint8_t>(byte)));
}
TUTTI_INLINE Bytes Splat32(uint32_t dword) { return reinterpret_cast<Bytes>(vdupq_n_u32(dword)); }
TUTTI_INLINE Floats SplatFloat(float v) { return reinterpret_cast<Floats>(vdupq_n_f32(v)); }

TUTTI_INLINE uint8x16_t Raw8(Bytes v) { return reinterpret_cast<uint8x16_t>(v); }
TUTTI_INLINE uint32x4_t Raw32(Bytes v) { return reinterpret_cast<uint32x4_t>(v); }
TUTTI_INLINE uint64x2_t Raw64(Bytes v) { return reinterpret_cast<uint64x2_t>(v); }

TUTTI_INLINE Bytes InterleaveLow32(Bytes a, Bytes b) {
  return reinterpret_cast<Bytes>(vzip1q_u32(Raw32(a), Raw32(b)));
}
TUTTI_INLINE Bytes InterleaveHigh32(Bytes a, Bytes b) {
  return reinterpret_cast<Bytes>(vzip2q_u32(Raw32(a), Raw32(b)));
}
TUTTI_INLINE Bytes InterleaveLow64(Bytes a, Bytes b) {
  return reinterpret_cast<Bytes>(vzip1q_u64(Raw64(a), Raw64(b)));
}
TUTTI_INLINE Bytes InterleaveHigh64(Bytes a, Bytes b) {
  return reinterpret_cast<Bytes>(vzip2q_u64(Raw64(a), Raw64(b)));
}
TUTTI_INLINE Bytes LookUp(Bytes table, Bytes index) {
  return reinterpret_cast<Bytes>(vqtbl1q_u8(Raw8(table), Raw8(index)));
}
TUTTI_INLINE Bytes RepeatedTable(const int8_t* table) {
  return reinterpret_cast<Bytes>(vld1q_s8(table));
}

// The compiler's own operators: counts are constants only once loops are unrolled, too late for
// the intrinsics that want them so.
TUTTI_INLINE Bytes ShiftRight(Bytes v, int bits) { return v >> Splat8(bits); }
TUTTI_INLINE Bytes ShiftLeft(Bytes v, int bits) { return v << Splat8(bits); }
TUTTI_INLINE Bytes ShiftRight32(Bytes v, int bits) {
  return reinterpret_cast<Bytes>(reinterpret_cast<Dwords>(v) >>
                                 reinterpret_cast<Dwords>(Splat32(static_cast<uint32_t>(bits))));
}
TUTTI_INLINE Bytes ShiftLeft32(Bytes v, int bits) {
  return reinterpret_cast<Bytes>(reinterpret_cast<Dwords>(v)
                                 << reinterpret_cast<Dwords>(Splat32(static_cast<uint32_t>(bits))));
}
TUTTI_INLINE Bytes ShiftRightSigned32(Bytes v, int bits) {
  return reinterpret_cast<Bytes>(reinterpret_cast<Ints>(v) >>
                                 reinterpret_cast<Ints>(Splat32(static_cast<uint32_t>(bits))));
}

// Of dwords.
TUTTI_INLINE Floats ToFloat(Bytes v) {
  return reinterpret_cast<Floats>(vcvtq_f32_s32(reinterpret_cast<int32x4_t>(v)));
}
// The lower 16 bits of each dword are an f16.
TUTTI_INLINE Floats LowHalfToFloat(Bytes v) {
  return reinterpret_cast<Floats>(vcvt_f32_f16(vreinterpret_f16_u16(vmovn_u32(Raw32(v)))));
}

// a b + c, rounded once.
TUTTI_INLINE Floats MulAdd(Floats a, Floats b, Floats c) {
  return reinterpret_cast<Floats>(vfmaq_f32(reinterpret_cast<float32x4_t>(c),
                                            reinterpret_cast<float32x4_t>(a),
                                            reinterpret_cast<float32x4_t>(b)));
}

// 16 bytes of row i: there are four.
template <typename Rows>
TUTTI_INLINE Bytes EveryFourthRow(const Rows& rows, int64_t offset, int i) {
  return reinterpret_cast<Bytes>(vld1q_u8(reinterpret_cast<const uint8_t*>(rows.At(i, offset))));
}

// A number of 16 bits of each row, and one of 32.
template <typename Rows>
TUTTI_INLINE Floats Halves(const Rows& rows, int64_t offset) {
  uint16x4_t words = vdup_n_u16(tensor::LoadU16(rows.At(0, offset)));
  words = vset_lane_u16(tensor::LoadU16(rows.At(1, offset)), words, 1);
  words = vset_lane_u16(tensor::LoadU16(rows.At(2, offset)), words, 2);
  words = vset_lane_u16(tensor::LoadU16(rows.At(3, offset)), words, 3);
  return reinterpret_cast<Floats>(vcvt_f32_f16(vreinterpret_f16_u16(words)));
}
template <typename Rows>
TUTTI_INLINE Bytes DwordOf(const Rows& rows, int64_t offset) {
  Dwords v = {};
  TUTTI_UNROLL
  for (int i = 0; i < kVectorRows; ++i) v[i] = tensor::LoadU32(rows.At(i, offset));
  return reinterpret_cast<Bytes>(v);
}
