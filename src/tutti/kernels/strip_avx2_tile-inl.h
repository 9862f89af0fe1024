// Tiles of 256-bit vectors around a way to form dot products, for the file of each instruction set
// to include after TUTTI_BEGIN_TARGET and every other header. All of it is local to that file: what
// is compiled for one instruction set must not be called by another's tiles.
//
//   struct Dots {
//     static constexpr bool kBiased;   // signed q are stored as q + 128
//     static constexpr int kVectors;   // of 8 rows each, that one call takes
//     // Adds dot products of kVectors * 8 rows with kDwords * 4 columns to sums: w at the first
//     // dword of the first row, x[c] at the first activation.
//     template <StripForm kForm, int kDwords, int kColumns>
//     static void Add(const uint8_t* w, const int8_t* const* x, __m256i (*sums)[kColumns]);
//   };
namespace tutti::kernels {
namespace {

inline __m256i Broadcast32(const void* p) {
  int32_t value;
  std::memcpy(&value, p, sizeof(value));
  return _mm256_set1_epi32(value);
}

// The group's place in weights and activations.
template <StripForm kForm, int kColumns>
struct Avx2Cursor {
  const uint8_t* w;
  const float* scale;
  const float* minimum;
  const int8_t* x[kColumns];
  const Q8Group<ScalesPerGroup(kForm)>* group[kColumns];
};

// Where the integer sums begin: what undoes the bias, or 0.
template <class Dots, StripForm kForm, int kColumns>
inline __m256i StartOf(const Avx2Cursor<kForm, kColumns>& at, int c, int part) {
  if constexpr (!Dots::kBiased || HasMinimum(kForm)) {
    return _mm256_setzero_si256();
  } else {
    return Broadcast32(&at.group[c]->biased[part]);
  }
}

template <class Dots, StripForm kForm, int kColumns>
inline void AddGroup(const Avx2Cursor<kForm, kColumns>& at, __m256 (*f)[kColumns]) {
  constexpr int kParts = ScalesPerGroup(kForm);
  constexpr int kDwords = 8 / kParts;
  __m256 scaled[Dots::kVectors][kColumns];
  TUTTI_UNROLL
  for (int part = 0; part < kParts; ++part) {
    const int8_t* x[kColumns];
    __m256i sums[Dots::kVectors][kColumns];
    TUTTI_UNROLL
    for (int c = 0; c < kColumns; ++c) {
      x[c] = at.x[c] + part * kDwords * 4;
      TUTTI_UNROLL
      for (int v = 0; v < Dots::kVectors; ++v) sums[v][c] = StartOf<Dots, kForm>(at, c, part);
    }
    Dots::template Add<kForm, kDwords, kColumns>(at.w + part * kDwords * kStripRows * 4, x, sums);
    TUTTI_UNROLL
    for (int v = 0; v < Dots::kVectors; ++v) {
      const __m256 s = _mm256_loadu_ps(at.scale + part * kStripRows + 8 * v);
      TUTTI_UNROLL
      for (int c = 0; c < kColumns; ++c) {
        const __m256 sum = _mm256_cvtepi32_ps(sums[v][c]);
        scaled[v][c] = part == 0 ? _mm256_mul_ps(sum, s) : _mm256_fmadd_ps(sum, s, scaled[v][c]);
      }
    }
  }
  TUTTI_UNROLL
  for (int v = 0; v < Dots::kVectors; ++v) {
    TUTTI_UNROLL
    for (int c = 0; c < kColumns; ++c) {
      f[v][c] = _mm256_fmadd_ps(scaled[v][c], _mm256_set1_ps(at.group[c]->scale), f[v][c]);
    }
  }
  if constexpr (HasMinimum(kForm)) {
    TUTTI_UNROLL
    for (int part = 0; part < kParts; ++part) {
      TUTTI_UNROLL
      for (int v = 0; v < Dots::kVectors; ++v) {
        const __m256 m = _mm256_loadu_ps(at.minimum + part * kStripRows + 8 * v);
        TUTTI_UNROLL
        for (int c = 0; c < kColumns; ++c) {
          f[v][c] = _mm256_fnmadd_ps(m, _mm256_set1_ps(at.group[c]->scaled[part]), f[v][c]);
        }
      }
    }
  }
}

// kVectors * 8 rows, beginning at `row` of strip `strip`.
template <class Dots, StripForm kForm, int kColumns>
inline void AddRows(const TileArgs& args, int strip, int row) {
  Avx2Cursor<kForm, kColumns> at;
  at.w = args.pair->q[strip] + row * 4;
  at.scale = args.pair->scale[strip] + row;
  at.minimum = args.pair->minimum[strip] + row;
  float* out = args.sums + strip * kStripRows + row;
  __m256 f[Dots::kVectors][kColumns];
  TUTTI_UNROLL
  for (int c = 0; c < kColumns; ++c) {
    at.x[c] = reinterpret_cast<const int8_t*>(args.columns[c] + args.q_offset);
    at.group[c] = reinterpret_cast<const Q8Group<ScalesPerGroup(kForm)>*>(args.columns[c] +
                                                                          args.group_offset);
    TUTTI_UNROLL
    for (int v = 0; v < Dots::kVectors; ++v) {
      f[v][c] = args.first ? _mm256_setzero_ps() : _mm256_loadu_ps(out + c * kPairRows + 8 * v);
    }
  }
  for (int64_t g = 0; g < args.groups; ++g) {
    AddGroup<Dots, kForm>(at, f);
    at.w += 8 * kStripRows * 4;
    at.scale += ScalesPerGroup(kForm) * kStripRows;
    at.minimum += ScalesPerGroup(kForm) * kStripRows;
    TUTTI_UNROLL
    for (int c = 0; c < kColumns; ++c) {
      at.x[c] += kQ8GroupSize;
      at.group[c] += 1;
    }
  }
  TUTTI_UNROLL
  for (int c = 0; c < kColumns; ++c) {
    TUTTI_UNROLL
    for (int v = 0; v < Dots::kVectors; ++v) _mm256_storeu_ps(out + c * kPairRows + 8 * v, f[v][c]);
  }
}

template <class Dots, StripForm kForm, int kColumns>
void Avx2Tile(const TileArgs& args) {
  for (int strip = 0; strip < 2; ++strip) {
    for (int row = 0; row < kStripRows; row += 8 * Dots::kVectors) {
      AddRows<Dots, kForm, kColumns>(args, strip, row);
    }
  }
}

}  // namespace
}  // namespace tutti::kernels
