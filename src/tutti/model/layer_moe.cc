// A mixture of experts (arXiv 1701.06538; fine-grained and shared experts: arXiv 2401.06066).
//
//   router logits -> routes: experts and weights for each token      kernels/router.h
//   tokens grouped by expert, experts computed, sums weighed, and
//   the shared experts as one more, gated or not                     kernels/moe.h
#include <algorithm>
#include <atomic>
#include <vector>

#include "tutti/kernels/activation.h"
#include "tutti/kernels/elementwise.h"
#include "tutti/model/layer.h"

namespace tutti::model {
namespace {

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

void CountTokens(const LayerContext& c) {
  const kernels::Routes& routes = c.scratch.routes;
  for (int64_t i = 0; i < routes.tokens * routes.slots; ++i) {
    const auto id = static_cast<size_t>(routes.experts[static_cast<size_t>(i)]);
    std::atomic_ref<int64_t> count(c.expert_tokens[id]);
    count.store(count.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }
}

// What MoeExperts computes, with every product by itself, so that an observer sees its input.
void ObservedExperts(const LayerContext& c, const kernels::MoeJob& job, const float* x) {
  const int64_t dim = c.model.dim;
  const kernels::Routes& routes = c.scratch.routes;
  kernels::ExpertGroups groups;
  kernels::GroupByExpert(routes, std::ssize(job.experts), groups);
  std::fill_n(job.out, routes.tokens * dim, 0.0f);
  os::StepFloats in, down;
  const auto add = [&](int64_t i, int64_t token, float weight) {
    kernels::AddScaledTo({down.data() + i * dim, static_cast<size_t>(dim)}, weight,
                         {job.out + token * dim, static_cast<size_t>(dim)});
  };
  for (const int32_t id : groups.active) {
    const auto first = static_cast<size_t>(groups.offsets[static_cast<size_t>(id)]);
    const auto last = static_cast<size_t>(groups.offsets[static_cast<size_t>(id) + 1]);
    const std::span<const int32_t> pairs = std::span(groups.pairs).subspan(first, last - first);
    const int64_t rows = std::ssize(pairs);
    float* row = Room(in, rows * dim);
    for (const int32_t pair : pairs) {
      std::copy_n(x + pair / routes.slots * dim, dim, row);
      row += dim;
    }
    FeedForwardByParts(c, job.experts[static_cast<size_t>(id)], in.data(), rows,
                       Room(down, rows * dim));
    for (int64_t i = 0; i < rows; ++i) {
      const int32_t pair = pairs[static_cast<size_t>(i)];
      add(i, pair / routes.slots, routes.weights[static_cast<size_t>(pair)]);
    }
  }
  if (job.shared == nullptr) return;
  FeedForwardByParts(c, *job.shared, x, routes.tokens, Room(down, routes.tokens * dim));
  for (int64_t t = 0; t < routes.tokens; ++t) {
    add(t, t, job.shared_weights == nullptr ? 1.0f : job.shared_weights[t]);
  }
}

}  // namespace

void MoeFeedForward(const LayerContext& c, const MoeWeights& w, const float* x, float* out) {
  const MoeSpec& spec = c.model.moe;
  const int64_t rows = c.rows();
  const int64_t dim = c.model.dim;

  float* logits = Room(c.scratch.router, rows * (spec.experts + 1));
  float* shared_gate = spec.shared_gate ? logits + rows * spec.experts : nullptr;
  {
    const kernels::ProfileScope scope(c.kernels, kernels::Operation::kRouter);
    const kernels::MatMulJob route[] = {Job(w.router, w.router_bias, logits),
                                        Job(w.shared_router, {}, shared_gate)};
    kernels::MatMul(Rows(x, rows, dim), std::span(route).first(spec.shared_gate ? 2 : 1),
                    c.kernels);
    if (spec.shared_gate) kernels::SigmoidInPlace({shared_gate, static_cast<size_t>(rows)});
    kernels::Route(spec, logits, rows, DataOrNull(w.selection_bias), c.scratch.routes, c.kernels);
  }
  CountTokens(c);
  if (c.kernels.profile != nullptr) CountExperts(c, w);

  const kernels::ExpertWeights shared = ExpertOf(w.shared);
  const kernels::MoeJob experts{.experts = w.experts,
                                .shared = spec.shared_dim > 0 ? &shared : nullptr,
                                .shared_weights = shared_gate,
                                .activation = c.model.activation,
                                .swiglu_limit = c.model.swiglu_limit,
                                .out = out,
                                .out_stride = dim};
  const kernels::ProfileScope scope(c.kernels, kernels::Operation::kFeedForward);
  if (c.kernels.observer != nullptr) return ObservedExperts(c, experts, x);
  kernels::MoeExperts(Rows(x, rows, dim), c.scratch.routes, experts, c.kernels);
}

}  // namespace tutti::model
