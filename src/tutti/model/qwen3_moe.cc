// Qwen3-30B-A3B, Qwen3-235B-A22B, Qwen3-Coder (arXiv 2505.09388): Qwen3's attention (an RMS norm
// over every head of Q and K) and 128 experts of which eight are chosen by a softmax over all of
// them, their weights normalised to a sum of one. No shared expert.
#include <algorithm>

#include "tutti/model/architectures.h"
#include "tutti/model/common_spec.h"
#include "tutti/model/qwen_layers.h"

namespace tutti::model {
namespace {

ModelSpec ReadQwen3Moe(SpecReader& r) {
  ModelSpec spec = ReadCommonSpec(r);
  spec.attention[0].qk_norm = QkNorm::kPerHead;
  spec.moe.experts = r.Int({"num_experts", "expert_count"});
  spec.moe.experts_per_token = r.Int({"num_experts_per_tok", "expert_used_count"});
  spec.moe.expert_dim = r.Int({"moe_intermediate_size", "expert_feed_forward_length"});
  // Absent in GGUF, where it is always done.
  spec.moe.normalize_weights = r.Bool({"norm_topk_prob", "expert_weights_norm"}, r.gguf());
  SetQwenExpertLayers(r, spec);
  SetQwenWindows(r, spec);
  return spec;
}

}  // namespace

Architecture Qwen3Moe() {
  return {.name = "qwen3_moe",
          .models = "Qwen3-30B-A3B, Qwen3-235B-A22B, Qwen3-Coder",
          .hugging_face = {"qwen3_moe"},
          .gguf = {"qwen3moe"},
          .read_spec = ReadQwen3Moe};
}

}  // namespace tutti::model
