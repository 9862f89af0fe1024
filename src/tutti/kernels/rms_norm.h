// Root-mean-square normalisation of activation rows (Zhang, Sennrich: arXiv 1910.07467).
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>

#include "tutti/kernels/context.h"

namespace tutti::kernels {

// Writes out[i] = x[i] / rms(x) * weight[i], where rms(x) = sqrt(mean(x^2) + eps).
//
// Shapes: x, weight and out are all [dim], dim > 0; out may be x.
// Threads: none; one call handles one row.
void RmsNorm(std::span<const float> x, std::span<const float> weight, float eps,
             std::span<float> out);

// The same for `rows` rows of [groups][dim] values, each group by itself with the same weights:
// a whole row is groups = 1, the heads of a query groups = heads. Strides in floats; out may be x.
// Threads: parallel over rows.
void RmsNormRows(const float* x, int64_t rows, int64_t groups, int64_t x_stride,
                 std::span<const float> weight, float eps, float* out, int64_t out_stride,
                 KernelContext& context);

// One row in double precision and without SIMD: the oracle of the tests.
void RmsNormReference(std::span<const float> x, std::span<const float> weight, float eps,
                      std::span<float> out);

}  // namespace tutti::kernels
