// Descriptions read from metadata as published models have it, against numbers from their papers
// and model cards. That the descriptions then compute the right thing is tests/golden's business.
#include "tutti/model/architecture.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "tutti/model/validate_spec.h"

namespace tutti::model {
namespace {

using Strings = std::vector<std::string>;
using Ints = std::vector<int64_t>;

// Metadata and the names of a few tensors, without weights.
class Described {
 public:
  explicit Described(bool gguf, std::map<std::string, MetadataValue> values) : gguf_(gguf) {
    for (auto& [key, value] : values) metadata_.Set(key, std::move(value));
    if (gguf) AddTensor("token_embd.weight", {32000, 64});
  }
  Described& AddTensor(const std::string& name, std::vector<int64_t> dims) {
    tensor::TensorView& view = tensors_[name];
    for (const int64_t dim : dims) view.shape.dims[static_cast<size_t>(view.shape.rank++)] = dim;
    return *this;
  }
  Described& Set(const std::string& key, MetadataValue value) {
    metadata_.Set(key, std::move(value));
    return *this;
  }
  Result<ModelSpec> Read() const {
    const ModelSource source{
        .gguf = gguf_, .where = "test", .metadata = metadata_, .tensors = tensors_};
    TUTTI_ASSIGN_OR_RETURN(const Architecture* architecture, FindArchitecture(source));
    return ReadModelSpec(*architecture, source);
  }

