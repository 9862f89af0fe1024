// Sums of activation rows, for residual connections.
//
// Shapes: all spans of a call have the same length. Threads: none; callers parallelise.
// Each element is computed by itself: cutting a span in two changes no bit.
#pragma once
#include <span>

namespace tutti::kernels {

// out[i] += x[i]
void AddTo(std::span<const float> x, std::span<float> out);

// out[i] += scale * x[i], in one rounding where the machine has a fused multiply-add.
void AddScaledTo(std::span<const float> x, float scale, std::span<float> out);

// x[i] *= scale
void ScaleInPlace(float scale, std::span<float> x);

}  // namespace tutti::kernels
