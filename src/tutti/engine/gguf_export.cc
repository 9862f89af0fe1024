#include "tutti/engine/gguf_export.h"

#include <cmath>

namespace tutti::engine {
namespace {

using format::GgufWriter;

// Collects tensors under one layer's prefix.
class TensorList {
 public:
  explicit TensorList(std::vector<GgufTensor>& tensors) : tensors_(tensors) {}
  void EnterLayer(const std::string& pattern, int64_t layer) {
    prefix_ = fmt::format(fmt::runtime(pattern), layer);
  }
  void LeaveLayers() { prefix_.clear(); }

  void Matrix(const std::string& stem, int64_t rows, int64_t cols) {
    Add(stem + ".weight", {{rows, cols}, 2}, cols);
  }
  void Stack(const std::string& stem, int64_t count, int64_t rows, int64_t cols) {
    Add(stem + ".weight", {{count, rows, cols}, 3}, cols);
  }
  void Norm(const std::string& stem, int64_t size) { Vector(stem + ".weight", {{size}, 1}, 0); }
  // Also for stacked biases [count, size].
  void Bias(const std::string& name, int64_t size) { Vector(name, {{size}, 1}, 0.02f); }
  void Biases(const std::string& name, int64_t count, int64_t size) {
    Vector(name, {{count, size}, 2}, 0.02f);
  }

 private:
  void Add(const std::string& name, tensor::Shape shape, int64_t inputs) {
    const float deviation = 1 / std::sqrt(static_cast<float>(inputs));
    tensors_.push_back({prefix_ + name, shape, false, deviation});
  }
  void Vector(const std::string& name, tensor::Shape shape, float deviation) {
    tensors_.push_back({prefix_ + name, shape, true, deviation});
  }
  std::vector<GgufTensor>& tensors_;
  std::string prefix_;
};

void AddGroupedAttention(const AttentionSpec& a, int64_t dim, const model::TensorNames& n,
                         TensorList& list) {
  const int64_t q = int64_t{a.heads} * a.key_dim;
  const int64_t k = int64_t{a.kv_heads} * a.key_dim;
  const int64_t v = int64_t{a.kv_heads} * a.value_dim;
  list.Matrix(n.q, q, dim);
  list.Matrix(n.k, k, dim);
  list.Matrix(n.v, v, dim);
  if (a.qkv_bias) {
    list.Bias(n.q + ".bias", q);
    list.Bias(n.k + ".bias", k);
    list.Bias(n.v + ".bias", v);
  }
  if (a.qk_norm != QkNorm::kNone) {
    const bool whole = a.qk_norm == QkNorm::kWholeRow;
    list.Norm(n.q_norm, whole ? q : a.key_dim);
    list.Norm(n.k_norm, whole ? k : a.key_dim);
  }
  list.Matrix(n.o, dim, int64_t{a.heads} * a.value_dim);
  if (a.output_bias) list.Bias(n.o + ".bias", dim);
  if (a.sinks) list.Bias(n.sinks, a.heads);
}

void AddLatentAttention(const AttentionSpec& a, int64_t rope_dim, int64_t dim,
                        const model::TensorNames& n, TensorList& list) {
  const int64_t q = int64_t{a.heads} * a.key_dim;
  if (a.q_rank > 0) {
    list.Matrix(n.q_a, a.q_rank, dim);
    list.Norm(n.q_a_norm, a.q_rank);
    list.Matrix(n.q_b, q, a.q_rank);
  } else {
    list.Matrix(n.q, q, dim);
  }
  list.Matrix(n.kv_a, a.kv_rank + rope_dim, dim);
  list.Norm(n.kv_a_norm, a.kv_rank);
  list.Stack(n.k_b, a.heads, a.kv_rank, a.nope_dim);
  list.Stack(n.v_b, a.heads, a.value_dim, a.kv_rank);
  list.Matrix(n.o, dim, int64_t{a.heads} * a.value_dim);
}

void AddExperts(const MoeSpec& moe, int64_t dim, const model::TensorNames& n, TensorList& list) {
  list.Matrix(n.router, moe.experts, dim);
  if (moe.router_bias) list.Bias(n.router + ".bias", moe.experts);
  if (moe.selection_bias) list.Bias(n.selection_bias, moe.experts);
  list.Stack(n.expert_gate, moe.experts, moe.expert_dim, dim);
  list.Stack(n.expert_up, moe.experts, moe.expert_dim, dim);
  list.Stack(n.expert_down, moe.experts, dim, moe.expert_dim);
  if (moe.expert_bias) {
    list.Biases(n.expert_gate + ".bias", moe.experts, moe.expert_dim);
    list.Biases(n.expert_up + ".bias", moe.experts, moe.expert_dim);
    list.Biases(n.expert_down + ".bias", moe.experts, dim);
  }
  if (moe.shared_dim > 0) {
    list.Matrix(n.shared_gate, moe.shared_dim, dim);
    list.Matrix(n.shared_up, moe.shared_dim, dim);
    list.Matrix(n.shared_down, dim, moe.shared_dim);
  }
  if (moe.shared_gate) list.Matrix(n.shared_router, 1, dim);
}

void AddDense(const ModelSpec& spec, const model::TensorNames& n, TensorList& list) {
  list.Matrix(n.gate, spec.dense_dim, spec.dim);
  list.Matrix(n.up, spec.dense_dim, spec.dim);
  list.Matrix(n.down, spec.dim, spec.dense_dim);
  if (spec.dense_bias) {
    list.Bias(n.gate + ".bias", spec.dense_dim);
    list.Bias(n.up + ".bias", spec.dense_dim);
    list.Bias(n.down + ".bias", spec.dim);
  }
}

// The numbers of expert_gating_func.
uint32_t GatingFunction(RouterScoring scoring) {
  switch (scoring) {
    case RouterScoring::kSoftmax:
      return 1;
    case RouterScoring::kSigmoid:
      return 2;
    case RouterScoring::kSoftmaxOfTopK:
      return 3;
  }
  return 1;
}

// Writes "<architecture>.<key>" with the number kinds that readers of GGUF expect.
class Keys {
 public:
  Keys(GgufWriter& writer, std::string_view architecture)
      : writer_(writer), prefix_(fmt::format("{}.", architecture)) {}
  void Int(std::string_view key, int64_t value) { Set(key, static_cast<uint32_t>(value)); }
  void Float(std::string_view key, double value) { Set(key, static_cast<float>(value)); }
  void Set(std::string_view key, format::GgufValue value) {
    writer_.Set(prefix_ + std::string(key), std::move(value));
  }

