// Least-squares fits of a few dozen weights to a grid of levels: the heart of every careful
// encoder.
//
// A group x[0..n) is to be replaced by scale * level - minimum with small integer levels so that
// sum w (x - approximation)^2 becomes small; w says how much each value matters. For given levels
// the best scale (and minimum) is linear least squares, for a given scale the best levels are the
// nearest ones: both are iterated from several starting scales.
//
// The functions work on sixteen groups side by side, so that they can be vectorised across groups
// with the very sums of the scalar code: a file does not depend on the machine that writes it.
// Here is the scalar form, kernels/encode_simd.h has the fast one.
//
// n <= kGroupMax. Values must be finite. Threads: any.
#pragma once
#include <cstdint>

namespace tutti::tensor {

inline constexpr int kGroupMax = 32;
inline constexpr int kFitLanes = 16;

// Starting scales around the one that just covers the range (on both sides), and refits from each.
inline constexpr int kFitStarts = 12;
inline constexpr float kFitStartStep = 0.08f;
inline constexpr int kFitRefits = 2;

// Value i of group g is x[i * kFitLanes + g]; w likewise, w >= 0. Groups that are not wanted hold
// zeros.
struct FitGroups {
  const float* x = nullptr;  // [n, kFitLanes]
  const float* w = nullptr;  // [n, kFitLanes]
  int n = 0;
};

// value = scale * level - minimum, levels 0 .. max_level.
struct AffineGrid {
  int max_level = 0;
  bool signed_minimum = false;  // otherwise minimum >= 0
};

// value = scale * level, levels low .. high (low < 0 < high), or scale * kNonLinear4[level].
struct ScaledGrid {
  int low = 0;
  int high = 0;
  bool non_linear = false;
};

struct GroupFits {
  // scale[g] >= 0 and minimum[g] of each group; scale 0 for a group of equal values.
  void (*fit_affine)(const FitGroups& groups, const AffineGrid& grid, float* scale, float* minimum);
  // The nearest levels [n, kFitLanes] (null: not wanted) and sum w (x - approximation)^2.
  void (*place_affine)(const FitGroups& groups, const AffineGrid& grid, const float* scale,
                       const float* minimum, uint8_t* levels, float* error);
  // scale[g] of any sign.
  void (*fit_scaled)(const FitGroups& groups, const ScaledGrid& grid, float* scale);
  // Levels are stored less `low`, or as indexes into kNonLinear4.
  void (*place_scaled)(const FitGroups& groups, const ScaledGrid& grid, const float* scale,
                       uint8_t* levels, float* error);
};

const GroupFits& ScalarGroupFits();

}  // namespace tutti::tensor
