// Tiles with NEON's dot product (Armv8.2 dotprod): sdot multiplies four signed bytes per lane with
// four of another register's, chosen by lane, so activations need no broadcast.
#include "tutti/kernels/strip.h"

#if defined(__aarch64__)
#include <arm_neon.h>
#if defined(__linux__)
#include <sys/auxv.h>
#endif

#include "tutti/kernels/strip_target.h"

#if !defined(__clang__)  // there CMakeLists.txt sets the target of the whole file
TUTTI_BEGIN_TARGET("arch=armv8.2-a+dotprod")
#endif
namespace tutti::kernels {
namespace {

// Four dwords (16 columns) of 16 rows with kColumns columns.
template <int kColumns>
inline void Dots16(const int8_t* w, const int8_t* const* x, int32x4_t (*sums)[kColumns]) {
  TUTTI_UNROLL
  for (int r = 0; r < 4; ++r) {
    const int8x16_t w0 = vld1q_s8(w + 16 * r);
    const int8x16_t w1 = vld1q_s8(w + 64 + 16 * r);
    const int8x16_t w2 = vld1q_s8(w + 128 + 16 * r);
    const int8x16_t w3 = vld1q_s8(w + 192 + 16 * r);
    TUTTI_UNROLL
    for (int c = 0; c < kColumns; ++c) {
      const int8x16_t v = vld1q_s8(x[c]);
      int32x4_t s = sums[r][c];
      s = vdotq_laneq_s32(s, w0, v, 0);
      s = vdotq_laneq_s32(s, w1, v, 1);
      s = vdotq_laneq_s32(s, w2, v, 2);
      sums[r][c] = vdotq_laneq_s32(s, w3, v, 3);
    }
  }
}

template <StripForm kForm, int kColumns>
inline void OneStrip(const TileArgs& args, int strip) {
  constexpr int kParts = ScalesPerGroup(kForm);
  const int8_t* w = reinterpret_cast<const int8_t*>(args.pair->q[strip]);
  const float* scale = args.pair->scale[strip];
  const float* minimum = args.pair->minimum[strip];
  float* out = args.sums + strip * kStripRows;
  float32x4_t f[4][kColumns];
  TUTTI_UNROLL
  for (int r = 0; r < 4; ++r) {
    TUTTI_UNROLL
    for (int c = 0; c < kColumns; ++c) f[r][c] = vld1q_f32(out + c * kPairRows + 4 * r);
  }
  for (int64_t g = 0; g < args.groups; ++g) {
    const int8_t* x[kColumns];
    const Q8Group* group[kColumns];
    TUTTI_UNROLL
    for (int c = 0; c < kColumns; ++c) {
      x[c] = reinterpret_cast<const int8_t*>(args.columns[c] + args.q_offset) + g * kQ8GroupSize;
      group[c] = reinterpret_cast<const Q8Group*>(args.columns[c] + args.group_offset) + g;
    }
    TUTTI_UNROLL
    for (int part = 0; part < kParts; ++part) {
      int32x4_t sums[4][kColumns];
      TUTTI_UNROLL
      for (int r = 0; r < 4; ++r) {
        TUTTI_UNROLL
        for (int c = 0; c < kColumns; ++c) sums[r][c] = vdupq_n_s32(0);
      }
      TUTTI_UNROLL
      for (int half = 0; half < 2 / kParts; ++half) {
        Dots16<kColumns>(w, x, sums);
        w += 4 * kStripRows * 4;
        TUTTI_UNROLL
        for (int c = 0; c < kColumns; ++c) x[c] += 16;
      }
      TUTTI_UNROLL
      for (int r = 0; r < 4; ++r) {
        const float32x4_t s = vld1q_f32(scale + part * kStripRows + 4 * r);
        TUTTI_UNROLL
        for (int c = 0; c < kColumns; ++c) {
          f[r][c] = vfmaq_f32(f[r][c], vmulq_f32(vcvtq_f32_s32(sums[r][c]), s),
                              vdupq_n_f32(group[c]->scale));
        }
      }
    }
    if constexpr (HasMinimum(kForm)) {
      TUTTI_UNROLL
      for (int part = 0; part < kParts; ++part) {
        TUTTI_UNROLL
        for (int c = 0; c < kColumns; ++c) {
          const Q8Half* half =
              reinterpret_cast<const Q8Half*>(args.columns[c] + args.half_offset) + 2 * g + part;
          const float sum = kParts == 1 ? group[c]->scaled_sum : half->scaled_sum;
          TUTTI_UNROLL
          for (int r = 0; r < 4; ++r) {
            const float32x4_t m = vld1q_f32(minimum + part * kStripRows + 4 * r);
            f[r][c] = vfmsq_f32(f[r][c], m, vdupq_n_f32(sum));
          }
        }
      }
    }
    scale += kParts * kStripRows;
    minimum += kParts * kStripRows;
  }
  TUTTI_UNROLL
  for (int r = 0; r < 4; ++r) {
    TUTTI_UNROLL
    for (int c = 0; c < kColumns; ++c) vst1q_f32(out + c * kPairRows + 4 * r, f[r][c]);
  }
}

template <StripForm kForm, int kColumns>
void Tile(const TileArgs& args) {
  OneStrip<kForm, kColumns>(args, 0);
  OneStrip<kForm, kColumns>(args, 1);
}

UnpackFunction UnpackSigned(DType dtype) { return PortableUnpack(dtype, false); }

// Three columns: 12 registers of int32 and 12 of float sums of 32.
#define TUTTI_TILES(form) \
  { Tile<form, 1>, Tile<form, 2>, Tile<form, 3> }

constexpr StripIsa kNeonDot = {
    "neon-dotprod",
    UnpackSigned,
    3,
    {TUTTI_TILES(StripForm::kSigned32), TUTTI_TILES(StripForm::kSigned32),
     TUTTI_TILES(StripForm::kUnsigned32), TUTTI_TILES(StripForm::kSmallSigned16),
     TUTTI_TILES(StripForm::kUnsigned16)},
};

#undef TUTTI_TILES

}  // namespace
}  // namespace tutti::kernels
#if !defined(__clang__)
TUTTI_END_TARGET
#endif

namespace tutti::kernels {
const StripIsa* StripIsaNeonDot() {
#if defined(__linux__)
  constexpr unsigned long kHwcapDotProd = 1ul << 20;  // HWCAP_ASIMDDP
  return (getauxval(AT_HWCAP) & kHwcapDotProd) != 0 ? &kNeonDot : nullptr;
#else
  return &kNeonDot;  // every Apple and Windows machine of this instruction set has it
#endif
}
}  // namespace tutti::kernels
#else
namespace tutti::kernels {
const StripIsa* StripIsaNeonDot() { return nullptr; }
}  // namespace tutti::kernels
#endif
