// Least-squares fits of a few dozen weights to a grid of levels: the heart of every careful
// encoder.
//
// A group x[0..n) is to be replaced by scale * level - minimum with small integer levels so that
// sum w (x - approximation)^2 becomes small; w says how much each value matters. For given levels
// the best scale (and minimum) is linear least squares, for a given scale the best levels are the
// nearest ones: both are iterated from several starting scales.
//
// n <= kGroupMax. Values must be finite. Threads: any.
#pragma once
#include <cstdint>

namespace tutti::tensor {

inline constexpr int kGroupMax = 32;

struct AffineFit {
  float scale = 0;    // >= 0
  float minimum = 0;  // >= 0
};

// Levels 0 .. max_level.
AffineFit FitAffine(const float* x, const float* w, int n, int max_level);

// value = scale * level, levels low .. high (low < 0 < high); the scale may be negative.
float FitSymmetric(const float* x, const float* w, int n, int low, int high);

// value = scale * kNonLinear4[level], levels 0..15.
float FitNonLinear4(const float* x, const float* w, int n);

// The level whose grid value scale * kNonLinear4[level] is nearest to x.
uint8_t NearestNonLinear4(float x_over_scale);

}  // namespace tutti::tensor
