// Vectors of AVX2, 8 rows of a strip in each, for strip_formats-inl.h.
//
// Included between TUTTI_BEGIN_TARGET and TUTTI_END_TARGET, after all other headers, inside
// tutti::kernels and an unnamed namespace.
#pragma once

inline constexpr int kVectorRows = 8;
using Bytes __attribute__((vector_size(4 * kVectorRows))) = uint8_t;
using Dwords __attribute__((vector_size(4 * kVectorRows))) = uint32_t;
using Ints __attribute__((vector_size(4 * kVectorRows))) = int32_t;
using Floats __attribute__((vector_size(4 * kVectorRows))) = float;

TUTTI_INLINE __m256i Raw(Bytes v) { return reinterpret_cast<__m256i>(v); }
TUTTI_INLINE Bytes FromRaw(__m256i v) { return reinterpret_cast<Bytes>(v); }

TUTTI_INLINE Bytes Splat8(int byte) { return FromRaw(_mm256_set1_epi8(static_cast<char>(byte))); }
TUTTI_INLINE Bytes Splat32(uint32_t dword) {
  return FromRaw(_mm256_set1_epi32(static_cast<int32_t>(dword)));
}
TUTTI_INLINE Floats SplatFloat(float v) { return reinterpret_cast<Floats>(_mm256_set1_ps(v)); }

// Within 16 bytes.
TUTTI_INLINE Bytes InterleaveLow32(Bytes a, Bytes b) {
  return FromRaw(_mm256_unpacklo_epi32(Raw(a), Raw(b)));
}
TUTTI_INLINE Bytes InterleaveHigh32(Bytes a, Bytes b) {
  return FromRaw(_mm256_unpackhi_epi32(Raw(a), Raw(b)));
}
TUTTI_INLINE Bytes InterleaveLow64(Bytes a, Bytes b) {
  return FromRaw(_mm256_unpacklo_epi64(Raw(a), Raw(b)));
}
TUTTI_INLINE Bytes InterleaveHigh64(Bytes a, Bytes b) {
  return FromRaw(_mm256_unpackhi_epi64(Raw(a), Raw(b)));
}
TUTTI_INLINE Bytes LookUp(Bytes table, Bytes index) {
  return FromRaw(_mm256_shuffle_epi8(Raw(table), Raw(index)));
}
// 16 bytes, as often as they fit.
TUTTI_INLINE Bytes RepeatedTable(const int8_t* table) {
  return FromRaw(
      _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(table))));
}

// Shifts of bytes may let bits of the neighbour in.
TUTTI_INLINE Bytes ShiftRight(Bytes v, int bits) {
  return FromRaw(_mm256_srli_epi16(Raw(v), bits));
}
TUTTI_INLINE Bytes ShiftLeft(Bytes v, int bits) { return FromRaw(_mm256_slli_epi16(Raw(v), bits)); }
TUTTI_INLINE Bytes ShiftRight32(Bytes v, int bits) {
  return FromRaw(_mm256_srli_epi32(Raw(v), bits));
}
TUTTI_INLINE Bytes ShiftLeft32(Bytes v, int bits) {
  return FromRaw(_mm256_slli_epi32(Raw(v), bits));
}
TUTTI_INLINE Bytes ShiftRightSigned32(Bytes v, int bits) {
  return FromRaw(_mm256_srai_epi32(Raw(v), bits));
}

// Of dwords.
TUTTI_INLINE Floats ToFloat(Bytes v) {
  return reinterpret_cast<Floats>(_mm256_cvtepi32_ps(Raw(v)));
}
// The lower 16 bits of each dword are an f16.
TUTTI_INLINE Floats LowHalfToFloat(Bytes v) {
  const __m256i low = _mm256_and_si256(Raw(v), _mm256_set1_epi32(0xffff));
  const __m128i words =
      _mm_packus_epi32(_mm256_castsi256_si128(low), _mm256_extracti128_si256(low, 1));
  return reinterpret_cast<Floats>(_mm256_cvtph_ps(words));
}

// a b + c, rounded once.
TUTTI_INLINE Floats MulAdd(Floats a, Floats b, Floats c) {
  return reinterpret_cast<Floats>(_mm256_fmadd_ps(
      reinterpret_cast<__m256>(a), reinterpret_cast<__m256>(b), reinterpret_cast<__m256>(c)));
}

// 16 bytes of rows i and i + 4.
template <typename Rows>
TUTTI_INLINE Bytes EveryFourthRow(const Rows& rows, int64_t offset, int i) {
  const auto* low = reinterpret_cast<const __m128i*>(rows.At(i, offset));
  const auto* high = reinterpret_cast<const __m128i*>(rows.At(i + 4, offset));
  return FromRaw(_mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128(low)),
                                         _mm_loadu_si128(high), 1));
}

// A number of 16 bits of each row, and one of 32.
template <typename Rows>
TUTTI_INLINE Floats Halves(const Rows& rows, int64_t offset) {
  __m128i words = _mm_setzero_si128();
  words = _mm_insert_epi16(words, tensor::LoadU16(rows.At(0, offset)), 0);
  words = _mm_insert_epi16(words, tensor::LoadU16(rows.At(1, offset)), 1);
  words = _mm_insert_epi16(words, tensor::LoadU16(rows.At(2, offset)), 2);
  words = _mm_insert_epi16(words, tensor::LoadU16(rows.At(3, offset)), 3);
  words = _mm_insert_epi16(words, tensor::LoadU16(rows.At(4, offset)), 4);
  words = _mm_insert_epi16(words, tensor::LoadU16(rows.At(5, offset)), 5);
  words = _mm_insert_epi16(words, tensor::LoadU16(rows.At(6, offset)), 6);
  words = _mm_insert_epi16(words, tensor::LoadU16(rows.At(7, offset)), 7);
  return reinterpret_cast<Floats>(_mm256_cvtph_ps(words));
}
template <typename Rows>
TUTTI_INLINE Bytes DwordOf(const Rows& rows, int64_t offset) {
  Dwords v = {};
  TUTTI_UNROLL
  for (int i = 0; i < kVectorRows; ++i) v[i] = tensor::LoadU32(rows.At(i, offset));
  return reinterpret_cast<Bytes>(v);
}
