// The gated feed-forward network (arXiv 2002.05202): down(activation(gate x) * up x).
#include <vector>

#include "tutti/kernels/activation.h"
#include "tutti/model/layer.h"

namespace tutti::model {

kernels::ExpertWeights ExpertOf(const FeedForwardWeights& w) {
  return {.gate = w.gate,
          .up = w.up,
          .down = w.down,
          .gate_bias = DataOrNull(w.gate_bias),
          .up_bias = DataOrNull(w.up_bias),
          .down_bias = DataOrNull(w.down_bias)};
}

void FeedForwardByParts(const LayerContext& c, const kernels::ExpertWeights& w, const float* x,
                        int64_t rows, float* out) {
  const int64_t dim = w.gate.cols;
  const int64_t inner = w.gate.rows;
  std::vector<float> gate(static_cast<size_t>(rows * inner));
  std::vector<float> up(gate.size());
  const kernels::MatMulJob widen[] = {
      {.weight = w.gate, .bias = w.gate_bias, .out = gate.data(), .out_stride = inner},
      {.weight = w.up, .bias = w.up_bias, .out = up.data(), .out_stride = inner}};
  kernels::MatMul(Rows(x, rows, dim), widen, c.kernels);
  kernels::GatedActivation(c.model.activation, c.model.swiglu_limit, gate, up, gate);
  const kernels::MatMulJob narrow[] = {
      {.weight = w.down, .bias = w.down_bias, .out = out, .out_stride = dim}};
  kernels::MatMul(Rows(gate.data(), rows, inner), narrow, c.kernels);
}

void DenseFeedForward(const LayerContext& c, const FeedForwardWeights& w, const float* x,
                      float* out) {
  const kernels::ProfileScope scope(c.kernels, kernels::Operation::kFeedForward);
  const kernels::ExpertWeights network = ExpertOf(w);
  if (c.kernels.observer != nullptr) return FeedForwardByParts(c, network, x, c.rows(), out);
  kernels::Routes none;
  none.tokens = c.rows();
  kernels::MoeExperts(Rows(x, c.rows(), c.model.dim), none,
                      {.experts = {},
                       .shared = &network,
                       .activation = c.model.activation,
                       .swiglu_limit = c.model.swiglu_limit,
                       .out = out,
                       .out_stride = c.model.dim},
                      c.kernels);
}

}  // namespace tutti::model