 private:
  GgufWriter& writer_;
  std::string prefix_;
};

void SetAttentionKeys(const AttentionSpec& a, const RopeSpec& rope, Keys& keys) {
  const bool latent = a.kind == AttentionKind::kLatent;
  keys.Int("attention.head_count", a.heads);
  keys.Int("attention.head_count_kv", latent ? 1 : a.kv_heads);
  if (latent) {
    if (a.q_rank > 0) keys.Int("attention.q_lora_rank", a.q_rank);
    keys.Int("attention.kv_lora_rank", a.kv_rank);
    keys.Int("attention.key_length", a.kv_rank + rope.dim);
    keys.Int("attention.value_length", a.kv_rank);
    keys.Int("attention.key_length_mla", a.key_dim);
    keys.Int("attention.value_length_mla", a.value_dim);
  } else {
    keys.Int("attention.key_length", a.key_dim);
    keys.Int("attention.value_length", a.value_dim);
  }
}

void SetRopeKeys(const ModelSpec& spec, Keys& keys) {
  const RopeSpec& rope = spec.rope[0];
  const AttentionSpec& a = spec.attention[0];
  keys.Int("rope.dimension_count", rope.dim);
  keys.Float("rope.freq_base", rope.theta);
  if (rope.scaling == RopeScaling::kLinear) {
    keys.Set("rope.scaling.type", std::string("linear"));
    keys.Float("rope.scaling.factor", rope.factor);
  }
  if (rope.scaling != RopeScaling::kYarn) return;
  keys.Set("rope.scaling.type", std::string("yarn"));
  keys.Float("rope.scaling.factor", rope.factor);
  keys.Int("rope.scaling.original_context_length", rope.original_context);
  keys.Float("rope.scaling.yarn_beta_fast", rope.beta_fast);
  keys.Float("rope.scaling.yarn_beta_slow", rope.beta_slow);
  if (a.kind == AttentionKind::kLatent && rope.factor > 1) {
    // The softmax's scale is magnitude^2 / sqrt(key_dim), magnitude = 0.1 m ln(factor) + 1; the key
    // holds a tenth of m.
    const double magnitude = std::sqrt(a.scale * std::sqrt(static_cast<double>(a.key_dim)));
    keys.Float("rope.scaling.yarn_log_multiplier", (magnitude - 1) / std::log(rope.factor));
  }
}

void SetExpertKeys(const ModelSpec& spec, Keys& keys) {
  const MoeSpec& moe = spec.moe;
  if (moe.experts == 0) return;
  keys.Int("expert_count", moe.experts);
  keys.Int("expert_used_count", moe.experts_per_token);
  keys.Int("expert_feed_forward_length", moe.expert_dim);
  keys.Int("expert_gating_func", GatingFunction(moe.scoring));
  keys.Float("expert_weights_scale", moe.weight_scale);
  keys.Set("expert_weights_norm", moe.normalize_weights);
  keys.Int("expert_group_count", moe.groups);
  keys.Int("expert_group_used_count", moe.groups_used);
  keys.Int("interleave_moe_layer_step", 1);
  if (moe.shared_dim > 0) {
    keys.Int("expert_shared_count", std::max(1, moe.shared_dim / moe.expert_dim));
    keys.Int("expert_shared_feed_forward_length", moe.shared_dim);
  }
  int64_t dense_layers = 0;
  while (dense_layers < std::ssize(spec.layers) &&
         !spec.layers[static_cast<size_t>(dense_layers)].moe) {
    ++dense_layers;
  }
  keys.Int("leading_dense_block_count", dense_layers);
}

}  // namespace

std::vector<GgufTensor> GgufTensorsOf(const ModelSpec& spec, const model::TensorNames& n) {
  std::vector<GgufTensor> tensors;
  TensorList list(tensors);
  list.Matrix(n.embedding, spec.vocab_size, spec.dim);
  const RopeSpec& first_rope = spec.rope[0];
  if (!first_rope.frequency_divisors.empty()) list.Norm("rope_freqs", first_rope.dim / 2);
  for (size_t i = 0; i < spec.layers.size(); ++i) {
    const LayerSpec& layer = spec.layers[i];
    const AttentionSpec& attention = spec.attention[static_cast<size_t>(layer.attention)];
    list.EnterLayer(n.layer_prefix, static_cast<int64_t>(i));
    list.Norm(n.attention_norm, spec.dim);
    if (attention.kind == AttentionKind::kLatent) {
      const int64_t rope_dim = spec.rope[static_cast<size_t>(layer.rope)].dim;
      AddLatentAttention(attention, rope_dim, spec.dim, n, list);
    } else {
      AddGroupedAttention(attention, spec.dim, n, list);
    }
    list.Norm(n.ffn_norm, spec.dim);
    if (layer.moe) {
      AddExperts(spec.moe, spec.dim, n, list);
    } else {
      AddDense(spec, n, list);
    }
  }
  list.LeaveLayers();
  list.Norm(n.output_norm, spec.dim);
  if (!spec.tied_embedding) list.Matrix(n.output, spec.vocab_size, spec.dim);
  // Token vectors that are only looked up, not multiplied, have the residual stream's size.
  if (!spec.tied_embedding) tensors[0].deviation = 1;
  return tensors;
}

Status SetGgufModelKeys(const model::Architecture& architecture, const ModelSpec& spec,
                        GgufWriter& writer) {
  const std::string_view name =
      architecture.gguf.empty() ? architecture.gguf_written : architecture.gguf[0];
  if (name.empty()) return Unsupported("{} models have no name in GGUF yet", architecture.name);
  writer.Set("general.architecture", std::string(name));
  writer.Set("general.type", std::string("model"));
  if (!spec.name.empty()) writer.Set("general.name", spec.name);
  Keys keys(writer, name);
  keys.Int("block_count", std::ssize(spec.layers));
  keys.Int("context_length", spec.context_length);
  keys.Int("embedding_length", spec.dim);
  keys.Int("feed_forward_length", spec.dense_dim > 0 ? spec.dense_dim : spec.moe.expert_dim);
  keys.Int("vocab_size", spec.vocab_size);
  keys.Float("attention.layer_norm_rms_epsilon", spec.norm_epsilon);
  SetAttentionKeys(spec.attention[0], spec.rope[0], keys);
  SetRopeKeys(spec, keys);
  SetExpertKeys(spec, keys);
  for (const LayerSpec& layer : spec.layers) {
    if (layer.window > 0) keys.Int("attention.sliding_window", layer.window);
  }
  return Status();
}

QuantMixModel QuantMixModelOf(const ModelSpec& spec) {
  const AttentionSpec& attention = spec.attention[0];
  return {.layers = static_cast<int32_t>(spec.layers.size()),
          .experts = spec.moe.experts,
          .heads_per_kv_head = attention.heads / std::max(1, attention.kv_heads),
          .tied_embedding = spec.tied_embedding};
}

}  // namespace tutti::engine
