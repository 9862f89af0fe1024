// Dot product of two rows of floats.
#pragma once
#include <span>

namespace tutti::kernels {

// sum_i a[i] * b[i] in float32, four chains of vectors and then a scalar tail: the order depends on
// the length and the machine's vectors only. Shapes: equal lengths. Threads: any.
float Dot(std::span<const float> a, std::span<const float> b);

}  // namespace tutti::kernels
