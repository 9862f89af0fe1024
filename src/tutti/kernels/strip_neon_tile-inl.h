// NEON tiles around a way to form dot products, for the file of each instruction set to include
// between TUTTI_BEGIN_TARGET and TUTTI_END_TARGET, after every other header. All of it is local to
// that file: what is compiled for one instruction set must not be called by another's tiles.
//
//   struct Dots {
//     // Of 4 rows with kDwords * 4 columns: w at the first dword of the first row (dwords are 64
//     // bytes apart), x[c] at the first activation; sums[c] is not added to.
//     template <StripForm kForm, int kDwords, int kColumns>
//     static void Sums(const int8_t* w, const int8_t* const* x, int32x4_t* sums);
//   };
namespace tutti::kernels {
namespace {

inline int8x16_t LoadDword(const int8_t* w, int dword) {
  return vld1q_s8(w + dword * kStripRows * 4);
}

// The group's place in weights and activations.
template <StripForm kForm, int kColumns>
struct NeonCursor {
  const int8_t* w;
  const float* scale;
  const float* minimum;
  const int8_t* x[kColumns];
  const Q8Group<ScalesPerGroup(kForm)>* group[kColumns];
};

template <class Dots, StripForm kForm, int kColumns>
inline void AddGroup(const NeonCursor<kForm, kColumns>& at, float32x4_t (*f)[kColumns]) {
  constexpr int kParts = ScalesPerGroup(kForm);
  constexpr int kDwords = 8 / kParts;
  TUTTI_UNROLL
  for (int r = 0; r < 4; ++r) {
    float32x4_t scaled[kColumns];
    TUTTI_UNROLL
    for (int part = 0; part < kParts; ++part) {
      const int8_t* x[kColumns];
      TUTTI_UNROLL
      for (int c = 0; c < kColumns; ++c) x[c] = at.x[c] + part * kDwords * 4;
      int32x4_t sums[kColumns];
      Dots::template Sums<kForm, kDwords, kColumns>(at.w + part * kDwords * kStripRows * 4 + 16 * r,
                                                    x, sums);
      const float32x4_t s = vld1q_f32(at.scale + part * kStripRows + 4 * r);
      TUTTI_UNROLL
      for (int c = 0; c < kColumns; ++c) {
        const float32x4_t sum = vcvtq_f32_s32(sums[c]);
        scaled[c] = part == 0 ? vmulq_f32(sum, s) : vfmaq_f32(scaled[c], sum, s);
      }
    }
    TUTTI_UNROLL
    for (int c = 0; c < kColumns; ++c) {
      f[r][c] = vfmaq_f32(f[r][c], scaled[c], vdupq_n_f32(at.group[c]->scale));
    }
    if constexpr (HasMinimum(kForm)) {
      TUTTI_UNROLL
      for (int part = 0; part < kParts; ++part) {
        const float32x4_t m = vld1q_f32(at.minimum + part * kStripRows + 4 * r);
        TUTTI_UNROLL
        for (int c = 0; c < kColumns; ++c) {
          f[r][c] = vfmsq_f32(f[r][c], m, vdupq_n_f32(at.group[c]->scaled[part]));
        }
      }
    }
  }
}

template <class Dots, StripForm kForm, int kColumns>
void NeonTile(const TileArgs& args) {
  for (int strip = 0; strip < 2; ++strip) {
    NeonCursor<kForm, kColumns> at;
    at.w = reinterpret_cast<const int8_t*>(args.pair->q[strip]);
    at.scale = args.pair->scale[strip];
    at.minimum = args.pair->minimum[strip];
    float* out = args.sums + strip * kStripRows;
    float32x4_t f[4][kColumns];
    TUTTI_UNROLL
    for (int c = 0; c < kColumns; ++c) {
      at.x[c] = reinterpret_cast<const int8_t*>(args.columns[c] + args.q_offset);
      at.group[c] = reinterpret_cast<const Q8Group<ScalesPerGroup(kForm)>*>(args.columns[c] +
                                                                            args.group_offset);
      TUTTI_UNROLL
      for (int r = 0; r < 4; ++r) {
        f[r][c] = args.first ? vdupq_n_f32(0) : vld1q_f32(out + c * kPairRows + 4 * r);
      }
    }
    for (int64_t g = 0; g < args.groups; ++g) {
      AddGroup<Dots, kForm, kColumns>(at, f);
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
      for (int r = 0; r < 4; ++r) vst1q_f32(out + c * kPairRows + 4 * r, f[r][c]);
    }
  }
}

}  // namespace
}  // namespace tutti::kernels
