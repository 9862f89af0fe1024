#include "tutti/tensor/encode_fit.h"

#include <algorithm>
#include <cmath>

#include "tutti/tensor/iq_tables.h"

namespace tutti::tensor {
namespace {

// Starting scales around the one that just covers the range, and refits from each.
constexpr int kStarts = 12;
constexpr float kStartStep = 0.08f;
constexpr int kRefits = 2;

float Clamp(float x, float low, float high) { return std::min(std::max(x, low), high); }

// The best scale and minimum for fixed levels; false where the levels are all equal.
bool SolveAffine(const float* x, const float* w, const float* level, int n, AffineFit& fit) {
  float sw = 0, sl = 0, sll = 0, sx = 0, sxl = 0;
  for (int i = 0; i < n; ++i) {
    const float wl = w[i] * level[i];
    sw += w[i];
    sl += wl;
    sll += wl * level[i];
    sx += w[i] * x[i];
    sxl += wl * x[i];
  }
  const float determinant = sw * sll - sl * sl;
  if (!(determinant > 0)) return false;
  fit.scale = (sw * sxl - sx * sl) / determinant;
  fit.minimum = (sl * sxl - sll * sx) / determinant;
  if (fit.minimum < 0) {  // the format has no negative minima
    fit.minimum = 0;
    fit.scale = sxl / sll;
  }
  return fit.scale > 0;
}

float AffineLevels(const float* x, const float* w, int n, int max_level, const AffineFit& fit,
                   float* level) {
  const float inverse = 1 / fit.scale;
  float error = 0;
  for (int i = 0; i < n; ++i) {
    level[i] =
        Clamp(std::nearbyint((x[i] + fit.minimum) * inverse), 0, static_cast<float>(max_level));
    const float difference = fit.scale * level[i] - fit.minimum - x[i];
    error += w[i] * difference * difference;
  }
  return error;
}

// Iterates levels and scale for grids without a minimum. `Levels` fills the grid values for an
// inverse scale.
template <typename Levels>
void RefineScale(const float* x, const float* w, int n, float inverse, const Levels& levels,
                 float& best_scale, float& best_gain) {
  float grid[kGroupMax];
  for (int refit = 0; refit <= kRefits; ++refit) {
    levels(inverse, grid);
    float sxl = 0, sll = 0;
    for (int i = 0; i < n; ++i) {
      sxl += w[i] * x[i] * grid[i];
      sll += w[i] * grid[i] * grid[i];
    }
    if (!(sll > 0)) return;
    // The error falls from sum w x^2 by sxl^2 / sll.
    const float gain = sxl * sxl / sll;
    if (gain > best_gain) {
      best_gain = gain;
      best_scale = sxl / sll;
    }
    if (sxl == 0) return;
    inverse = sll / sxl;
  }
}

float LargestMagnitude(const float* x, int n) {
  float largest = 0;
  for (int i = 0; i < n; ++i) {
    if (std::abs(x[i]) > std::abs(largest)) largest = x[i];
  }
  return largest;
}

}  // namespace

AffineFit FitAffine(const float* x, const float* w, int n, int max_level) {
  const float low = std::min(0.0f, *std::min_element(x, x + n));
  const float high = *std::max_element(x, x + n);
  AffineFit best{0, -low};
  if (!(high > low)) return best;
  float best_error = INFINITY;
  float level[kGroupMax];
  for (int start = -kStarts; start <= kStarts; ++start) {
    const float steps = static_cast<float>(max_level) + kStartStep * static_cast<float>(start);
    AffineFit fit{(high - low) / steps, -low};
    if (!(fit.scale > 0) || !std::isfinite(1 / fit.scale)) continue;
    for (int refit = 0; refit <= kRefits; ++refit) {
      const float error = AffineLevels(x, w, n, max_level, fit, level);
      if (error < best_error) {
        best_error = error;
        best = fit;
      }
      if (!SolveAffine(x, w, level, n, fit) || !std::isfinite(1 / fit.scale)) break;
    }
  }
  return best;
}

float FitSymmetric(const float* x, const float* w, int n, int low, int high) {
  const float largest = LargestMagnitude(x, n);
  if (!std::isfinite(static_cast<float>(low) / largest)) return 0;
  float best_scale = 0, best_gain = 0;
  const auto levels = [&](float inverse, float* grid) {
    for (int i = 0; i < n; ++i) {
      grid[i] =
          Clamp(std::nearbyint(x[i] * inverse), static_cast<float>(low), static_cast<float>(high));
    }
  };
  for (const int end : {low, high}) {  // the largest value on the long or on the short side
    for (int start = -kStarts; start <= kStarts; ++start) {
      const float reach = static_cast<float>(end) + kStartStep * static_cast<float>(start);
      RefineScale(x, w, n, reach / largest, levels, best_scale, best_gain);
    }
  }
  return best_scale;
}

uint8_t NearestNonLinear4(float x) {
  // The levels rise; count the midpoints below x.
  uint8_t level = 0;
  for (int i = 0; i < 15; ++i) {
    level += x > 0.5f * static_cast<float>(kNonLinear4[i] + kNonLinear4[i + 1]);
  }
  return level;
}

float FitNonLinear4(const float* x, const float* w, int n) {
  const float largest = LargestMagnitude(x, n);
  if (!std::isfinite(kNonLinear4[0] / largest)) return 0;
  float best_scale = 0, best_gain = 0;
  const auto levels = [&](float inverse, float* grid) {
    for (int i = 0; i < n; ++i) {
      grid[i] = static_cast<float>(kNonLinear4[NearestNonLinear4(x[i] * inverse)]);
    }
  };
  for (const int end : {kNonLinear4[0], kNonLinear4[15]}) {
    for (int start = -kStarts; start <= kStarts; ++start) {
      const float reach = static_cast<float>(end) * (1 + 0.01f * static_cast<float>(start));
      RefineScale(x, w, n, reach / largest, levels, best_scale, best_gain);
    }
  }
  return best_scale;
}

}  // namespace tutti::tensor
