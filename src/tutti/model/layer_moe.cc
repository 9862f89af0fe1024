// A mixture of experts (arXiv 1701.06538; fine-grained and shared experts: arXiv 2401.06066).
//
//   router logits -> routes: experts and weights for each token      kernels/router.h
//   tokens grouped by expert, experts computed, sums weighed         kernels/moe.h
//   the shared experts, as one dense network, gated or not, added
#include <algorithm>
#include <vector>

#include "tutti/kernels/activation.h"
#include "tutti/kernels/elementwise.h"
#include "tutti/kernels/moe.h"
#include "tutti/model/layer.h"

namespace tutti::model {
namespace {

// out += (sigmoid of the gate) * shared experts
void AddSharedExperts(const LayerContext& c, const MoeWeights& w, const float* x, float* out) {
  const kernels::ProfileScope scope(c.kernels, kernels::Operation::kSharedExperts);
  const int64_t rows = c.rows();
  const int64_t dim = c.model.dim;
  float* shared = Room(c.scratch.shared, rows * dim);
  DenseFeedForward(c, w.shared, x, shared);
  float* gate = nullptr;
  if (c.model.moe.shared_gate) {
    gate = Room(c.scratch.router, rows);
    const kernels::MatMulJob job[] = {Job(w.shared_router, {}, gate)};
    kernels::MatMul(Rows(x, rows, dim), job, c.kernels);
    kernels::SigmoidInPlace({gate, static_cast<size_t>(rows)});
  }
  c.kernels.pool.ParallelFor(rows, kRowGrain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const std::span<const float> from(shared + i * dim, static_cast<size_t>(dim));
      const std::span<float> to(out + i * dim, static_cast<size_t>(dim));
      if (gate == nullptr) {
        kernels::AddTo(from, to);
      } else {
        kernels::AddScaledTo(from, gate[i], to);
      }
    }
  });
}

// Which experts the step touches, for the profile.
void CountExperts(const LayerContext& c, const MoeWeights& w) {
  std::vector<bool> touched(w.experts.size());
  int64_t experts = 0;
  int64_t bytes = 0;
  const kernels::Routes& routes = c.scratch.routes;
  for (int64_t i = 0; i < routes.tokens * routes.slots; ++i) {
    const auto id = static_cast<size_t>(routes.experts[static_cast<size_t>(i)]);
    if (touched[id]) continue;
    touched[id] = true;
    ++experts;
    const kernels::ExpertWeights& e = w.experts[id];
    bytes += e.gate.ReadBytes() + e.up.ReadBytes() + e.down.ReadBytes();
  }
  c.kernels.profile->AddExperts(experts, bytes);
}

// What MoeExperts computes, with every product by itself, so that an observer sees its input.
void ObservedExperts(const LayerContext& c, const kernels::MoeJob& job, const float* x) {
  const int64_t dim = c.model.dim;
  const kernels::Routes& routes = c.scratch.routes;
  kernels::ExpertGroups groups;
  kernels::GroupByExpert(routes, std::ssize(job.experts), groups);
  std::fill_n(job.out, routes.tokens * dim, 0.0f);
  std::vector<float> in, gate, up, down;
  for (const int32_t id : groups.active) {
    const kernels::ExpertWeights& w = job.experts[static_cast<size_t>(id)];
    const auto first = static_cast<size_t>(groups.offsets[static_cast<size_t>(id)]);
    const auto last = static_cast<size_t>(groups.offsets[static_cast<size_t>(id) + 1]);
    const std::span<const int32_t> pairs = std::span(groups.pairs).subspan(first, last - first);
    const int64_t rows = std::ssize(pairs);
    const int64_t inner = w.gate.rows;
    float* row = Room(in, rows * dim);
    for (const int32_t pair : pairs) {
      std::copy_n(x + pair / routes.slots * dim, dim, row);
      row += dim;
    }
    Room(gate, rows * inner);
    Room(up, rows * inner);
    Room(down, rows * dim);
    const kernels::MatMulJob widen[] = {
        {.weight = w.gate, .bias = w.gate_bias, .out = gate.data(), .out_stride = inner},
        {.weight = w.up, .bias = w.up_bias, .out = up.data(), .out_stride = inner}};
    kernels::MatMul(Rows(in.data(), rows, dim), widen, c.kernels);
    kernels::GatedActivationRows(job.activation, job.swiglu_limit, gate.data(), up.data(), rows,
                                 inner, inner, gate.data(), inner, c.kernels);
    const kernels::MatMulJob narrow[] = {
        {.weight = w.down, .bias = w.down_bias, .out = down.data(), .out_stride = dim}};
    kernels::MatMul(Rows(gate.data(), rows, inner), narrow, c.kernels);
    for (size_t i = 0; i < pairs.size(); ++i) {
      const std::span<const float> from(down.data() + static_cast<int64_t>(i) * dim,
                                        static_cast<size_t>(dim));
      const std::span<float> to(job.out + pairs[i] / routes.slots * dim, static_cast<size_t>(dim));
      kernels::AddScaledTo(from, routes.weights[static_cast<size_t>(pairs[i])], to);
    }
  }
}

}  // namespace

void MoeFeedForward(const LayerContext& c, const MoeWeights& w, const float* x, float* out) {
  const MoeSpec& spec = c.model.moe;
  const int64_t rows = c.rows();
  const int64_t dim = c.model.dim;

  float* logits = Room(c.scratch.router, rows * spec.experts);
  {
    const kernels::ProfileScope scope(c.kernels, kernels::Operation::kRouter);
    const kernels::MatMulJob route[] = {Job(w.router, w.router_bias, logits)};
    kernels::MatMul(Rows(x, rows, dim), route, c.kernels);
    kernels::Route(spec, logits, rows, DataOrNull(w.selection_bias), c.scratch.routes, c.kernels);
  }
  if (c.kernels.profile != nullptr) CountExperts(c, w);

  const kernels::MoeJob experts{.experts = w.experts,
                                .activation = c.model.activation,
                                .swiglu_limit = c.model.swiglu_limit,
                                .out = out,
                                .out_stride = dim};
  if (c.kernels.observer != nullptr) {
    ObservedExperts(c, experts, x);
  } else {
    const kernels::ProfileScope scope(c.kernels, kernels::Operation::kExperts);
    kernels::MoeExperts(Rows(x, rows, dim), c.scratch.routes, experts, c.kernels);
  }

  if (spec.shared_dim > 0) AddSharedExperts(c, w, x, out);
}

}  // namespace tutti::model
