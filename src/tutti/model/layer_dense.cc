// The gated feed-forward network (arXiv 2002.05202): down(activation(gate x) * up x).
#include "tutti/kernels/activation.h"
#include "tutti/model/layer.h"

namespace tutti::model {

void DenseFeedForward(const LayerContext& c, const FeedForwardWeights& w, const float* x,
                      float* out) {
  const int64_t rows = c.rows();
  const int64_t inner = w.gate.rows;
  float* gate = Room(c.scratch.gate, rows * inner);
  float* up = Room(c.scratch.up, rows * inner);
  const kernels::MatMulJob widen[] = {Job(w.gate, w.gate_bias, gate), Job(w.up, w.up_bias, up)};
  {
    const kernels::ProfileScope scope(c.kernels, kernels::Operation::kGateUp);
    kernels::MatMul(Rows(x, rows, c.model.dim), widen, c.kernels);
  }
  {
    const kernels::ProfileScope scope(c.kernels, kernels::Operation::kActivation);
    kernels::GatedActivationRows(c.model.activation, c.model.swiglu_limit, gate, up, rows, inner,
                                 inner, gate, inner, c.kernels);
  }
  const kernels::ProfileScope scope(c.kernels, kernels::Operation::kDown);
  const kernels::MatMulJob narrow[] = {Job(w.down, w.down_bias, out)};
  kernels::MatMul(Rows(gate, rows, inner), narrow, c.kernels);
}

}  // namespace tutti::model
