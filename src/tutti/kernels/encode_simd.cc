#include "tutti/kernels/encode_simd.h"

#include <cmath>

#include "tutti/kernels/fixed_vectors.h"
#include "tutti/tensor/iq_tables.h"

// Compiles the rest of this file once per SIMD target whose vectors may be members.
#define HWY_DISABLED_TARGETS TUTTI_SCALABLE_TARGETS
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tutti/kernels/encode_simd.cc"
#include <hwy/foreach_target.h>
// foreach_target.h must come first.
#include <hwy/highway.h>

// A lane is a group. What the scalar code leaves by `continue`, `break` and `return` is a mask
// here: such lanes go on with harmless numbers that are not taken. No fused operations: the library
// is compiled with -ffp-contract=off.
HWY_BEFORE_NAMESPACE();
namespace tutti::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using tensor::AffineGrid;
using tensor::FitGroups;
using tensor::kFitLanes;
using tensor::kFitRefits;
using tensor::kFitStarts;
using tensor::kFitStartStep;
using tensor::kGroupMax;
using tensor::kNonLinear4;
using tensor::ScaledGrid;

using F32Tag = hn::CappedTag<float, kFitLanes>;
using I32Tag = hn::Rebind<int32_t, F32Tag>;
using U8Tag = hn::Rebind<uint8_t, F32Tag>;
using Floats = hn::Vec<F32Tag>;
using Lanes = hn::Mask<F32Tag>;

HWY_INLINE Floats Value(float value) { return hn::Set(F32Tag(), value); }
HWY_INLINE Floats RoundWithin(Floats x, Floats low, Floats high) {
  return hn::Min(hn::Max(hn::Round(x), low), high);
}
HWY_INLINE void StoreLevels(Floats level, uint8_t* out) {
  hn::StoreU(hn::DemoteTo(U8Tag(), hn::ConvertTo(I32Tag(), level)), U8Tag(), out);
}

// Some lanes of the groups.
struct Part {
  const float* x;
  const float* w;
  int n;
  HWY_INLINE Floats X(int i) const { return hn::LoadU(F32Tag(), x + i * kFitLanes); }
  HWY_INLINE Floats W(int i) const { return hn::LoadU(F32Tag(), w + i * kFitLanes); }
};

struct AffineFit {
  Floats scale;
  Floats minimum;
};

HWY_INLINE Floats AffineLevels(const Part& part, Floats top, AffineFit fit, float* levels) {
  const Floats inverse =
      hn::IfThenElseZero(hn::Gt(fit.scale, hn::Zero(F32Tag())), hn::Div(Value(1), fit.scale));
  Floats error = hn::Zero(F32Tag());
  for (int i = 0; i < part.n; ++i) {
    const Floats x = part.X(i);
    const Floats level =
        RoundWithin(hn::Mul(hn::Add(x, fit.minimum), inverse), hn::Zero(F32Tag()), top);
    const Floats difference = hn::Sub(hn::Sub(hn::Mul(fit.scale, level), fit.minimum), x);
    error = hn::Add(error, hn::Mul(hn::Mul(part.W(i), difference), difference));
    hn::StoreU(level, F32Tag(), levels + i * kFitLanes);
  }
  return error;
}

