// Qwen1.5-MoE-A2.7B, Qwen2-57B-A14B (arXiv 2407.10671): Qwen2's attention; many small experts,
// chosen by a softmax over all of them whose weights are not normalised again, and a shared expert
// whose output is scaled by a sigmoid gate of its own.
#include <algorithm>

#include "tutti/model/architectures.h"
#include "tutti/model/common_spec.h"
#include "tutti/model/qwen_layers.h"

namespace tutti::model {
namespace {

ModelSpec ReadQwen2Moe(SpecReader& r) {
  ModelSpec spec = ReadCommonSpec(r);
  spec.attention[0].qkv_bias = r.Bool({"qkv_bias", ""}, true);
  spec.moe.experts = r.Int({"num_experts", "expert_count"});
  spec.moe.experts_per_token = r.Int({"num_experts_per_tok", "expert_used_count"});
  spec.moe.expert_dim = r.Int({"moe_intermediate_size", "expert_feed_forward_length"});
  spec.moe.normalize_weights = r.Bool({"norm_topk_prob", "expert_weights_norm"}, false);
  spec.moe.shared_dim =
      r.Int({"shared_expert_intermediate_size", "expert_shared_feed_forward_length"});
  spec.moe.shared_gate = true;
  SetQwenExpertLayers(r, spec);
  SetQwenWindows(r, spec);
  return spec;
}

void Rename(TensorNames& names, bool gguf) {
  if (gguf) return;
  names.shared_gate = "mlp.shared_expert.gate_proj";
  names.shared_up = "mlp.shared_expert.up_proj";
  names.shared_down = "mlp.shared_expert.down_proj";
}

}  // namespace

Architecture Qwen2Moe() {
  return {.name = "qwen2_moe",
          .models = "Qwen1.5-MoE-A2.7B, Qwen2-57B-A14B",
          .hugging_face = {"qwen2_moe"},
          .gguf = {"qwen2moe"},
          .read_spec = ReadQwen2Moe,
          .rename = Rename};
}

}  // namespace tutti::model
