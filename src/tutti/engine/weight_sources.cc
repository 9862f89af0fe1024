#include "tutti/engine/weight_sources.h"

#include <fmt/format.h>

#include <span>
#include <utility>

namespace tutti::engine {
namespace {

using model::AttentionWeights;
using model::FeedForwardWeights;
using tensor::WeightView;

// The row of the model that becomes row r: the first `rotated` rows of a head are taken in turns
// from its first and its second half.
std::vector<int64_t> PairedRows(int64_t heads, int64_t head_dim, int64_t rotated) {
  std::vector<int64_t> order;
  order.reserve(static_cast<size_t>(heads * head_dim));
  for (int64_t head = 0; head < heads; ++head) {
    for (int64_t i = 0; i < head_dim; ++i) {
      const int64_t from = i >= rotated ? i : i / 2 + (i % 2) * (rotated / 2);
      order.push_back(head * head_dim + from);
    }
  }
  return order;
}

class Collector {
 public:
  explicit Collector(WeightSources& sources) : sources_(sources) {}
  void EnterLayer(const std::string& pattern, int64_t layer) {
    prefix_ = fmt::format(fmt::runtime(pattern), layer);
  }
  void LeaveLayers() { prefix_.clear(); }

  void Matrix(const std::string& stem, const WeightView& view, std::vector<int64_t> order = {}) {
    if (view.empty()) return;
    At(stem + ".weight") = {{view}, std::move(order), {}};
  }
  void Stack(const std::string& stem, std::vector<WeightView> views) {
    if (!views.empty()) At(stem + ".weight").matrices = std::move(views);
  }
  void Norm(const std::string& stem, const std::vector<float>& values) {
    Vector(stem + ".weight", values);
  }
  void Vector(const std::string& name, const std::vector<float>& values,
              const std::vector<int64_t>& order = {}) {
    if (values.empty()) return;
    std::vector<float>& out = At(name).vector;
    out = values;
    for (size_t i = 0; i < order.size(); ++i) out[i] = values[static_cast<size_t>(order[i])];
  }
  void Append(const std::string& name, std::span<const float> values) {
    std::vector<float>& out = At(name).vector;
    out.insert(out.end(), values.begin(), values.end());
  }

 private:
  WeightSource& At(const std::string& name) { return sources_[prefix_ + name]; }

  WeightSources& sources_;
  std::string prefix_;
};

void AddAttention(const AttentionSpec& spec, const AttentionWeights& a, const model::TensorNames& n,
                  int64_t paired_dim, Collector& out) {
  std::vector<int64_t> q_order;
  std::vector<int64_t> k_order;
  if (paired_dim > 0) {
    q_order = PairedRows(spec.heads, spec.key_dim, paired_dim);
    k_order = PairedRows(spec.kv_heads, spec.key_dim, paired_dim);
  }
  out.Matrix(spec.q_rank > 0 ? n.q_b : n.q, a.q, q_order);
  out.Matrix(n.k, a.k, k_order);
  out.Matrix(n.v, a.v);
  out.Matrix(n.o, a.o);
  out.Vector(n.q + ".bias", a.q_bias, q_order);
  out.Vector(n.k + ".bias", a.k_bias, k_order);
  out.Vector(n.v + ".bias", a.v_bias);
  out.Vector(n.o + ".bias", a.o_bias);
  out.Norm(n.q_norm, a.q_norm);
  out.Norm(n.k_norm, a.k_norm);
  out.Vector(n.sinks, a.sinks);
  out.Matrix(n.q_a, a.q_down);
  out.Norm(n.q_a_norm, a.q_down_norm);
  out.Matrix(n.kv_a, a.kv_down);
  out.Norm(n.kv_a_norm, a.kv_down_norm);
  out.Stack(n.k_b, a.k_up);
  out.Stack(n.v_b, a.v_up);
}

void AddFeedForward(const FeedForwardWeights& f, const std::string& gate, const std::string& up,
                    const std::string& down, Collector& out) {
  out.Matrix(gate, f.gate);
  out.Matrix(up, f.up);
  out.Matrix(down, f.down);
  out.Vector(gate + ".bias", f.gate_bias);
  out.Vector(up + ".bias", f.up_bias);
  out.Vector(down + ".bias", f.down_bias);
}

void AddExperts(const model::MoeWeights& moe, const ModelSpec& spec, const model::TensorNames& n,
                Collector& out) {
  out.Matrix(n.router, moe.router);
  out.Vector(n.router + ".bias", moe.router_bias);
  out.Vector(n.selection_bias, moe.selection_bias);
  std::vector<WeightView> gate, up, down;
  for (const auto& expert : moe.experts) {
    gate.push_back(expert.gate);
    up.push_back(expert.up);
    down.push_back(expert.down);
    if (!spec.moe.expert_bias) continue;
    const auto inner = static_cast<size_t>(spec.moe.expert_dim);
    out.Append(n.expert_gate + ".bias", {expert.gate_bias, inner});
    out.Append(n.expert_up + ".bias", {expert.up_bias, inner});
    out.Append(n.expert_down + ".bias", {expert.down_bias, static_cast<size_t>(spec.dim)});
  }
  out.Stack(n.expert_gate, std::move(gate));
  out.Stack(n.expert_up, std::move(up));
  out.Stack(n.expert_down, std::move(down));
  AddFeedForward(moe.shared, n.shared_gate, n.shared_up, n.shared_down, out);
  out.Matrix(n.shared_router, moe.shared_router);
}

}  // namespace

WeightSources WeightSourcesOf(const ModelSpec& spec, const model::TensorNames& n,
                              const model::Weights& weights, bool pair_rows) {
  WeightSources sources;
  Collector out(sources);
  out.Matrix(n.embedding, weights.embedding);
  out.Vector("rope_freqs.weight", spec.rope[0].frequency_divisors);
  for (size_t i = 0; i < spec.layers.size(); ++i) {
    const LayerSpec& layer = spec.layers[i];
    const model::LayerWeights& w = weights.layers[i];
    const int64_t paired =
        pair_rows && layer.rope >= 0 ? spec.rope[static_cast<size_t>(layer.rope)].dim : 0;
    out.EnterLayer(n.layer_prefix, static_cast<int64_t>(i));
    out.Norm(n.attention_norm, w.attention_norm);
    AddAttention(spec.attention[static_cast<size_t>(layer.attention)], w.attention, n, paired, out);
    out.Norm(n.ffn_norm, w.ffn_norm);
    if (layer.moe) {
      AddExperts(w.moe, spec, n, out);
    } else {
      AddFeedForward(w.dense, n.gate, n.up, n.down, out);
    }
  }
  out.LeaveLayers();
  out.Norm(n.output_norm, weights.output_norm);
  if (!spec.tied_embedding) out.Matrix(n.output, weights.output);
  return sources;
}

}  // namespace tutti::engine