// Lanes without a solution keep their fit and leave `active`.
HWY_INLINE void SolveAffine(const Part& part, bool signed_minimum, const float* levels,
                            AffineFit& fit, Lanes& active) {
  const Floats zero = hn::Zero(F32Tag());
  Floats sw = zero, sl = zero, sll = zero, sx = zero, sxl = zero;
  for (int i = 0; i < part.n; ++i) {
    const Floats w = part.W(i);
    const Floats level = hn::LoadU(F32Tag(), levels + i * kFitLanes);
    const Floats wl = hn::Mul(w, level);
    const Floats x = part.X(i);
    sw = hn::Add(sw, w);
    sl = hn::Add(sl, wl);
    sll = hn::Add(sll, hn::Mul(wl, level));
    sx = hn::Add(sx, hn::Mul(w, x));
    sxl = hn::Add(sxl, hn::Mul(wl, x));
  }
  const Floats determinant = hn::Sub(hn::Mul(sw, sll), hn::Mul(sl, sl));
  Floats scale = hn::Div(hn::Sub(hn::Mul(sw, sxl), hn::Mul(sx, sl)), determinant);
  Floats minimum = hn::Div(hn::Sub(hn::Mul(sl, sxl), hn::Mul(sll, sx)), determinant);
  if (!signed_minimum) {
    const Lanes below = hn::Lt(minimum, zero);
    minimum = hn::IfThenElse(below, zero, minimum);
    scale = hn::IfThenElse(below, hn::Div(sxl, sll), scale);
  }
  active = hn::And(active,
                   hn::And(hn::Gt(determinant, zero),
                           hn::And(hn::Gt(scale, zero), hn::IsFinite(hn::Div(Value(1), scale)))));
  fit.scale = hn::IfThenElse(active, scale, fit.scale);
  fit.minimum = hn::IfThenElse(active, minimum, fit.minimum);
}

HWY_INLINE AffineFit FitAffine(const Part& part, const AffineGrid& grid) {
  const Floats zero = hn::Zero(F32Tag());
  Floats low = grid.signed_minimum ? part.X(0) : zero;
  Floats high = part.X(0);
  for (int i = 0; i < part.n; ++i) {
    const Floats x = part.X(i);
    low = hn::IfThenElse(hn::Lt(x, low), x, low);
    high = hn::IfThenElse(hn::Gt(x, high), x, high);
  }
  const Floats range = hn::Sub(high, low);
  const Floats top = Value(static_cast<float>(grid.max_level));
  AffineFit best{zero, hn::Sub(zero, low)};
  Floats best_error = Value(INFINITY);
  HWY_ALIGN float levels[kGroupMax * kFitLanes];
  for (int start = -kFitStarts; start <= kFitStarts; ++start) {
    const float steps =
        static_cast<float>(grid.max_level) + kFitStartStep * static_cast<float>(start);
    AffineFit fit{hn::Div(range, Value(steps)), hn::Sub(zero, low)};
    Lanes active = hn::And(hn::Gt(fit.scale, zero), hn::IsFinite(hn::Div(Value(1), fit.scale)));
    for (int refit = 0; refit <= kFitRefits; ++refit) {
      const Floats error = AffineLevels(part, top, fit, levels);
      const Lanes better = hn::And(active, hn::Lt(error, best_error));
      best_error = hn::IfThenElse(better, error, best_error);
      best.scale = hn::IfThenElse(better, fit.scale, best.scale);
      best.minimum = hn::IfThenElse(better, fit.minimum, best.minimum);
      if (refit < kFitRefits) SolveAffine(part, grid.signed_minimum, levels, fit, active);
    }
  }
  return best;
}

// Grid values and, for storing, levels.
struct IntegerGrid {
  Floats low;
  Floats high;
  HWY_INLINE Floats Nearest(Floats x) const { return RoundWithin(x, low, high); }
  HWY_INLINE Floats Level(Floats x) const { return hn::Sub(Nearest(x), low); }
};
struct NonLinearGrid {
  // Counts the midpoints below x, adding `step(i)` for each.
  template <class Step>
  static HWY_INLINE Floats Count(Floats x, float first, const Step& step) {
    Floats sum = Value(first);
    for (size_t i = 0; i < 15; ++i) {
      const float middle = 0.5f * static_cast<float>(kNonLinear4[i] + kNonLinear4[i + 1]);
      sum = hn::Add(sum, hn::IfThenElseZero(hn::Gt(x, Value(middle)), Value(step(i))));
    }
    return sum;
  }
  HWY_INLINE Floats Nearest(Floats x) const {
    return Count(x, kNonLinear4[0],
                 [](size_t i) { return static_cast<float>(kNonLinear4[i + 1] - kNonLinear4[i]); });
  }
  HWY_INLINE Floats Level(Floats x) const {
    return Count(x, 0, [](size_t) { return 1.0f; });
  }
};

