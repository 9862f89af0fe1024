#include "tutti/engine/synth_shapes.h"

#include <fmt/ranges.h>

#include <array>
#include <utility>
#include <vector>

namespace tutti::engine {
namespace {

using Keys = std::vector<std::pair<std::string, MetadataValue>>;

MetadataValue Int(int64_t value) { return value; }
MetadataValue Text(const char* value) { return std::string(value); }

Keys Yarn(double factor, int64_t original_context, double magnitude, double beta_fast = 32) {
  Keys keys = {{"rope_scaling.type", Text("yarn")},
               {"rope_scaling.factor", factor},
               {"rope_scaling.original_max_position_embeddings", Int(original_context)},
               {"rope_scaling.beta_fast", beta_fast},
               {"rope_scaling.beta_slow", 1.0}};
  if (magnitude > 0) {
    keys.emplace_back("rope_scaling.mscale", magnitude);
    keys.emplace_back("rope_scaling.mscale_all_dim", magnitude);
  }
  return keys;
}

Keys Concat(Keys a, const Keys& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

Keys Llama(int64_t dim, int64_t layers, int64_t kv_heads, int64_t head_dim, int64_t inner,
           bool tied) {
  return {{"model_type", Text("llama")},
          {"hidden_size", Int(dim)},
          {"num_hidden_layers", Int(layers)},
          {"num_attention_heads", Int(32)},
          {"num_key_value_heads", Int(kv_heads)},
          {"head_dim", Int(head_dim)},
          {"intermediate_size", Int(inner)},
          {"vocab_size", Int(128256)},
          {"max_position_embeddings", Int(131072)},
          {"rope_theta", 500000.0},
          {"rms_norm_eps", 1e-5},
          {"tie_word_embeddings", tied}};
}

Keys Qwen3Moe() {
  return {{"model_type", Text("qwen3_moe")},
          {"hidden_size", Int(2048)},
          {"num_hidden_layers", Int(48)},
          {"num_attention_heads", Int(32)},
          {"num_key_value_heads", Int(4)},
          {"head_dim", Int(128)},
          {"intermediate_size", Int(6144)},
          {"moe_intermediate_size", Int(768)},
          {"num_experts", Int(128)},
          {"num_experts_per_tok", Int(8)},
          {"norm_topk_prob", true},
          {"vocab_size", Int(151936)},
          {"max_position_embeddings", Int(40960)},
          {"rope_theta", 1000000.0},
          {"rms_norm_eps", 1e-6},
          {"tie_word_embeddings", false}};
}

struct DeepseekShape {
  const char* model_type;
  int64_t dim, layers, heads, q_rank, inner, expert_inner, experts, experts_per_token, shared;
  int64_t dense_layers, groups, groups_used, vocab_size, context;
  double weight_scale, rope_theta;
  bool sigmoid;
};

Keys Deepseek(const DeepseekShape& s) {
  Keys keys = {{"model_type", Text(s.model_type)},
               {"hidden_size", Int(s.dim)},
               {"num_hidden_layers", Int(s.layers)},
               {"num_attention_heads", Int(s.heads)},
               {"num_key_value_heads", Int(s.heads)},
               {"kv_lora_rank", Int(512)},
               {"qk_nope_head_dim", Int(128)},
               {"qk_rope_head_dim", Int(64)},
               {"v_head_dim", Int(128)},
               {"intermediate_size", Int(s.inner)},
               {"moe_intermediate_size", Int(s.expert_inner)},
               {"n_routed_experts", Int(s.experts)},
               {"n_shared_experts", Int(s.shared)},
               {"num_experts_per_tok", Int(s.experts_per_token)},
               {"first_k_dense_replace", Int(s.dense_layers)},
               {"norm_topk_prob", s.sigmoid},
               {"routed_scaling_factor", s.weight_scale},
               {"n_group", Int(s.groups)},
               {"topk_group", Int(s.groups_used)},
               {"vocab_size", Int(s.vocab_size)},
               {"max_position_embeddings", Int(s.context)},
               {"rope_theta", s.rope_theta},
               {"rms_norm_eps", 1e-6},
               {"tie_word_embeddings", false}};
  if (s.q_rank > 0) keys.emplace_back("q_lora_rank", Int(s.q_rank));
  if (s.sigmoid) {
    keys.emplace_back("topk_method", Text("noaux_tc"));
    keys.emplace_back("scoring_func", Text("sigmoid"));
  }
  return keys;
}

Keys Glm45Air() {
  return {{"model_type", Text("glm4_moe")},
          {"hidden_size", Int(4096)},
          {"num_hidden_layers", Int(46)},
          {"num_attention_heads", Int(96)},
          {"num_key_value_heads", Int(8)},
          {"head_dim", Int(128)},
          {"partial_rotary_factor", 0.5},
          {"intermediate_size", Int(10944)},
          {"moe_intermediate_size", Int(1408)},
          {"n_routed_experts", Int(128)},
          {"n_shared_experts", Int(1)},
          {"num_experts_per_tok", Int(8)},
          {"first_k_dense_replace", Int(1)},
          {"norm_topk_prob", true},
          {"routed_scaling_factor", 1.0},
          {"vocab_size", Int(151552)},
          {"max_position_embeddings", Int(131072)},
          {"rope_theta", 1000000.0},
          {"rms_norm_eps", 1e-5},
          {"tie_word_embeddings", false}};
}

Keys GptOss20b() {
  const Keys keys = {{"model_type", Text("gpt_oss")},  {"hidden_size", Int(2880)},
                     {"num_hidden_layers", Int(24)},   {"num_attention_heads", Int(64)},
                     {"num_key_value_heads", Int(8)},  {"head_dim", Int(64)},
                     {"intermediate_size", Int(2880)}, {"num_local_experts", Int(32)},
                     {"num_experts_per_tok", Int(4)},  {"sliding_window", Int(128)},
                     {"vocab_size", Int(201088)},      {"max_position_embeddings", Int(131072)},
                     {"rope_theta", 150000.0},         {"rms_norm_eps", 1e-5},
                     {"tie_word_embeddings", false}};
  return Concat(keys, Yarn(32, 4096, 0));
}

Keys DeepseekV2Lite() {
  return Concat(Deepseek({"deepseek_v2", 2048, 27, 16, 0, 10944, 1408, 64, 6, 2, 1, 1, 1, 102400,
                          163840, 1.0, 10000, false}),
                Yarn(40, 4096, 0.707));
}

Keys DeepseekV3() {
  return Concat(Deepseek({"deepseek_v3", 7168, 61, 128, 1536, 18432, 2048, 256, 8, 1, 3, 8, 4,
                          129280, 163840, 2.5, 10000, true}),
                Yarn(40, 4096, 1.0));
}

Keys KimiK2() {
  return Concat(Deepseek({"kimi_k2", 7168, 61, 64, 1536, 18432, 2048, 384, 8, 1, 1, 1, 1, 163840,
                          131072, 2.827, 50000, true}),
                Yarn(32, 4096, 1.0, 1));
}

// Sizes from the published config.json of each model.
constexpr std::array kShapes = {
    SynthShape{"llama-3.2-1b", "dense, 16 layers, 2048 wide"},
    SynthShape{"llama-3.1-8b", "dense, 32 layers, 4096 wide"},
    SynthShape{"qwen3-30b-a3b", "48 layers, 8 of 128 experts"},
    SynthShape{"deepseek-v2-lite", "latent attention, 27 layers, 6 of 64 experts"},
    SynthShape{"deepseek-v3", "latent attention, 61 layers, 8 of 256 experts"},
    SynthShape{"kimi-k2", "latent attention, 61 layers, 8 of 384 experts"},
    SynthShape{"glm-4.5-air", "46 layers, 8 of 128 experts"},
    SynthShape{"gpt-oss-20b", "24 layers, 4 of 32 experts, windows of 128"},
};

Keys KeysOf(std::string_view shape) {
  if (shape == "llama-3.2-1b") return Llama(2048, 16, 8, 64, 8192, true);
  if (shape == "llama-3.1-8b") return Llama(4096, 32, 8, 128, 14336, false);
  if (shape == "qwen3-30b-a3b") return Qwen3Moe();
  if (shape == "deepseek-v2-lite") return DeepseekV2Lite();
  if (shape == "deepseek-v3") return DeepseekV3();
  if (shape == "kimi-k2") return KimiK2();
  if (shape == "glm-4.5-air") return Glm45Air();
  if (shape == "gpt-oss-20b") return GptOss20b();
  return {};
}

}  // namespace

std::span<const SynthShape> SynthShapes() { return kShapes; }

Result<SynthConfig> SynthConfigOf(const SynthOptions& options) {
  const Keys keys = KeysOf(options.shape);
  if (keys.empty()) {
    std::vector<std::string_view> names;
    for (const SynthShape& shape : kShapes) names.push_back(shape.name);
    return UsageError("there is no shape {}; there are {}", options.shape, fmt::join(names, ", "));
  }
  SynthConfig config;
  for (const auto& [key, value] : keys) config.metadata.Set(key, value);
  config.metadata.Set("_name_or_path", options.shape + " (random weights)");
  if (options.layers > 0) config.metadata.Set("num_hidden_layers", int64_t{options.layers});
  if (options.vocab_size > 0) config.metadata.Set("vocab_size", int64_t{options.vocab_size});
  // GLM's biases are told from the tensors that the checkpoint has.
  if (options.shape == "glm-4.5-air") {
    config.tensors["model.layers.0.self_attn.q_proj.bias"] = {};
  }
  return config;
}

}  // namespace tutti::engine
