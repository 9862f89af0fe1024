#include "tutti/model/common_spec.h"

#include <cmath>
#include <cstring>

namespace tutti::model {
namespace {

// More layers than any model has; also what bounds the memory that a lying file can ask for.
constexpr int32_t kMaxLayers = 4096;

void ReadYarn(SpecReader& r, const std::string& prefix, RopeSpec& rope) {
  rope.scaling = RopeScaling::kYarn;
  rope.beta_fast = r.Number({prefix + "beta_fast", "rope.scaling.yarn_beta_fast"}, 32);
  rope.beta_slow = r.Number({prefix + "beta_slow", "rope.scaling.yarn_beta_slow"}, 1);
  if (r.gguf()) {
    // Readers of GGUF always round the ramp's bounds, also where the converter recorded the
    // published model's wish not to (gpt-oss, yarn_truncate): files are made for those readers.
    rope.truncate = true;
    rope.attention_factor =
        YarnMagnitude(rope.factor, 1) * r.Number({"", "rope.scaling.attn_factor"}, 1);
    return;
  }
  rope.truncate = r.Bool({prefix + "truncate", ""}, true);
  const double multiplier = r.Number({prefix + "mscale", ""}, 0);
  const double multiplier_all = r.Number({prefix + "mscale_all_dim", ""}, 0);
  double factor = YarnMagnitude(rope.factor, 1);
  if (multiplier != 0 && multiplier_all != 0) {
    factor = YarnMagnitude(rope.factor, multiplier) / YarnMagnitude(rope.factor, multiplier_all);
  }
  rope.attention_factor = r.Number({prefix + "attention_factor", ""}, factor);
}

void ReadLlama3(SpecReader& r, const std::string& prefix, RopeSpec& rope) {
  rope.scaling = RopeScaling::kLlama3;
  rope.low_frequency_factor = r.Number({prefix + "low_freq_factor", ""}, 1);
  rope.high_frequency_factor = r.Number({prefix + "high_freq_factor", ""}, 4);
}

// GGUF keeps Llama-3's scaling as one divisor per frequency.
void ReadFrequencyDivisors(SpecReader& r, RopeSpec& rope) {
  const tensor::TensorView* tensor = r.gguf() ? r.source().Find("rope_freqs.weight") : nullptr;
  if (tensor == nullptr) return;
  if (tensor->dtype != DType::kF32 || tensor->shape.elements() != rope.dim / 2) {
    r.Fail(DataError("{}: tensor rope_freqs.weight is {} {}, F32 [{}] is expected",
                     r.source().where, NameOf(tensor->dtype), tensor->shape.ToString(),
                     rope.dim / 2));
    return;
  }
  rope.frequency_divisors.resize(static_cast<size_t>(rope.dim / 2));
  std::memcpy(rope.frequency_divisors.data(), tensor->data, tensor->size_bytes);
}

Activation ReadActivation(SpecReader& r) {
  const std::string name = r.String({"hidden_act", ""}, "silu");
  if (name == "silu" || name == "swish") return Activation::kSilu;
  if (name == "gelu_pytorch_tanh" || name == "gelu_new") return Activation::kGelu;
  r.Fail(Unsupported("{}: the activation {} is not supported yet (known: silu, gelu_pytorch_tanh)",
                     r.source().where, name));
  return Activation::kSilu;
}

int32_t ReadVocabularySize(SpecReader& r) {
  if (!r.gguf()) return r.Int({"vocab_size", ""});
  const tensor::TensorView* embedding = r.source().Find("token_embd.weight");
  if (embedding == nullptr || embedding->shape.rank != 2) {
    r.Fail(DataError("{}: tensor token_embd.weight is missing or not a matrix; is the file whole?",
                     r.source().where));
    return 1;
  }
  return static_cast<int32_t>(std::min<int64_t>(embedding->shape[0], INT32_MAX));
}

bool ReadTied(SpecReader& r) {
  const bool has_output = r.HasTensor(r.gguf() ? "output.weight" : "lm_head.weight");
  return r.Bool({"tie_word_embeddings", ""}, !has_output);
}

AttentionSpec ReadAttention(SpecReader& r, int32_t dim) {
  AttentionSpec attention;
  attention.heads = r.Int({"num_attention_heads", "attention.head_count"});
  attention.kv_heads = r.Int({"num_key_value_heads", "attention.head_count_kv"}, attention.heads);
  const int32_t head_dim = dim / std::max(1, attention.heads);
  attention.key_dim =
      r.Int({"head_dim", "attention.key_length"}, r.Int({"attention_head_dim", ""}, head_dim));
  attention.value_dim = r.Int({"", "attention.value_length"}, attention.key_dim);
  attention.scale = static_cast<float>(1 / std::sqrt(std::max(1, attention.key_dim)));
  const auto has_bias = [&](std::string_view hugging_face, std::string_view gguf) {
    return r.HasTensor(r.gguf() ? fmt::format("blk.0.{}.bias", gguf)
                                : fmt::format("model.layers.0.self_attn.{}.bias", hugging_face));
  };
  attention.qkv_bias =
      has_bias("q_proj", "attn_q") || has_bias("k_proj", "attn_k") || has_bias("v_proj", "attn_v");
  attention.output_bias = has_bias("o_proj", "attn_output");
  return attention;
}

}  // namespace

double YarnMagnitude(double factor, double multiplier) {
  return factor <= 1 ? 1 : 0.1 * multiplier * std::log(factor) + 1;
}

int32_t TotalWidth(int32_t count, int32_t width) {
  return static_cast<int32_t>(std::min<int64_t>(int64_t{count} * width, INT32_MAX));
}

int32_t ReadRotatedDim(SpecReader& r, int32_t head_dim) {
  const double fraction = r.Number({"partial_rotary_factor", ""},
                                   r.Number({"rope_parameters.partial_rotary_factor", ""}, 1));
  if (!(fraction >= 0 && fraction <= 1)) {
    r.Fail(DataError("{}: partial_rotary_factor is {}; 0 to 1 is possible", r.source().where,
                     fraction));
    return head_dim;
  }
  return r.Int({"rotary_dim", "rope.dimension_count"}, static_cast<int32_t>(head_dim * fraction));
}

RopeSpec ReadRope(SpecReader& r, int32_t dim, int32_t context_length) {
  RopeSpec rope;
  rope.dim = dim;
  rope.theta = r.Number({"rope_theta", "rope.freq_base"},
                        r.Number({"rope_parameters.rope_theta", ""}, 10000));
  // Newer configs write rope_parameters, older ones rope_scaling with `type` or `rope_type`.
  const std::string prefix =
      r.Has({"rope_parameters.rope_type", ""}) ? "rope_parameters." : "rope_scaling.";
  rope.factor =
      r.Number({prefix + "factor", "rope.scaling.factor"}, r.Number({"", "rope.scale_linear"}, 1));
  // GGUF: a factor alone is a linear one.
  const std::string type =
      r.String({prefix + "rope_type", "rope.scaling.type"},
               r.String({prefix + "type", ""}, r.gguf() && rope.factor > 1 ? "linear" : "none"));
  rope.original_context =
      r.Int({prefix + "original_max_position_embeddings", "rope.scaling.original_context_length"},
            context_length);
  ReadFrequencyDivisors(r, rope);
  if (type == "none" || type == "default" || type == "mrope") return rope;
  if (type == "linear") {
    rope.scaling = RopeScaling::kLinear;
  } else if (type == "llama3") {
    ReadLlama3(r, prefix, rope);
  } else if (type == "yarn") {
    ReadYarn(r, prefix, rope);
  } else if (type == "dynamic" && (rope.factor == 1 || r.Has({prefix + "alpha", ""}))) {
    // Changes nothing within the trained context, or is Hunyuan's alpha (model/hunyuan_moe.cc).
  } else {
    r.Fail(
        Unsupported("{}: rotary scaling of type {} is not supported yet (known: linear, llama3, "
                    "yarn)",
                    r.source().where, type));
  }
  return rope;
}

int32_t ReadWindow(SpecReader& r) {
  return r.Int({"sliding_window", "attention.sliding_window"}, 0);
}

void SetWindows(SpecReader& r, ModelSpec& spec, int32_t window, bool (*by_default)(int32_t)) {
  const std::vector<std::string> types = r.Strings({"layer_types", ""});
  if (!types.empty() && types.size() < spec.layers.size()) {
    r.Fail(DataError("{}: layer_types lists {} layers, the model has {}", r.source().where,
                     types.size(), spec.layers.size()));
    return;
  }
  for (size_t i = 0; i < spec.layers.size(); ++i) {
    const bool sliding =
        types.empty() ? by_default(static_cast<int32_t>(i)) : types[i] == "sliding_attention";
    spec.layers[i].window = sliding ? window : 0;
  }
}

void ReadExpertGroups(SpecReader& r, MoeSpec& moe) {
  moe.groups = r.Int({"n_group", "expert_group_count"}, 1);
  moe.groups_used = r.Int({"topk_group", "expert_group_used_count"}, moe.groups);
  // Writers of GGUF record 0 for what a model does not have.
  if (r.gguf() && moe.groups <= 1) moe.groups = moe.groups_used = 1;
}

void SetExpertLayers(ModelSpec& spec, int32_t first_moe) {
  for (size_t i = 0; i < spec.layers.size(); ++i) {
    spec.layers[i].moe = static_cast<int64_t>(i) >= first_moe;
  }
}

ModelSpec ReadCommonSpec(SpecReader& r) {
  ModelSpec spec;
  spec.name = r.String({"_name_or_path", "general.name"}, "");
  spec.vocab_size = ReadVocabularySize(r);
  spec.dim = r.Int({"hidden_size", "embedding_length"});
  spec.context_length = r.Int({"max_position_embeddings", "context_length"});
  spec.dense_dim = r.Int({"intermediate_size", "feed_forward_length"}, 0);
  spec.dense_bias =
      r.HasTensor(r.gguf() ? "blk.0.ffn_gate.bias" : "model.layers.0.mlp.gate_proj.bias");
  spec.norm_epsilon = r.Float({"rms_norm_eps", "attention.layer_norm_rms_epsilon"}, 1e-6f);
  spec.activation = ReadActivation(r);
  spec.tied_embedding = ReadTied(r);
  spec.attention.push_back(ReadAttention(r, spec.dim));
  const int32_t key_dim = spec.attention[0].key_dim;
  spec.rope.push_back(ReadRope(r, ReadRotatedDim(r, key_dim), spec.context_length));

  // Layers that only predict several tokens ahead are no part of the plain model; config.json does
  // not count them, GGUF does.
  const int32_t layers =
      r.Int({"num_hidden_layers", "block_count"}) - r.Int({"", "nextn_predict_layers"}, 0);
  if (layers < 1 || layers > kMaxLayers) {
    r.Fail(DataError("{}: the model has {} layers; 1 to {} are possible", r.source().where, layers,
                     kMaxLayers));
    return spec;
  }
  spec.layers.resize(static_cast<size_t>(layers));
  return spec;
}

}  // namespace tutti::model