 private:
  bool gguf_;
  Metadata metadata_;
  tensor::TensorMap tensors_;
};

ModelSpec Spec(const Described& described) {
  auto spec = described.Read();
  EXPECT_TRUE(spec.ok()) << spec.status().message();
  return spec.ok() ? std::move(spec).value() : ModelSpec();
}

Described Llama31() {
  return Described(false, {{"model_type", "llama"},
                           {"hidden_size", int64_t{4096}},
                           {"intermediate_size", int64_t{14336}},
                           {"num_hidden_layers", int64_t{32}},
                           {"num_attention_heads", int64_t{32}},
                           {"num_key_value_heads", int64_t{8}},
                           {"vocab_size", int64_t{128256}},
                           {"max_position_embeddings", int64_t{131072}},
                           {"rms_norm_eps", 1e-5},
                           {"rope_theta", 500000.0},
                           {"rope_scaling.rope_type", "llama3"},
                           {"rope_scaling.factor", 8.0},
                           {"rope_scaling.low_freq_factor", 1.0},
                           {"rope_scaling.high_freq_factor", 4.0},
                           {"rope_scaling.original_max_position_embeddings", int64_t{8192}},
                           {"tie_word_embeddings", false}});
}

Described DeepseekV3Config() {
  return Described(false, {{"model_type", "deepseek_v3"},
                           {"hidden_size", int64_t{7168}},
                           {"intermediate_size", int64_t{18432}},
                           {"moe_intermediate_size", int64_t{2048}},
                           {"num_hidden_layers", int64_t{61}},
                           {"num_attention_heads", int64_t{128}},
                           {"num_key_value_heads", int64_t{128}},
                           {"q_lora_rank", int64_t{1536}},
                           {"kv_lora_rank", int64_t{512}},
                           {"qk_nope_head_dim", int64_t{128}},
                           {"qk_rope_head_dim", int64_t{64}},
                           {"v_head_dim", int64_t{128}},
                           {"n_routed_experts", int64_t{256}},
                           {"n_shared_experts", int64_t{1}},
                           {"num_experts_per_tok", int64_t{8}},
                           {"n_group", int64_t{8}},
                           {"topk_group", int64_t{4}},
                           {"first_k_dense_replace", int64_t{3}},
                           {"routed_scaling_factor", 2.5},
                           {"norm_topk_prob", true},
                           {"topk_method", "noaux_tc"},
                           {"vocab_size", int64_t{129280}},
                           {"max_position_embeddings", int64_t{163840}},
                           {"rope_theta", int64_t{10000}},
                           {"rope_scaling.type", "yarn"},
                           {"rope_scaling.factor", int64_t{40}},
                           {"rope_scaling.original_max_position_embeddings", int64_t{4096}},
                           {"rope_scaling.mscale", 1.0},
                           {"rope_scaling.mscale_all_dim", 1.0}});
}

Described DeepseekGguf() {
  return Described(true, {{"general.architecture", "deepseek2"},
                          {"deepseek2.block_count", int64_t{27}},
                          {"deepseek2.context_length", int64_t{163840}},
                          {"deepseek2.embedding_length", int64_t{2048}},
                          {"deepseek2.feed_forward_length", int64_t{10944}},
                          {"deepseek2.attention.head_count", int64_t{16}},
                          {"deepseek2.attention.head_count_kv", int64_t{16}},
                          {"deepseek2.attention.kv_lora_rank", int64_t{512}},
                          {"deepseek2.attention.key_length", int64_t{192}},
                          {"deepseek2.attention.value_length", int64_t{128}},
                          {"deepseek2.rope.dimension_count", int64_t{64}},
                          {"deepseek2.rope.scaling.type", "yarn"},
                          {"deepseek2.rope.scaling.factor", 40.0},
                          {"deepseek2.rope.scaling.original_context_length", int64_t{4096}},
                          {"deepseek2.rope.scaling.yarn_log_multiplier", 0.0707},
                          {"deepseek2.leading_dense_block_count", int64_t{1}},
                          {"deepseek2.expert_count", int64_t{64}},
                          {"deepseek2.expert_used_count", int64_t{6}},
                          {"deepseek2.expert_shared_count", int64_t{2}},
                          {"deepseek2.expert_feed_forward_length", int64_t{1408}}});
}

TEST(ArchitectureTest, EveryNameIsClaimedOnce) {
  std::set<std::string_view> names;
  for (const Architecture& architecture : KnownArchitectures()) {
    EXPECT_TRUE(names.insert(architecture.name).second) << architecture.name;
    EXPECT_NE(architecture.read_spec, nullptr);
    EXPECT_FALSE(architecture.models.empty());
  }
  EXPECT_EQ(names.size(), 15u);
}

TEST(ArchitectureTest, Llama31) {
  const ModelSpec spec = Spec(Llama31());
  EXPECT_EQ(spec.architecture, "llama");
  EXPECT_EQ(spec.layers.size(), 32u);
  EXPECT_EQ(spec.attention[0].key_dim, 128);
  EXPECT_EQ(spec.attention[0].kv_heads, 8);
  EXPECT_FLOAT_EQ(spec.attention[0].scale, 1 / std::sqrt(128.0f));
  EXPECT_EQ(spec.rope[0].scaling, RopeScaling::kLlama3);
  EXPECT_EQ(spec.rope[0].original_context, 8192);
  EXPECT_EQ(spec.rope[0].pairing, RopePairing::kHalves);
  EXPECT_EQ(spec.rope[0].dim, 128);
  EXPECT_FALSE(spec.tied_embedding);
  EXPECT_FALSE(spec.layers[0].moe);
}

// transformers 5 writes the rotary numbers under rope_parameters.
TEST(ArchitectureTest, NewSpellingOfRotaryParameters) {
  const ModelSpec spec = Spec(Described(false, {{"model_type", "qwen3"},
                                                {"hidden_size", int64_t{64}},
                                                {"intermediate_size", int64_t{128}},
                                                {"num_hidden_layers", int64_t{1}},
                                                {"num_attention_heads", int64_t{4}},
                                                {"vocab_size", int64_t{100}},
                                                {"max_position_embeddings", int64_t{4096}},
                                                {"rope_parameters.rope_theta", 1e6},
                                                {"rope_parameters.rope_type", "linear"},
                                                {"rope_parameters.factor", 2.0}}));
  EXPECT_EQ(spec.rope[0].theta, 1e6);
  EXPECT_EQ(spec.rope[0].scaling, RopeScaling::kLinear);
  EXPECT_EQ(spec.rope[0].factor, 2);
  EXPECT_EQ(spec.attention[0].kv_heads, 4);
}

TEST(ArchitectureTest, DeepseekV3) {
  const ModelSpec spec = Spec(DeepseekV3Config());
  const AttentionSpec& attention = spec.attention[0];
  EXPECT_EQ(attention.kind, AttentionKind::kLatent);
  EXPECT_EQ(attention.key_dim, 192);
  EXPECT_EQ(attention.value_dim, 128);
  const double magnitude = 0.1 * std::log(40.0) + 1;
  EXPECT_FLOAT_EQ(attention.scale, static_cast<float>(magnitude * magnitude / std::sqrt(192.0)));
  EXPECT_EQ(spec.rope[0].attention_factor, 1);
  EXPECT_EQ(spec.rope[0].dim, 64);
  EXPECT_EQ(spec.rope[0].pairing, RopePairing::kInterleaved);
  EXPECT_EQ(spec.moe.scoring, RouterScoring::kSigmoid);
  EXPECT_TRUE(spec.moe.selection_bias);
  EXPECT_TRUE(spec.moe.normalize_weights);
  EXPECT_FLOAT_EQ(spec.moe.weight_scale, 2.5f);
  EXPECT_EQ(spec.moe.group_score, GroupScore::kSumOfTopTwo);
  EXPECT_EQ(spec.moe.shared_dim, 2048);
  EXPECT_FALSE(spec.layers[2].moe);
  EXPECT_TRUE(spec.layers[3].moe);
}

TEST(ArchitectureTest, KimiK2IsADeepseekV3) {
  Described config = DeepseekV3Config();
  config.Set("model_type", "kimi_k2").Set("n_group", int64_t{1}).Set("topk_group", int64_t{1});
  EXPECT_EQ(Spec(config).architecture, "deepseek_v3");
}

TEST(ArchitectureTest, DeepseekGgufTellsItsGenerationByTheGatingFunction) {
  Described gguf = DeepseekGguf();
  const ModelSpec v2 = Spec(gguf);
  EXPECT_EQ(v2.architecture, "deepseek_v2");
  EXPECT_EQ(v2.moe.scoring, RouterScoring::kSoftmax);
  EXPECT_FALSE(v2.moe.selection_bias);
  EXPECT_EQ(v2.attention[0].q_rank, 0);  // V2-Lite
  EXPECT_EQ(v2.attention[0].nope_dim, 128);
  EXPECT_EQ(v2.moe.shared_dim, 2 * 1408);
  const double magnitude = 0.0707 * std::log(40.0) + 1;
  EXPECT_NEAR(v2.attention[0].scale, magnitude * magnitude / std::sqrt(192.0), 1e-7);
  gguf.Set("deepseek2.expert_gating_func", uint64_t{2});
  const ModelSpec v3 = Spec(gguf);
  EXPECT_EQ(v3.architecture, "deepseek_v3");
  EXPECT_EQ(v3.moe.scoring, RouterScoring::kSigmoid);
}

// Newer files record the width of the latent as the key's, and the heads' elsewhere.
TEST(ArchitectureTest, DeepseekGgufOldAndNewHeadWidthsAreTheSame) {
  Described gguf = DeepseekGguf();
  const ModelSpec old_file = Spec(gguf);
  gguf.Set("deepseek2.attention.head_count_kv", int64_t{1})
      .Set("deepseek2.attention.key_length", int64_t{576})
      .Set("deepseek2.attention.value_length", int64_t{512})
      .Set("deepseek2.attention.key_length_mla", int64_t{192})
      .Set("deepseek2.attention.value_length_mla", int64_t{128});
  const ModelSpec new_file = Spec(gguf);
  EXPECT_EQ(new_file.attention[0].key_dim, old_file.attention[0].key_dim);
  EXPECT_EQ(new_file.attention[0].value_dim, old_file.attention[0].value_dim);
  EXPECT_EQ(new_file.attention[0].nope_dim, old_file.attention[0].nope_dim);
  EXPECT_EQ(new_file.attention[0].scale, old_file.attention[0].scale);
}

TEST(ArchitectureTest, GgufCallsMixtralLlama) {
  Described gguf(true, {{"general.architecture", "llama"},
                        {"llama.block_count", int64_t{2}},
                        {"llama.context_length", int64_t{32768}},
                        {"llama.embedding_length", int64_t{64}},
                        {"llama.feed_forward_length", int64_t{128}},
                        {"llama.attention.head_count", int64_t{4}},
                        {"llama.attention.layer_norm_rms_epsilon", 1e-5}});
  EXPECT_EQ(Spec(gguf).architecture, "llama");
  EXPECT_TRUE(Spec(gguf).tied_embedding);  // no output.weight
  EXPECT_EQ(Spec(gguf).rope[0].pairing, RopePairing::kInterleaved);
  gguf.Set("llama.expert_count", int64_t{8}).Set("llama.expert_used_count", int64_t{2});
  const ModelSpec spec = Spec(gguf);
  EXPECT_EQ(spec.architecture, "mixtral");
  EXPECT_TRUE(spec.layers[0].moe);
  EXPECT_EQ(spec.moe.expert_dim, 128);
  EXPECT_EQ(spec.moe.scoring, RouterScoring::kSoftmaxOfTopK);
}

TEST(ArchitectureTest, Glm45AirHasNoHeadNormAndCountsItsExtraLayerInGguf) {
  Described gguf(true, {{"general.architecture", "glm4moe"},
                        {"glm4moe.block_count", int64_t{47}},
                        {"glm4moe.nextn_predict_layers", int64_t{1}},
                        {"glm4moe.context_length", int64_t{131072}},
                        {"glm4moe.embedding_length", int64_t{4096}},
                        {"glm4moe.feed_forward_length", int64_t{10944}},
                        {"glm4moe.attention.head_count", int64_t{96}},
                        {"glm4moe.attention.head_count_kv", int64_t{8}},
                        {"glm4moe.attention.key_length", int64_t{128}},
                        {"glm4moe.attention.value_length", int64_t{128}},
                        {"glm4moe.rope.dimension_count", int64_t{64}},
                        {"glm4moe.expert_count", int64_t{128}},
                        {"glm4moe.expert_used_count", int64_t{8}},
                        {"glm4moe.expert_shared_count", int64_t{1}},
                        {"glm4moe.expert_feed_forward_length", int64_t{1408}},
                        {"glm4moe.leading_dense_block_count", int64_t{1}}});
  const ModelSpec air = Spec(gguf);
  EXPECT_EQ(air.layers.size(), 46u);
  EXPECT_EQ(air.attention[0].qk_norm, QkNorm::kNone);
  EXPECT_EQ(air.rope[0].dim, 64);
  gguf.AddTensor("blk.0.attn_q_norm.weight", {128});
  EXPECT_EQ(Spec(gguf).attention[0].qk_norm, QkNorm::kPerHead);
}

TEST(ArchitectureTest, EveryQwenHonoursItsSlidingWindow) {
  for (const char* type : {"qwen2", "qwen3", "qwen2_moe", "qwen3_moe"}) {
    Described model = Llama31();
    model.Set("model_type", std::string(type)).Set("num_hidden_layers", int64_t{3});
    model.Set("rope_scaling.rope_type", std::string("default"));
    model.Set("num_experts", int64_t{8}).Set("num_experts_per_tok", int64_t{2});
    model.Set("moe_intermediate_size", int64_t{64});
    model.Set("shared_expert_intermediate_size", int64_t{64});
    model.Set("sliding_window", int64_t{4}).Set("max_window_layers", int64_t{1});
    EXPECT_EQ(Spec(model).layers[2].window, 0) << type << ": it is not switched on";
    model.Set("use_sliding_window", true);
    const ModelSpec spec = Spec(model);
    EXPECT_EQ(spec.layers[0].window, 0) << type;
    EXPECT_EQ(spec.layers[1].window, 4) << type;
    EXPECT_EQ(spec.layers[2].window, 4) << type;
  }
}

TEST(ArchitectureTest, GptOssTakesTurnsWithItsWindow) {
  Described config(false, {{"model_type", "gpt_oss"},
                           {"hidden_size", int64_t{2880}},
                           {"intermediate_size", int64_t{2880}},
                           {"num_hidden_layers", int64_t{24}},
                           {"num_attention_heads", int64_t{64}},
                           {"num_key_value_heads", int64_t{8}},
                           {"head_dim", int64_t{64}},
                           {"num_local_experts", int64_t{32}},
                           {"num_experts_per_tok", int64_t{4}},
                           {"sliding_window", int64_t{128}},
                           {"vocab_size", int64_t{201088}},
                           {"max_position_embeddings", int64_t{131072}},
                           {"rope_theta", int64_t{150000}},
                           {"rope_scaling.rope_type", "yarn"},
                           {"rope_scaling.factor", 32.0},
                           {"rope_scaling.original_max_position_embeddings", int64_t{4096}},
                           {"rope_scaling.truncate", false}});
  const ModelSpec spec = Spec(config);
  EXPECT_EQ(spec.layers[0].window, 128);
  EXPECT_EQ(spec.layers[1].window, 0);
  EXPECT_FALSE(spec.rope[0].truncate);
  EXPECT_DOUBLE_EQ(spec.rope[0].attention_factor, 0.1 * std::log(32.0) + 1);
  EXPECT_EQ(spec.activation, Activation::kClampedSwiglu);
  EXPECT_EQ(spec.swiglu_limit, 7);
  config.Set("layer_types", Strings(24, "full_attention"));
  EXPECT_EQ(Spec(config).layers[0].window, 0);
  config.Set("layer_types", Strings(23, "full_attention"));
  EXPECT_EQ(config.Read().status().code(), StatusCode::kData);
}

TEST(ArchitectureTest, QwenMoeLayersBetweenDenseOnes) {
  Described config(false, {{"model_type", "qwen3_moe"},
                           {"hidden_size", int64_t{64}},
                           {"intermediate_size", int64_t{128}},
                           {"moe_intermediate_size", int64_t{32}},
                           {"num_hidden_layers", int64_t{6}},
                           {"num_attention_heads", int64_t{4}},
                           {"num_experts", int64_t{8}},
                           {"num_experts_per_tok", int64_t{2}},
                           {"norm_topk_prob", true},
                           {"decoder_sparse_step", int64_t{2}},
                           {"mlp_only_layers", Ints{3}},
                           {"vocab_size", int64_t{100}},
                           {"max_position_embeddings", int64_t{4096}}});
  const ModelSpec spec = Spec(config);
  std::string layers;
  for (const LayerSpec& layer : spec.layers) layers += layer.moe ? 'E' : 'd';
  EXPECT_EQ(layers, "dEdddE");
}

TEST(ArchitectureTest, HunyuanStretchesTheRotaryBase) {
  Described config(false, {{"model_type", "hunyuan_v1_moe"},
                           {"hidden_size", int64_t{4096}},
                           {"intermediate_size", int64_t{3072}},
                           {"moe_intermediate_size", Ints(32, 3072)},
                           {"num_hidden_layers", int64_t{32}},
                           {"num_attention_heads", int64_t{32}},
                           {"num_key_value_heads", int64_t{8}},
                           {"head_dim", int64_t{128}},
                           {"num_experts", int64_t{64}},
                           {"moe_topk", Ints(32, 8)},
                           {"num_shared_expert", Ints(32, 1)},
                           {"vocab_size", int64_t{128167}},
                           {"max_position_embeddings", int64_t{32768}},
                           {"rope_theta", 10000.0},
                           {"rope_scaling.type", "dynamic"},
                           {"rope_scaling.alpha", 1000.0},
                           {"rope_scaling.factor", 1.0}});
  const ModelSpec spec = Spec(config);
  EXPECT_NEAR(spec.rope[0].theta, 11158839.925, 0.01);  // the number in published GGUFs
  EXPECT_EQ(spec.moe.experts_per_token, 8);
  EXPECT_EQ(spec.moe.shared_dim, 3072);
  config.Set("moe_topk", Ints{8, 4});
  EXPECT_EQ(config.Read().status().code(), StatusCode::kUnsupported);
}

TEST(ArchitectureTest, WhatDoesNotFitIsRefusedWithNumbers) {
  const auto message = [](const std::string& key, MetadataValue value) {
    const auto spec = Llama31().Set(key, std::move(value)).Read();
    EXPECT_FALSE(spec.ok()) << key;
    return spec.ok() ? std::string() : spec.status().message();
  };
  EXPECT_EQ(message("num_key_value_heads", int64_t{5}),
            "test: 32 attention heads cannot share 5 key-value heads evenly");
  EXPECT_EQ(message("num_hidden_layers", int64_t{0}),
            "test: the model has 0 layers; 1 to 4096 are possible");
  EXPECT_EQ(message("hidden_size", int64_t{-4}),
            "test: hidden_size is -4; between 0 and 2147483647 is possible");
  EXPECT_EQ(message("hidden_size", "wide"), "test: metadata key hidden_size: an integer expected");
  EXPECT_EQ(message("rope_scaling.rope_type", "longrope"),
            "test: rotary scaling of type longrope is not supported yet (known: linear, llama3, "
            "yarn)");
  EXPECT_EQ(message("hidden_act", "relu"),
            "test: the activation relu is not supported yet (known: silu, gelu_pytorch_tanh)");
  EXPECT_EQ(message("partial_rotary_factor", 0.0),
            "test: the rotated part of a head is 0; 2 to 128 is possible");
}

// Each of these would otherwise be computed as if it said something else.
TEST(ArchitectureTest, ClaimsThatChangeTheMathematicsAreRefused) {
  const auto message = [](Described config, const std::string& key, MetadataValue value) {
    const auto spec = config.Set(key, std::move(value)).Read();
    EXPECT_FALSE(spec.ok()) << key;
    return spec.ok() ? std::string() : spec.status().message();
  };
  EXPECT_EQ(message(DeepseekV3Config(), "scoring_func", "sqrtsoftplus"),
            "test: scoring_func is \"sqrtsoftplus\"; of this architecture Tutti knows models with "
            "\"sigmoid\" only");
  EXPECT_EQ(message(DeepseekGguf(), "deepseek2.expert_gating_func", uint64_t{3}),
            "test: expert_gating_func is 3; of this architecture Tutti knows models with 1 only");
  EXPECT_EQ(message(DeepseekV3Config(), "topk_method", "greedy"),
            "test: topk_method \"greedy\" is not supported yet (known: noaux_tc)");
  EXPECT_EQ(message(DeepseekV3Config(), "topk_group", int64_t{0}),
            "test: the number of groups used is 0; 1 to 8 is possible");
  EXPECT_EQ(message(Llama31(), "quantization_config.quant_method", "awq"),
            "test: weights quantized by \"awq\" are not supported yet (known: fp8, mxfp4, "
            "compressed-tensors): look for the model unquantized or as GGUF, or for one of these "
            "forms");
  EXPECT_EQ(message(Llama31(), "attention_bias", "yes"),
            "test: metadata key attention_bias: true or false expected");
  EXPECT_EQ(message(Llama31(), "attention_bias", true),
            "test: attention_bias is true, but the tensors lack biases: the files do not belong "
            "together, download them again");
  EXPECT_EQ(
      message(Llama31(), "mlp_bias", true),
      "test: mlp_bias is true, but the tensors lack biases: the files do not belong together, "
      "download them again");
  EXPECT_EQ(message(Llama31().AddTensor("model.layers.0.self_attn.q_proj.bias", {4096}),
                    "attention_bias", false),
            "test: attention_bias is false, but the tensors have biases: the files do not belong "
            "together, download them again");
  EXPECT_EQ(message(Llama31(), "partial_rotary_factor", 1.5),
            "test: partial_rotary_factor is 1.5; 0 to 1 is possible");
  EXPECT_EQ(message(Llama31(), "layer_types", Strings(32, "linear_attention")),
            "test: layer_types has \"linear_attention\", which is not supported yet (known: "
            "full_attention, sliding_attention)");
}

TEST(ArchitectureTest, RotaryScalingNeedsItsKind) {
  Described config(false, {{"model_type", "llama"},
                           {"hidden_size", int64_t{64}},
                           {"intermediate_size", int64_t{64}},
                           {"num_hidden_layers", int64_t{1}},
                           {"num_attention_heads", int64_t{2}},
                           {"vocab_size", int64_t{100}},
                           {"max_position_embeddings", int64_t{4096}},
                           {"rope_scaling.factor", 8.0}});
  EXPECT_EQ(config.Read().status().message(),
            "test: rope_scaling.factor is 8, but neither rope_scaling.rope_type nor "
            "rope_scaling.type says how to scale: add one, for example \"linear\" or \"yarn\"");
  config.Set("rope_scaling.type", "linear");
  EXPECT_EQ(Spec(config).rope[0].scaling, RopeScaling::kLinear);
  // Readers of GGUF take a factor alone for a linear one.
  const ModelSpec gguf = Spec(Described(true, {{"general.architecture", "llama"},
                                               {"llama.block_count", int64_t{1}},
                                               {"llama.context_length", int64_t{4096}},
                                               {"llama.embedding_length", int64_t{64}},
                                               {"llama.feed_forward_length", int64_t{64}},
                                               {"llama.attention.head_count", int64_t{2}},
                                               {"llama.rope.scaling.factor", 4.0}}));
  EXPECT_EQ(gguf.rope[0].scaling, RopeScaling::kLinear);
  EXPECT_EQ(gguf.rope[0].factor, 4);
}

TEST(ArchitectureTest, LatentAttentionAddsUp) {
  ModelSpec spec = Spec(DeepseekV3Config());
  spec.attention[0].nope_dim += 1;
  EXPECT_EQ(ValidateSpec(spec).message(),
            "a key of width 192 cannot be 129 values without position and 64 with it");
  spec.layers[0].rope = -1;
  EXPECT_EQ(ValidateSpec(spec).message(), "latent attention needs a rotary embedding");
}

TEST(ArchitectureTest, MissingKeyIsNamed) {
  const auto spec = Described(false, {{"model_type", "llama"}}).Read();
  ASSERT_FALSE(spec.ok());
  EXPECT_EQ(spec.status().message(), "test: the key vocab_size is missing");
}

TEST(ArchitectureTest, WhoDoesNotSayWhatItIsIsRefused) {
  EXPECT_EQ(Described(false, {}).Read().status().message(),
            "test: it does not say what model it is (model_type is missing)");
}

}  // namespace
}  // namespace tutti::model
