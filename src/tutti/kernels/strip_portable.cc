// Tiles in plain C++: what the other instruction sets are compared with, and what machines without
// any of them run. std::fma rounds once everywhere, so the results have the same bits.
#include <cmath>
#include <cstring>

#include "tutti/kernels/strip.h"

namespace tutti::kernels {
namespace {

int32_t Dot(const int8_t* w, const int8_t* x, int64_t first, int64_t last, int64_t row) {
  int32_t sum = 0;
  for (int64_t j = first; j < last; ++j) {
    for (int64_t k = 0; k < 4; ++k) sum += w[(j * kStripRows + row) * 4 + k] * x[j * 4 + k];
  }
  return sum;
}

template <StripForm kForm>
float AddGroup(const int8_t* w, const float* scale, const float* minimum, const int8_t* x,
               const Q8Group<ScalesPerGroup(kForm)>& group, int64_t row, float f) {
  if constexpr (ScalesPerGroup(kForm) == 1) {
    f = std::fma(static_cast<float>(Dot(w, x, 0, 8, row)) * scale[row], group.scale, f);
    if constexpr (HasMinimum(kForm)) f = std::fma(-minimum[row], group.scaled[0], f);
  } else {
    const float first = static_cast<float>(Dot(w, x, 0, 4, row)) * scale[row];
    const auto second = static_cast<float>(Dot(w, x, 4, 8, row));
    f = std::fma(std::fma(second, scale[kStripRows + row], first), group.scale, f);
    if constexpr (HasMinimum(kForm)) {
      f = std::fma(-minimum[row], group.scaled[0], f);
      f = std::fma(-minimum[kStripRows + row], group.scaled[1], f);
    }
  }
  return f;
}

template <StripForm kForm>
void Tile(const TileArgs& args) {
  constexpr int64_t kScales = ScalesPerGroup(kForm) * kStripRows;
  const std::byte* column = args.columns[0];
  const int8_t* x = reinterpret_cast<const int8_t*>(column + args.q_offset);
  const auto* groups =
      reinterpret_cast<const Q8Group<ScalesPerGroup(kForm)>*>(column + args.group_offset);
  for (int strip = 0; strip < 2; ++strip) {
    const int8_t* w = reinterpret_cast<const int8_t*>(args.pair->q[strip]);
    for (int64_t row = 0; row < kStripRows; ++row) {
      float f = args.first ? 0 : args.sums[strip * kStripRows + row];
      for (int64_t g = 0; g < args.groups; ++g) {
        f = AddGroup<kForm>(w + g * 8 * kStripRows * 4, args.pair->scale[strip] + g * kScales,
                            args.pair->minimum[strip] + g * kScales, x + g * kQ8GroupSize,
                            groups[g], row, f);
      }
      args.sums[strip * kStripRows + row] = f;
    }
  }
}

UnpackFunction UnpackSigned(DType dtype) { return PortableUnpack(dtype, false); }

constexpr StripIsa kPortable = {
    "portable",
    UnpackSigned,
    1,
    {{Tile<StripForm::kSigned32>},
     {Tile<StripForm::kSmallSigned32>},
     {Tile<StripForm::kUnsigned32>},
     {Tile<StripForm::kSmallSigned16>},
     {Tile<StripForm::kUnsigned16>}},
};

}  // namespace

const StripIsa* StripIsaPortable() { return &kPortable; }

}  // namespace tutti::kernels
