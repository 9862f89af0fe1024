// The feed-forward network of one layer as one operation: routed experts, shared experts beside
// them, or (a dense layer) the shared ones alone.
//
//   out[t] = sum over t's experts e of weight(t, e) * down_e(act(gate_e x[t], up_e x[t]))
//          + shared_weight(t) * down_s(act(gate_s x[t], up_s x[t]))
//
// The sum runs over the experts in ascending order of their ids, the shared ones last, and every
// product follows the arithmetic of MatMul: a token's result does not depend on the other tokens of
// the step. (Gated networks: arXiv 2002.05202; shared experts: arXiv 2401.06066.)
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
  std::span<const ExpertWeights> experts;  // all routed experts of the layer, of one inner width
  const ExpertWeights* shared = nullptr;   // every token goes there too; null: none
  const float* shared_weights = nullptr;   // [tokens]; null: 1
  Activation activation = Activation::kSilu;
  float swiglu_limit = 0;  // Activation::kClampedSwiglu
  float* out = nullptr;    // [tokens, dim], overwritten
  int64_t out_stride = 0;  // floats between rows of out
};

// x is [tokens, dim], routes.tokens == x.rows and every id is below job.experts.size(); without
// routed experts the routes have no slots.
void MoeExperts(const Activations& x, const Routes& routes, const MoeJob& job,
                KernelContext& context);

}  // namespace tutti::kernels
