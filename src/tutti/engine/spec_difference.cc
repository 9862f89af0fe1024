#include "tutti/engine/spec_difference.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <type_traits>

#include "tutti/kernels/rope.h"

namespace tutti::engine {
namespace {

class Comparison {
 public:
  void SetWhere(std::string where) { where_ = std::move(where); }

  template <typename T>
  void Check(std::string_view field, T from, T to) {
    if constexpr (std::is_floating_point_v<T>) {
      // What a float32 in the file cannot keep is not a difference.
      if (std::abs(from - to) <= T(1e-6) * std::max(std::abs(from), std::abs(to))) return;
      Report(field, fmt::format("{:.7g} becomes {:.7g}", from, to));
    } else if constexpr (std::is_enum_v<T>) {
      if (from != to) Report(field, "becomes another kind");
    } else {
      if (from != to) Report(field, fmt::format("{} becomes {}", from, to));
    }
  }
  std::vector<std::string> Take() { return std::move(lines_); }

 private:
  void Report(std::string_view field, std::string_view change) {
    if (!seen_.insert(std::string(field)).second) return;
    lines_.push_back(fmt::format("{}{}: {}", field, where_, change));
  }

  std::string where_;
  std::set<std::string> seen_;
  std::vector<std::string> lines_;
};

void CompareAttention(const AttentionSpec& a, const AttentionSpec& b, Comparison& c) {
  c.Check("kind of attention", a.kind, b.kind);
  c.Check("attention heads", a.heads, b.heads);
  c.Check("key heads", a.kv_heads, b.kv_heads);
  c.Check("size of keys", a.key_dim, b.key_dim);
  c.Check("size of values", a.value_dim, b.value_dim);
  c.Check("scale of attention", a.scale, b.scale);
  c.Check("norm of queries and keys", a.qk_norm, b.qk_norm);
  c.Check("bias of queries, keys and values", a.qkv_bias, b.qkv_bias);
  c.Check("bias of attention's output", a.output_bias, b.output_bias);
  c.Check("attention sinks", a.sinks, b.sinks);
  c.Check("clipping of queries, keys and values", a.clip_qkv, b.clip_qkv);
  c.Check("rank of queries", a.q_rank, b.q_rank);
  c.Check("rank of keys and values", a.kv_rank, b.kv_rank);
  c.Check("keys without position", a.nope_dim, b.nope_dim);
}

void CompareRope(const RopeSpec& a, const RopeSpec& b, Comparison& c) {
  c.Check("rotated elements", a.dim, b.dim);
  c.Check("factor of the rotary embedding", a.attention_factor, b.attention_factor);
  if (a.dim != b.dim) return;
  const std::vector<double> from = kernels::RopeFrequencies(a);
  const std::vector<double> to = kernels::RopeFrequencies(b);
  for (size_t i = 0; i < from.size(); ++i) {
    c.Check("a frequency of the rotary embedding", from[i], to[i]);
  }
}

void CompareMoe(const MoeSpec& a, const MoeSpec& b, Comparison& c) {
  c.Check("experts", a.experts, b.experts);
  c.Check("experts per token", a.experts_per_token, b.experts_per_token);
  c.Check("size of an expert", a.expert_dim, b.expert_dim);
  c.Check("scoring of experts", a.scoring, b.scoring);
  c.Check("normalised expert weights", a.normalize_weights, b.normalize_weights);
  c.Check("scale of expert weights", a.weight_scale, b.weight_scale);
  c.Check("bias of the router", a.router_bias, b.router_bias);
  c.Check("bias of the choice of experts", a.selection_bias, b.selection_bias);
  c.Check("bias of experts", a.expert_bias, b.expert_bias);
  c.Check("groups of experts", a.groups, b.groups);
  c.Check("groups of experts used", a.groups_used, b.groups_used);
  if (a.groups > 1) c.Check("score of a group of experts", a.group_score, b.group_score);
  c.Check("size of shared experts", a.shared_dim, b.shared_dim);
  c.Check("gate of shared experts", a.shared_gate, b.shared_gate);
}

void CompareLayer(const ModelSpec& a, const ModelSpec& b, size_t i, Comparison& c) {
  const LayerSpec& from = a.layers[i];
  const LayerSpec& to = b.layers[i];
  c.Check("sliding window", from.window, to.window);
  c.Check("experts or not", from.moe, to.moe);
  CompareAttention(a.attention[static_cast<size_t>(from.attention)],
                   b.attention[static_cast<size_t>(to.attention)], c);
  c.Check("rotary embedding", from.rope >= 0, to.rope >= 0);
  if (from.rope >= 0 && to.rope >= 0) {
    CompareRope(a.rope[static_cast<size_t>(from.rope)], b.rope[static_cast<size_t>(to.rope)], c);
  }
}

}  // namespace

std::vector<std::string> Differences(const ModelSpec& a, const ModelSpec& b) {
  Comparison c;
  c.Check("size of the vocabulary", a.vocab_size, b.vocab_size);
  c.Check("width", a.dim, b.dim);
  c.Check("epsilon of norms", a.norm_epsilon, b.norm_epsilon);
  c.Check("activation", a.activation, b.activation);
  c.Check("limit of the activation", a.swiglu_limit, b.swiglu_limit);
  c.Check("tied embedding", a.tied_embedding, b.tied_embedding);
  c.Check("scale of the embedding", a.embedding_scale, b.embedding_scale);
  c.Check("scale of the logits", a.logit_scale, b.logit_scale);
  c.Check("layers", a.layers.size(), b.layers.size());
  const auto is_moe = [](const LayerSpec& layer) { return layer.moe; };
  if (std::any_of(a.layers.begin(), a.layers.end(), is_moe)) CompareMoe(a.moe, b.moe, c);
  if (!std::all_of(a.layers.begin(), a.layers.end(), is_moe)) {
    c.Check("size of dense layers", a.dense_dim, b.dense_dim);
    c.Check("bias of dense layers", a.dense_bias, b.dense_bias);
  }
  for (size_t i = 0; i < std::min(a.layers.size(), b.layers.size()); ++i) {
    c.SetWhere(fmt::format(" of layer {}", i));
    CompareLayer(a, b, i, c);
  }
  return c.Take();
}

}  // namespace tutti::engine
