// DeepSeek-V2, V2-Lite (arXiv 2405.04434), V3, R1 (arXiv 2412.19437) and Kimi-K2 (arXiv
// 2507.20534).
//
// Attention is multi-head latent attention: keys and values of all heads are unfolded from one
// narrow latent per token (kv_rank values), and one key of rope_dim values with the position is
// shared by all heads; only these two are remembered. Queries come through a bottleneck of their
// own (not in V2-Lite). YaRN stretches the positions, and its magnitude correction, squared, goes
// into the softmax's scale.
//
// After the first dense layers come many small experts and a few shared ones. V2: softmax scores;
// experts are taken from the groups with the best expert; the weights are scaled, not normalised.
// V3 and K2: sigmoid scores plus a bias that counts for choosing only, groups by the sum of their
// two best, the weights normalised and scaled.
//
// GGUF calls all of them "deepseek2". Which group score is meant, it does not record: its readers
// take the sum of the two best for every grouped model, and so do we for GGUF; V2's own code, and
// ours for a V2 in safetensors, takes the maximum.
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <initializer_list>

#include "tutti/base/printable.h"
#include "tutti/model/architectures.h"
#include "tutti/model/common_spec.h"

namespace tutti::model {
namespace {

// expert_gating_func of GGUF.
constexpr int32_t kGgufSoftmax = 1;
constexpr int32_t kGgufSigmoid = 2;

void ReadLatentAttention(SpecReader& r, ModelSpec& spec) {
  AttentionSpec& attention = spec.attention[0];
  RopeSpec& rope = spec.rope[0];
  attention.kind = AttentionKind::kLatent;
  rope.dim = r.Int({"qk_rope_head_dim", "rope.dimension_count"});
  rope.pairing = RopePairing::kInterleaved;
  attention.q_rank = r.Int({"q_lora_rank", "attention.q_lora_rank"}, 0);
  attention.kv_rank = r.Int({"kv_lora_rank", "attention.kv_lora_rank"});
  attention.kv_heads = attention.heads;  // GGUF says 1: it counts the latent
  if (r.gguf()) {
    // Older files record the heads' widths where newer ones record the latent's.
    attention.key_dim = r.Int({"", "attention.key_length_mla"}, attention.key_dim);
    attention.value_dim = r.Int({"", "attention.value_length_mla"}, attention.value_dim);
    attention.nope_dim = attention.key_dim - rope.dim;
  } else {
    attention.nope_dim = r.Int({"qk_nope_head_dim", ""});
    attention.key_dim =
        static_cast<int32_t>(std::min<int64_t>(int64_t{attention.nope_dim} + rope.dim, INT32_MAX));
    attention.value_dim = r.Int({"v_head_dim", ""});
  }

  double scale = 1 / std::sqrt(std::max(1, attention.key_dim));
  if (rope.scaling == RopeScaling::kYarn) {
    // GGUF has a tenth of the multiplier.
    const double multiplier = r.gguf()
                                  ? 10 * r.Number({"", "rope.scaling.yarn_log_multiplier"}, 0)
                                  : r.Number({"rope_scaling.mscale_all_dim", ""},
                                             r.Number({"rope_parameters.mscale_all_dim", ""}, 0));
    const double magnitude = YarnMagnitude(rope.factor, multiplier);
    scale *= magnitude * magnitude;
    // Both multipliers are equal in every published model and cancel in cos and sin.
    if (r.gguf()) rope.attention_factor = 1;
  }
  attention.scale = static_cast<float>(scale);
}

void ReadExperts(SpecReader& r, ModelSpec& spec) {
  MoeSpec& moe = spec.moe;
  moe.experts = r.Int({"n_routed_experts", "expert_count"});
  moe.experts_per_token = r.Int({"num_experts_per_tok", "expert_used_count"});
  moe.expert_dim = r.Int({"moe_intermediate_size", "expert_feed_forward_length"});
  moe.normalize_weights = r.Bool({"norm_topk_prob", "expert_weights_norm"}, false);
  moe.normalize_epsilon = 1e-20f;
  moe.weight_scale = r.Float({"routed_scaling_factor", "expert_weights_scale"}, 1);
  ReadExpertGroups(r, moe);
  moe.shared_dim =
      TotalWidth(r.Int({"n_shared_experts", "expert_shared_count"}, 0), moe.expert_dim);
}

// The layers from first_k_dense_replace on, every moe_layer_freq-th of them, have experts.
void ReadExpertLayers(SpecReader& r, ModelSpec& spec) {
  const int32_t first = r.Int({"first_k_dense_replace", "leading_dense_block_count"}, 0);
  const int32_t step = std::max(1, r.Int({"moe_layer_freq", ""}, 1));
  for (int32_t i = 0; i < std::ssize(spec.layers); ++i) {
    spec.layers[static_cast<size_t>(i)].moe = i >= first && i % step == 0;
  }
}

// One of the names that are known, the first where the checkpoint has none.
std::string ReadChoice(SpecReader& r, std::string_view key,
                       std::initializer_list<std::string_view> known) {
  const std::string value = r.String({key, ""}, *known.begin());
  if (std::find(known.begin(), known.end(), value) == known.end()) {
    r.Fail(Unsupported("{}: {} \"{}\" is not supported yet (known: {})", r.source().where, key,
                       Printable(value), fmt::join(known, ", ")));
  }
  return value;
}

ModelSpec ReadDeepseekV2(SpecReader& r) {
  ModelSpec spec = ReadCommonSpec(r);
  ReadLatentAttention(r, spec);
  ReadExperts(r, spec);
  ReadExpertLayers(r, spec);
  if (r.gguf()) {
    spec.moe.group_score = GroupScore::kSumOfTopTwo;
  } else if (ReadChoice(r, "topk_method", {"greedy", "group_limited_greedy"}) == "greedy") {
    spec.moe.groups = 1;
    spec.moe.groups_used = 1;
  }
  // V2's code scales the weights only where it does not normalise them.
  if (!r.gguf() && spec.moe.normalize_weights) spec.moe.weight_scale = 1;
  return spec;
}

ModelSpec ReadDeepseekV3(SpecReader& r) {
  ModelSpec spec = ReadCommonSpec(r);
  ReadLatentAttention(r, spec);
  ReadExperts(r, spec);
  ReadExpertLayers(r, spec);
  spec.moe.scoring = RouterScoring::kSigmoid;
  spec.moe.group_score = GroupScore::kSumOfTopTwo;
  ReadChoice(r, "topk_method", {"noaux_tc"});
  spec.moe.selection_bias = true;
  return spec;
}

bool IsV3(const ModelSource& source) {
  if (!source.gguf) return true;  // the model_type decides
  const auto gating = source.metadata.Int("deepseek2.expert_gating_func");
  return gating.ok() && gating->value_or(kGgufSoftmax) == kGgufSigmoid;
}

}  // namespace

Architecture DeepseekV3() {
  return {.name = "deepseek_v3",
          .models = "DeepSeek-V3, V3.1, R1, Kimi-K2",
          .hugging_face = {"deepseek_v3", "kimi_k2"},
          .gguf = {"deepseek2"},
          .claims = IsV3,
          .read_spec = ReadDeepseekV3};
}

Architecture DeepseekV2() {
  return {.name = "deepseek_v2",
          .models = "DeepSeek-V2, V2-Lite, Coder-V2",
          .hugging_face = {"deepseek_v2"},
          .gguf = {"deepseek2"},
          .read_spec = ReadDeepseekV2};
}

}  // namespace tutti::model
