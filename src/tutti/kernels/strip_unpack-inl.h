// Strips: what the formats decode to, stored for the tiles.
//
// Included after strip_formats-inl.h, in the same place.
#pragma once

template <typename Unit, bool kBiased>
struct StoreSink {
  static constexpr bool kPrefetches = false;
  uint8_t* q;
  float* scale;
  float* minimum;

  TUTTI_INLINE void Dword(int group, int j, Bytes v) {
    constexpr int kWanted = kBiased ? 128 : 0;
    if constexpr (!HasMinimum(Unit::kForm) && Unit::kBias != kWanted) {
      v += Splat8(kWanted - Unit::kBias);
    }
    std::memcpy(q + (group * 8 + j) * kStripRows * 4, &v, sizeof(v));
  }
  TUTTI_INLINE void Scale(int i, Floats v) { std::memcpy(scale + i * kStripRows, &v, sizeof(v)); }
  TUTTI_INLINE void Minimum(int i, Floats v) {
    std::memcpy(minimum + i * kStripRows, &v, sizeof(v));
  }
};

template <typename Unit, bool kBiased>
void Unpack(const StripSource& strip, int64_t first_group, int64_t groups, const StripSlice& out) {
  constexpr int64_t kScales = Unit::kGroups * ScalesPerGroup(Unit::kForm) * kStripRows;
  const int64_t first_unit = first_group / Unit::kGroups;
  for (int64_t u = 0; u < groups / Unit::kGroups; ++u) {
    for (int first = 0; first < kStripRows; first += kVectorRows) {
      StoreSink<Unit, kBiased> sink{out.q + u * Unit::kGroups * 8 * kStripRows * 4 + first * 4,
                                    out.scale + u * kScales + first,
                                    out.minimum + u * kScales + first};
      Unit::Decode(Rows{strip, first}, first_unit + u, sink);
    }
  }
}
template <typename Unit>
void UnpackSigned(const StripSource& strip, int64_t first, int64_t groups, const StripSlice& out) {
  Unpack<Unit, false>(strip, first, groups, out);
}
template <typename Unit>
void UnpackBiased(const StripSource& strip, int64_t first, int64_t groups, const StripSlice& out) {
  Unpack<Unit, true>(strip, first, groups, out);
}