template <class Grid>
HWY_INLINE void RefineScale(const Part& part, const Grid& grid, Floats inverse, Floats& best_scale,
                            Floats& best_gain, Lanes active) {
  const Floats zero = hn::Zero(F32Tag());
  for (int refit = 0; refit <= kFitRefits; ++refit) {
    Floats sxl = zero, sll = zero;
    for (int i = 0; i < part.n; ++i) {
      const Floats x = part.X(i);
      const Floats value = grid.Nearest(hn::Mul(x, inverse));
      const Floats wl = hn::Mul(part.W(i), value);
      sxl = hn::Add(sxl, hn::Mul(wl, x));
      sll = hn::Add(sll, hn::Mul(wl, value));
    }
    active = hn::And(active, hn::Gt(sll, zero));
    const Floats gain = hn::Div(hn::Mul(sxl, sxl), sll);
    const Lanes better = hn::And(active, hn::Gt(gain, best_gain));
    best_gain = hn::IfThenElse(better, gain, best_gain);
    best_scale = hn::IfThenElse(better, hn::Div(sxl, sll), best_scale);
    inverse = hn::Div(sll, sxl);
    active = hn::And(active, hn::IsFinite(inverse));
    inverse = hn::IfThenElseZero(active, inverse);
  }
}

template <class Grid>
HWY_INLINE Floats FitScaled(const Part& part, const Grid& grid, float low, float high, float step) {
  const Floats zero = hn::Zero(F32Tag());
  Floats largest = zero;
  for (int i = 0; i < part.n; ++i) {
    const Floats x = part.X(i);
    largest = hn::IfThenElse(hn::Gt(hn::Abs(x), hn::Abs(largest)), x, largest);
  }
  Floats inverse = hn::Div(Value(1), largest);
  const Lanes active = hn::IsFinite(hn::Mul(Value(low), inverse));
  inverse = hn::IfThenElseZero(active, inverse);
  Floats best_scale = zero, best_gain = zero;
  for (const float end : {low, high}) {
    for (int start = -kFitStarts; start <= kFitStarts; ++start) {
      const float reach = end + step * static_cast<float>(start);
      RefineScale(part, grid, hn::Mul(Value(reach), inverse), best_scale, best_gain, active);
    }
  }
  return best_scale;
}

template <class Grid>
HWY_INLINE Floats PlaceScaled(const Part& part, const Grid& grid, Floats scale, uint8_t* levels) {
  const Floats zero = hn::Zero(F32Tag());
  const Floats inverse = hn::IfThenElseZero(hn::Ne(scale, zero), hn::Div(Value(1), scale));
  Floats error = zero;
  for (int i = 0; i < part.n; ++i) {
    const Floats x = part.X(i);
    const Floats wanted = hn::Mul(x, inverse);
    const Floats difference = hn::Sub(hn::Mul(scale, grid.Nearest(wanted)), x);
    error = hn::Add(error, hn::Mul(hn::Mul(part.W(i), difference), difference));
    if (levels != nullptr) StoreLevels(grid.Level(wanted), levels + i * kFitLanes);
  }
  return error;
}

template <class Body>
HWY_INLINE void ForEachPart(const FitGroups& groups, const Body& body) {
  for (size_t lane = 0; lane < kFitLanes; lane += hn::Lanes(F32Tag())) {
    body(Part{groups.x + lane, groups.w + lane, groups.n}, lane);
  }
}

void FitAffineGroups(const FitGroups& groups, const AffineGrid& grid, float* scale,
                     float* minimum) {
  ForEachPart(groups, [&](const Part& part, size_t lane) HWY_ATTR {
    const AffineFit fit = FitAffine(part, grid);
    hn::StoreU(fit.scale, F32Tag(), scale + lane);
    hn::StoreU(fit.minimum, F32Tag(), minimum + lane);
  });
}

