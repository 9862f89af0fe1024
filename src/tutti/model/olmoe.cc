// OLMoE-1B-7B (arXiv 2409.02060): 64 small experts, eight for each token, by a softmax over all of
// them whose weights are not normalised again. Q and K are normalised over the whole row (all heads
// together) before the rotary embedding; clip_qkv may clamp Q, K and V after that.
#include "tutti/model/architectures.h"
#include "tutti/model/common_spec.h"

namespace tutti::model {
namespace {

ModelSpec ReadOlmoe(SpecReader& r) {
  ModelSpec spec = ReadCommonSpec(r);
  spec.attention[0].qk_norm = QkNorm::kWholeRow;
  spec.attention[0].clip_qkv = r.Float({"clip_qkv", "attention.clamp_kqv"}, 0);
  spec.moe.experts = r.Int({"num_experts", "expert_count"});
  spec.moe.experts_per_token = r.Int({"num_experts_per_tok", "expert_used_count"});
  spec.moe.expert_dim = spec.dense_dim;
  spec.moe.normalize_weights = r.Bool({"norm_topk_prob", "expert_weights_norm"}, false);
  SetExpertLayers(spec, 0);
  return spec;
}

}  // namespace

Architecture Olmoe() {
  return {.name = "olmoe",
          .models = "OLMoE-1B-7B",
          .hugging_face = {"olmoe"},
          .gguf = {"olmoe"},
          .read_spec = ReadOlmoe};
}

}  // namespace tutti::model
