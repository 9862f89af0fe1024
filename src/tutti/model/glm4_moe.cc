// GLM-4.5, GLM-4.5-Air, GLM-4.6 (arXiv 2508.06471): grouped-query attention with biases on Q, K and
// V, half of every head rotated, an RMS norm per head where use_qk_norm says so; after some dense
// layers, DeepSeek-V3's experts: sigmoid scores, a bias that counts for choosing only, the weights
// normalised and scaled, one shared expert.
//
// GGUF counts the layer that predicts a second token (nextn_predict_layers); it is left out.
#include "tutti/model/architectures.h"
#include "tutti/model/common_spec.h"

namespace tutti::model {
namespace {

ModelSpec ReadGlm4Moe(SpecReader& r) {
  ModelSpec spec = ReadCommonSpec(r);
  const bool qk_norm = r.Bool({"use_qk_norm", ""}, r.HasTensor("blk.0.attn_q_norm.weight"));
  spec.attention[0].qk_norm = qk_norm ? QkNorm::kPerHead : QkNorm::kNone;

  MoeSpec& moe = spec.moe;
  moe.experts = r.Int({"n_routed_experts", "expert_count"});
  moe.experts_per_token = r.Int({"num_experts_per_tok", "expert_used_count"});
  moe.expert_dim = r.Int({"moe_intermediate_size", "expert_feed_forward_length"});
  moe.scoring = RouterScoring::kSigmoid;
  moe.selection_bias = true;
  moe.normalize_weights = r.Bool({"norm_topk_prob", "expert_weights_norm"}, true);
  moe.normalize_epsilon = 1e-20f;
  moe.weight_scale = r.Float({"routed_scaling_factor", "expert_weights_scale"}, 1);
  ReadExpertGroups(r, moe);
  moe.group_score = GroupScore::kSumOfTopTwo;
  moe.shared_dim =
      TotalWidth(r.Int({"n_shared_experts", "expert_shared_count"}, 0), moe.expert_dim);
  SetExpertLayers(spec, r.Int({"first_k_dense_replace", "leading_dense_block_count"}, 0));
  return spec;
}

void Rename(TensorNames& names, bool gguf) {
  if (gguf) names.ffn_norm = "post_attention_norm";
}

}  // namespace

Architecture Glm4Moe() {
  return {.name = "glm4_moe",
          .models = "GLM-4.5, GLM-4.5-Air, GLM-4.6",
          .hugging_face = {"glm4_moe"},
          .gguf = {"glm4moe"},
          .read_spec = ReadGlm4Moe,
          .rename = Rename};
}

}  // namespace tutti::model
