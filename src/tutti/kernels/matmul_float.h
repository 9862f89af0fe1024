// The float32 product: float weights of every kind, and everything under --exact.
//
//   out[t][r] = sum_c W[r][c] * x[t][c]  (+ bias[r]),  r in [begin, end)
//
// Weights are decoded to float32 (kernels/decode_simd.h) a strip of rows at a time, and each strip
// meets every row of x. Each sum is formed in one fixed order (per vector lane by rising c, then
// across the lanes), so it depends on its own row of W and row of x only: not on the other rows, on
// their number, or on how rows are divided among threads.
//
// Threads: none in here. The dispatcher (matmul.cc) divides rows among the team; members may call
// this at the same time with scratch of their own. Errors: none, shapes are checked.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>

#include "tutti/kernels/matmul.h"

namespace tutti::kernels {

// How many floats of scratch a call for weights with `cols` columns needs.
size_t MatMulFloatScratch(int64_t cols);

// Computes rows [begin, end) of the job's matrix for every row of x.
void MatMulFloatRows(const Activations& x, const MatMulJob& job, int64_t begin, int64_t end,
                     std::span<float> scratch);

}  // namespace tutti::kernels