void PlaceAffineGroups(const FitGroups& groups, const AffineGrid& grid, const float* scale,
                       const float* minimum, uint8_t* levels, float* error) {
  ForEachPart(groups, [&](const Part& part, size_t lane) HWY_ATTR {
    HWY_ALIGN float values[kGroupMax * kFitLanes];
    const AffineFit fit{hn::LoadU(F32Tag(), scale + lane), hn::LoadU(F32Tag(), minimum + lane)};
    const Floats top = Value(static_cast<float>(grid.max_level));
    hn::StoreU(AffineLevels(part, top, fit, values), F32Tag(), error + lane);
    if (levels == nullptr) return;
    for (int i = 0; i < part.n; ++i) {
      StoreLevels(hn::LoadU(F32Tag(), values + i * kFitLanes), levels + i * kFitLanes + lane);
    }
  });
}

HWY_INLINE IntegerGrid IntegersOf(const ScaledGrid& grid) {
  return {Value(static_cast<float>(grid.low)), Value(static_cast<float>(grid.high))};
}

void FitScaledGroups(const FitGroups& groups, const ScaledGrid& grid, float* scale) {
  ForEachPart(groups, [&](const Part& part, size_t lane) HWY_ATTR {
    const Floats fit =
        grid.non_linear
            ? FitScaled(part, NonLinearGrid(), kNonLinear4[0], kNonLinear4[15], 16 * kFitStartStep)
            : FitScaled(part, IntegersOf(grid), static_cast<float>(grid.low),
                        static_cast<float>(grid.high), kFitStartStep);
    hn::StoreU(fit, F32Tag(), scale + lane);
  });
}

void PlaceScaledGroups(const FitGroups& groups, const ScaledGrid& grid, const float* scale,
                       uint8_t* levels, float* error) {
  ForEachPart(groups, [&](const Part& part, size_t lane) HWY_ATTR {
    const Floats scales = hn::LoadU(F32Tag(), scale + lane);
    uint8_t* to = levels == nullptr ? nullptr : levels + lane;
    const Floats errors = grid.non_linear ? PlaceScaled(part, NonLinearGrid(), scales, to)
                                          : PlaceScaled(part, IntegersOf(grid), scales, to);
    hn::StoreU(errors, F32Tag(), error + lane);
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace tutti::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tutti::kernels {

HWY_EXPORT(FitAffineGroups);
HWY_EXPORT(PlaceAffineGroups);
HWY_EXPORT(FitScaledGroups);
HWY_EXPORT(PlaceScaledGroups);

const tensor::GroupFits& FastGroupFits() {
  using tensor::AffineGrid;
  using tensor::FitGroups;
  using tensor::ScaledGrid;
  static constexpr tensor::GroupFits kFits{
      [](const FitGroups& groups, const AffineGrid& grid, float* scale, float* minimum) {
        HWY_DYNAMIC_DISPATCH(FitAffineGroups)(groups, grid, scale, minimum);
      },
      [](const FitGroups& groups, const AffineGrid& grid, const float* scale, const float* minimum,
         uint8_t* levels, float* error) {
        HWY_DYNAMIC_DISPATCH(PlaceAffineGroups)(groups, grid, scale, minimum, levels, error);
      },
      [](const FitGroups& groups, const ScaledGrid& grid, float* scale) {
        HWY_DYNAMIC_DISPATCH(FitScaledGroups)(groups, grid, scale);
      },
      [](const FitGroups& groups, const ScaledGrid& grid, const float* scale, uint8_t* levels,
         float* error) {
        HWY_DYNAMIC_DISPATCH(PlaceScaledGroups)(groups, grid, scale, levels, error);
      }};
  return kFits;
}

}  // namespace tutti::kernels
#endif  // HWY_ONCE
