// Formats of 17 and 18 bytes per block with AVX-512, two blocks at a time: half of the loads, and
// scales come with the numbers instead of one by one.
//
// Included after strip_avx512_formats-inl.h, where that is included.
#pragma once

template <typename Block>
struct TwoOf {
  Block blocks[2];
};

// Of 2 dwords side by side, those that begin kBits after the first.
template <unsigned kBits>
TUTTI_INLINE __m512i Between(__m512i first, __m512i second) {
  return _mm512_or_si512(_mm512_srli_epi32(first, kBits), _mm512_slli_epi32(second, 32 - kBits));
}

// The unit of two blocks of a format; columns come in pairs of groups.
template <DType dtype>
struct TwoBlocks;

// A half, then 16 bytes: 36 bytes in all, of which the last 16 are dwords as they lie.
template <typename Levels, typename Sink>
TUTTI_INLINE void PutTwoOf18(const StripSource& rows, int64_t at, const Levels& levels, Sink& out) {
  const __m512i head = DwordOf(rows, at);
  const Dwords8 rest = Load32(rows, at + 4);
  const __m512i first[4] = {Between<16>(head, rest.v[0]), Between<16>(rest.v[0], rest.v[1]),
                            Between<16>(rest.v[1], rest.v[2]), Between<16>(rest.v[2], rest.v[3])};
  PutNibbles(first, levels, 0, out);
  PutNibbles(rest.v + 4, levels, 1, out);
  out.Scale(0, LowHalfOf(head));
  out.Scale(1, HighHalfOf(rest.v[3]));
}

template <>
struct TwoBlocks<DType::kQ4_0> : UnitOf<TwoOf<BlockQ4_0>, 2, StripForm::kSmallSigned32, 8> {
  template <typename Sink>
  static TUTTI_INLINE void Decode(const StripSource& rows, int64_t u, Sink& out) {
    PutTwoOf18(rows, u * kBytes, Plain(), out);
  }
};

template <>
struct TwoBlocks<DType::kIQ4_NL> : UnitOf<TwoOf<BlockIQ4_NL>, 2, StripForm::kSigned32, 128> {
  template <typename Sink>
  static TUTTI_INLINE void Decode(const StripSource& rows, int64_t u, Sink& out) {
    PutTwoOf18(rows, u * kBytes, Levels(tensor::kNonLinear4), out);
  }
};

// A byte, then 16: 34 bytes in all.
template <>
struct TwoBlocks<DType::kMXFP4> : UnitOf<TwoOf<BlockMXFP4>, 2, StripForm::kSmallSigned32, 128> {
  template <typename Sink>
  static TUTTI_INLINE void Decode(const StripSource& rows, int64_t u, Sink& out) {
    const int64_t at = u * kBytes;
    const __m512i head = DwordOf(rows, at);
    const Dwords8 rest = Load32(rows, at + 2);
    // Bytes 1 to 4: three of the head, and the third of what follows its second.
    const __m512i fifth = _mm512_slli_epi32(_mm512_srli_epi32(rest.v[0], 16), 24);
    const __m512i first[4] = {_mm512_or_si512(_mm512_srli_epi32(head, 8), fifth),
                              Between<24>(rest.v[0], rest.v[1]), Between<24>(rest.v[1], rest.v[2]),
                              Between<24>(rest.v[2], rest.v[3])};
    const Levels levels(tensor::kDoubledE2M1);
    PutNibbles(first, levels, 0, out);
    PutNibbles(rest.v + 4, levels, 1, out);
    out.Scale(0, HalfOfE8M0(_mm512_and_si512(head, _mm512_set1_epi32(0xff))));
    out.Scale(1, HalfOfE8M0(_mm512_srli_epi32(rest.v[3], 24)));
  }
};
