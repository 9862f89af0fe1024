#include "tutti/tensor/encode_fit.h"

#include <algorithm>
#include <cmath>

#include "tutti/tensor/iq_tables.h"

// kernels/encode_simd.cc does the same operations in the same order: change both.
namespace tutti::tensor {
namespace {

// What is not a number (after an overflow) becomes `low`.
float Clamp(float x, float low, float high) { return x > low ? std::min(x, high) : low; }

// One of the groups.
class Group {
 public:
  Group(const FitGroups& groups, int lane)
      : x_(groups.x + lane), w_(groups.w + lane), n_(groups.n) {}
  int n() const { return n_; }
  float x(int i) const { return x_[i * kFitLanes]; }
  float w(int i) const { return w_[i * kFitLanes]; }

 private:
  const float* x_;
  const float* w_;
  int n_;
};

struct AffineFit {
  float scale = 0;
  float minimum = 0;
};

// The best scale and minimum for fixed levels; false where there is none.
bool SolveAffine(const Group& group, const AffineGrid& grid, const float* level, AffineFit& fit) {
  float sw = 0, sl = 0, sll = 0, sx = 0, sxl = 0;
  for (int i = 0; i < group.n(); ++i) {
    const float w = group.w(i);
    const float wl = w * level[i];
    sw += w;
    sl += wl;
    sll += wl * level[i];
    sx += w * group.x(i);
    sxl += wl * group.x(i);
  }
  const float determinant = sw * sll - sl * sl;
  if (!(determinant > 0)) return false;
  fit.scale = (sw * sxl - sx * sl) / determinant;
  fit.minimum = (sl * sxl - sll * sx) / determinant;
  if (fit.minimum < 0 && !grid.signed_minimum) {
    fit.minimum = 0;
    fit.scale = sxl / sll;
  }
  return fit.scale > 0 && std::isfinite(1 / fit.scale);
}

float AffineLevels(const Group& group, const AffineGrid& grid, const AffineFit& fit, float* level) {
  const float inverse = fit.scale > 0 ? 1 / fit.scale : 0;
  float error = 0;
  for (int i = 0; i < group.n(); ++i) {
    const float x = group.x(i);
    level[i] =
        Clamp(std::nearbyint((x + fit.minimum) * inverse), 0, static_cast<float>(grid.max_level));
    const float difference = fit.scale * level[i] - fit.minimum - x;
    error += group.w(i) * difference * difference;
  }
  return error;
}

AffineFit FitAffine(const Group& group, const AffineGrid& grid) {
  float low = grid.signed_minimum ? group.x(0) : 0;
  float high = group.x(0);
  for (int i = 0; i < group.n(); ++i) {
    if (group.x(i) < low) low = group.x(i);
    if (group.x(i) > high) high = group.x(i);
  }
  AffineFit best{0, 0 - low};
  float best_error = INFINITY;
  float level[kGroupMax];
  for (int start = -kFitStarts; start <= kFitStarts; ++start) {
    const float steps =
        static_cast<float>(grid.max_level) + kFitStartStep * static_cast<float>(start);
    AffineFit fit{(high - low) / steps, 0 - low};
    if (!(fit.scale > 0) || !std::isfinite(1 / fit.scale)) continue;
    for (int refit = 0; refit <= kFitRefits; ++refit) {
      const float error = AffineLevels(group, grid, fit, level);
      if (error < best_error) {
        best_error = error;
        best = fit;
      }
      if (!SolveAffine(group, grid, level, fit)) break;
    }
  }
  return best;
}

// The index of the grid value that is nearest to x: the values rise, count the midpoints below.
int NearestNonLinear4(float x) {
  int level = 0;
  for (int i = 0; i < 15; ++i) {
    level += x > 0.5f * static_cast<float>(kNonLinear4[i] + kNonLinear4[i + 1]);
  }
  return level;
}

// Returns the grid value, sets the level as it is stored.
float NearestValue(const ScaledGrid& grid, float x, int& level) {
  if (grid.non_linear) {
    level = NearestNonLinear4(x);
    return static_cast<float>(kNonLinear4[level]);
  }
  const float value =
      Clamp(std::nearbyint(x), static_cast<float>(grid.low), static_cast<float>(grid.high));
  level = static_cast<int>(value) - grid.low;
  return value;
}

// Iterates levels and scale from 1 / inverse.
void RefineScale(const Group& group, const ScaledGrid& grid, float inverse, float& best_scale,
                 float& best_gain) {
  for (int refit = 0; refit <= kFitRefits; ++refit) {
    float sxl = 0, sll = 0;
    for (int i = 0; i < group.n(); ++i) {
      int level = 0;
      const float value = NearestValue(grid, group.x(i) * inverse, level);
      const float wl = group.w(i) * value;
      sxl += wl * group.x(i);
      sll += wl * value;
    }
    if (!(sll > 0)) return;
    // The error falls from sum w x^2 by sxl^2 / sll.
    const float gain = sxl * sxl / sll;
    if (gain > best_gain) {
      best_gain = gain;
      best_scale = sxl / sll;
    }
    inverse = sll / sxl;
    if (!std::isfinite(inverse)) return;
  }
}

float FitScaled(const Group& group, const ScaledGrid& grid) {
  float largest = 0;
  for (int i = 0; i < group.n(); ++i) {
    if (std::abs(group.x(i)) > std::abs(largest)) largest = group.x(i);
  }
  const auto low = static_cast<float>(grid.non_linear ? kNonLinear4[0] : grid.low);
  const auto high = static_cast<float>(grid.non_linear ? kNonLinear4[15] : grid.high);
  const float inverse = 1 / largest;
  if (!std::isfinite(low * inverse)) return 0;
  // A step is a fraction of a level; the levels at the ends of the non-linear grid are far apart.
  const float step = grid.non_linear ? 16 * kFitStartStep : kFitStartStep;
  float best_scale = 0, best_gain = 0;
  for (const float end : {low, high}) {  // the largest value on the long or on the short side
    for (int start = -kFitStarts; start <= kFitStarts; ++start) {
      RefineScale(group, grid, (end + step * static_cast<float>(start)) * inverse, best_scale,
                  best_gain);
    }
  }
  return best_scale;
}

void FitAffineGroups(const FitGroups& groups, const AffineGrid& grid, float* scale,
                     float* minimum) {
  for (int lane = 0; lane < kFitLanes; ++lane) {
    const AffineFit fit = FitAffine(Group(groups, lane), grid);
    scale[lane] = fit.scale;
    minimum[lane] = fit.minimum;
  }
}

void PlaceAffineGroups(const FitGroups& groups, const AffineGrid& grid, const float* scale,
                       const float* minimum, uint8_t* levels, float* error) {
  float level[kGroupMax];
  for (int lane = 0; lane < kFitLanes; ++lane) {
    error[lane] = AffineLevels(Group(groups, lane), grid, {scale[lane], minimum[lane]}, level);
    if (levels == nullptr) continue;
    for (int i = 0; i < groups.n; ++i) {
      levels[i * kFitLanes + lane] = static_cast<uint8_t>(level[i]);
    }
  }
}

void FitScaledGroups(const FitGroups& groups, const ScaledGrid& grid, float* scale) {
  for (int lane = 0; lane < kFitLanes; ++lane) scale[lane] = FitScaled(Group(groups, lane), grid);
}

void PlaceScaledGroups(const FitGroups& groups, const ScaledGrid& grid, const float* scale,
                       uint8_t* levels, float* error) {
  for (int lane = 0; lane < kFitLanes; ++lane) {
    const Group group(groups, lane);
    const float inverse = scale[lane] != 0 ? 1 / scale[lane] : 0;
    error[lane] = 0;
    for (int i = 0; i < group.n(); ++i) {
      int level = 0;
      const float value = NearestValue(grid, group.x(i) * inverse, level);
      const float difference = scale[lane] * value - group.x(i);
      error[lane] += group.w(i) * difference * difference;
      if (levels != nullptr) levels[i * kFitLanes + lane] = static_cast<uint8_t>(level);
    }
  }
}

}  // namespace

const GroupFits& ScalarGroupFits() {
  static constexpr GroupFits kFits{FitAffineGroups, PlaceAffineGroups, FitScaledGroups,
                                   PlaceScaledGroups};
  return kFits;
}

}  // namespace tutti::tensor
