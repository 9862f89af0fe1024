// Products of activations with weight matrices in any of the number formats.
//
//   out[t][r] = sum_c W[r][c] * x[t][c]  (+ bias[r])
//
// Jobs that share their input (Q, K and V; gate and up) go in one call, so that the activations are
// quantised once and the threads are started once.
//
// Arithmetic: with context.exact every weight is dequantised to float32 and the sum is float32.
// Otherwise weights of quantised formats meet activations of 8 bits with one scale per 32 values,
// and float formats are computed in float32 (docs/formats/arithmetic.md). The result of a row of
// `x` depends on that row only: not on the other rows, their number or the number of threads.
//
// Threads: one call at a time per context. Errors: none; shapes are the caller's duty (checked).
#pragma once
#include <cstdint>
#include <span>

#include "tutti/kernels/context.h"
#include "tutti/tensor/view.h"

namespace tutti::kernels {

// Rows of floats [rows, cols], `stride` floats apart.
struct Activations {
  const float* data = nullptr;
  int64_t rows = 0;
  int64_t cols = 0;
  int64_t stride = 0;
  const float* Row(int64_t i) const { return data + i * stride; }
};

struct MatMulJob {
  tensor::WeightView weight;    // [out, in]
  const float* bias = nullptr;  // [out] or null
  float* out = nullptr;         // [rows of x that it takes, out]
  int64_t out_stride = 0;       // floats between rows of out
  // Takes the rows first, first + step, ... of x: the heads of a token, each with its own matrix,
  // are rows of one x.
  int64_t first = 0;
  int64_t step = 1;
};

// Sees what matrices are multiplied with, while context.observer is one: for importance matrices.
class MatMulObserver {
 public:
  virtual ~MatMulObserver() = default;
  // Before the jobs are computed, on the thread that calls MatMul.
  virtual void Observe(const Activations& x, std::span<const MatMulJob> jobs) = 0;
};

// Computes every job with rows of the same x; weight.cols == x.cols in each.
void MatMul(const Activations& x, std::span<const MatMulJob> jobs, KernelContext& context);

}  // namespace tutti::kernels
