// The routed experts of one layer as one operation.
//
//   out[t] = sum over t's experts e of weight(t, e) * down_e(act(gate_e x[t], up_e x[t]))
//
// The sum runs over the experts in ascending order of their ids, and every product follows the
// arithmetic of MatMul: a token's result does not depend on the other tokens of the step.
//
// Threads: one call at a time per context. Errors: none; shapes are the caller's duty (checked).
#pragma once
#include <cstdint>
#include <span>

#include "tutti/kernels/context.h"
#include "tutti/kernels/matmul.h"
#include "tutti/kernels/router.h"
#include "tutti/spec/model_spec.h"
#include "tutti/tensor/view.h"

namespace tutti::kernels {

struct ExpertWeights {
  tensor::WeightView gate;           // [expert_dim, dim]
  tensor::WeightView up;             // [expert_dim, dim]
  tensor::WeightView down;           // [dim, expert_dim]
  const float* gate_bias = nullptr;  // [expert_dim] or null
  const float* up_bias = nullptr;    // [expert_dim] or null
  const float* down_bias = nullptr;  // [dim] or null
};

struct MoeJob {
  std::span<const ExpertWeights> experts;  // all experts of the layer
  Activation activation = Activation::kSilu;
  float swiglu_limit = 0;  // Activation::kClampedSwiglu
  float* out = nullptr;    // [tokens, dim], overwritten
  int64_t out_stride = 0;  // floats between rows of out
};

// x is [tokens, dim], routes.tokens == x.rows and every id is below job.experts.size().
void MoeExperts(const Activations& x, const Routes& routes, const MoeJob& job,
                KernelContext& context);

}  // namespace tutti::kernels
