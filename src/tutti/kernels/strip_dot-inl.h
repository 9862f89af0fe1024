// Products of a strip with few columns: what the formats decode to is multiplied while it is in
// registers. Unpacking to memory first costs as much time as everything else, which counts where
// weights are used for a token or two.
//
// The same integer sums, scales and order of additions as the tiles: the same bits.
//
// Included after strip_formats-inl.h, in the same place, and after a way to form dot products:
//
//   // The sums of kVectorRows rows with the columns that one scale covers, 4 columns a step.
//   template <typename Unit>
//   struct DotSum {
//     static constexpr int kBias;                    // of the weights as they are multiplied
//     void Begin(Ints start);
//     void Add(int step, Bytes weights, int32_t x);  // steps 0 .. StepsOf<Unit>() - 1
//     Ints Total() const;
//   };
#pragma once

template <typename T>
TUTTI_INLINE T LoadAs(const std::byte* p) {
  T value;
  std::memcpy(&value, p, sizeof(value));
  return value;
}

// A unit's dot products with the columns, and then their part of the rows' sums.
template <typename Unit, int kColumns>
struct DotSink {
  static constexpr bool kPrefetches = true;
  static constexpr int kParts = ScalesPerGroup(Unit::kForm);
  static constexpr int kSums = Unit::kGroups * kParts;
  const std::byte* q[kColumns];       // of the unit's first group
  const std::byte* groups[kColumns];  // Q8Group<kParts>
  DotSum<Unit> sums[kSums][kColumns];
  Floats scale[kSums];
  Floats minimum[kSums];

  // -kBias times the sum of what multiplies the unit's weights.
  TUTTI_INLINE Ints Start(int s, int c) const {
    constexpr int kBias = DotSum<Unit>::kBias;
    if constexpr (kBias == 0) {
      return Ints{};
    } else {
      constexpr int kShift =
          std::countr_zero(128U) - std::countr_zero(static_cast<unsigned>(kBias));
      return reinterpret_cast<Ints>(
          Splat32(static_cast<uint32_t>(LoadAs<int32_t>(Sum(c, s)) >> kShift)));  // exact
    }
  }
  TUTTI_INLINE const std::byte* Group(int c, int g) const {
    return groups[c] + static_cast<size_t>(g) * sizeof(Q8Group<kParts>);
  }
  TUTTI_INLINE const std::byte* Sum(int c, int s) const {
    return Group(c, s / kParts) + static_cast<size_t>(1 + s % kParts) * sizeof(float);
  }

  TUTTI_INLINE void Dword(int group, int j, Bytes v) {
    const int s = group * kParts + j * kParts / 8;
    const int step = j % StepsOf<Unit>();
    TUTTI_UNROLL
    for (int c = 0; c < kColumns; ++c) {
      if (step == 0) sums[s][c].Begin(Start(s, c));
      sums[s][c].Add(step, v, LoadAs<int32_t>(q[c] + group * kQ8GroupSize + j * 4));
    }
  }
  TUTTI_INLINE void Scale(int i, Floats v) { scale[i] = v; }
  TUTTI_INLINE void Minimum(int i, Floats v) { minimum[i] = v; }

  // f += ... and on to the next unit.
  TUTTI_INLINE void End(Floats* f) {
    TUTTI_UNROLL
    for (int g = 0; g < Unit::kGroups; ++g) {
      TUTTI_UNROLL
      for (int c = 0; c < kColumns; ++c) f[c] = AddGroup(g, c, f[c]);
    }
    TUTTI_UNROLL
    for (int c = 0; c < kColumns; ++c) {
      q[c] += Unit::kGroups * kQ8GroupSize;
      groups[c] = Group(c, Unit::kGroups);
    }
  }
  TUTTI_INLINE Floats Total(int s, int c) const {
    return ToFloat(reinterpret_cast<Bytes>(sums[s][c].Total()));
  }
  TUTTI_INLINE Floats AddGroup(int g, int c, Floats f) const {
    const Floats x = SplatFloat(LoadAs<float>(Group(c, g)));
    Floats scaled = Total(g * kParts, c) * scale[g * kParts];
    TUTTI_UNROLL
    for (int s = g * kParts + 1; s < (g + 1) * kParts; ++s) {
      scaled = MulAdd(Total(s, c), scale[s], scaled);
    }
    f = MulAdd(scaled, x, f);
    if constexpr (HasMinimum(Unit::kForm)) {
      TUTTI_UNROLL
      for (int s = g * kParts; s < (g + 1) * kParts; ++s) {
        f = MulAdd(-minimum[s], SplatFloat(LoadAs<float>(Sum(c, s))), f);
      }
    }
    return f;
  }
};

// Units of less than a cache line share their lines: each line is asked for once, before the unit
// that reaches its end. Larger ones do it as they load.
template <typename Unit>
TUTTI_INLINE void PrefetchSmallUnit(const Rows& rows, int64_t u) {
  if constexpr (Unit::kBytes < 32) {
    const int64_t at = u * Unit::kBytes;
    if (at / 64 != (at + Unit::kBytes) / 64) PrefetchRows(rows, at);
  }
}

// kVectorRows rows from `first` upwards.
template <typename Unit, int kColumns>
TUTTI_INLINE void DotRows(const DotArgs& args, int first) {
  const Q8Layout layout{args.groups * kQ8GroupSize};
  DotSink<Unit, kColumns> sink;
  Floats f[kColumns];
  TUTTI_UNROLL
  for (int c = 0; c < kColumns; ++c) {
    sink.q[c] = args.columns[c];
    sink.groups[c] = args.columns[c] + layout.groups_offset(SumsOf(Unit::kForm));
    f[c] = Floats{};
  }
  // Far enough ahead of the loads for the memory's latency, in every row alike; at the end of the
  // rows on to those that come next.
  constexpr int64_t kAhead = std::max<int64_t>(1, 600 / Unit::kBytes);
  const int64_t units = args.groups / Unit::kGroups;
  StripSource& strip = *args.rows;
  const Rows rows{strip, first};
  const int after = first + kVectorRows;
  const int64_t to_next =
      (after < kStripRows ? strip.data[after] : strip.data[0] + args.next_strip) - rows.At(0, 0);
  strip.ahead = kAhead * Unit::kBytes;
  for (int64_t u = 0; u < units; ++u) {
    if (u + kAhead == std::max(units, kAhead)) strip.ahead += to_next - units * Unit::kBytes;
    PrefetchSmallUnit<Unit>(rows, u);
    Unit::Decode(rows, u, sink);
    sink.End(f);
  }
  TUTTI_UNROLL
  for (int c = 0; c < kColumns; ++c) {
    std::memcpy(args.sums + c * kPairRows + first, &f[c], sizeof(f[c]));
  }
}

template <typename Unit, int kColumns>
void DotColumns(const DotArgs& args) {
  for (int first = 0; first < kStripRows; first += kVectorRows)
    DotRows<Unit, kColumns>(args, first);
}

template <typename Unit>
void Dot(const DotArgs& args) {
  static_assert(kVectorDotColumns == 2);
  args.count == 1 ? DotColumns<Unit, 1>(args) : DotColumns<Unit, 2>(args);
}
