// ERNIE-4.5 21B-A3B, 300B-A47B (Baidu 2025): grouped-query attention with the rotary pairs side by
// side; after some dense layers, experts chosen by softmax scores plus a bias that counts for
// choosing only, the weights divided by their sum (floored), next to shared experts.
#include <algorithm>

#include "tutti/model/architectures.h"
#include "tutti/model/common_spec.h"

namespace tutti::model {
namespace {

ModelSpec ReadErnie45Moe(SpecReader& r) {
  ModelSpec spec = ReadCommonSpec(r);
  spec.rope[0].pairing = RopePairing::kInterleaved;

  MoeSpec& moe = spec.moe;
  moe.experts = r.Int({"moe_num_experts", "expert_count"});
  moe.experts_per_token = r.Int({"moe_k", "expert_used_count"});
  moe.expert_dim = r.Int({"moe_intermediate_size", "expert_feed_forward_length"});
  moe.selection_bias = true;
  moe.normalize_weights = true;
  moe.normalize_epsilon = r.Float({"moe_norm_min", ""}, 1e-12f);
  moe.normalize_floor = true;
  moe.shared_dim =
      TotalWidth(r.Int({"moe_num_shared_experts", "expert_shared_count"}, 0), moe.expert_dim);

  const int32_t first = r.Int({"moe_layer_start_index", "leading_dense_block_count"}, 0);
  // -1 stands for the last layer, and so does nothing.
  const std::vector<int64_t> ends = r.Ints({"moe_layer_end_index", ""});
  const int64_t last = ends.empty() || ends[0] < 0 ? INT32_MAX : ends[0];
  const int32_t step = std::max(1, r.Int({"moe_layer_interval", "interleave_moe_layer_step"}, 1));
  for (int32_t i = 0; i < std::ssize(spec.layers); ++i) {
    spec.layers[static_cast<size_t>(i)].moe = i >= first && i <= last && (i + 1) % step == 0;
  }
  return spec;
}

void Rename(TensorNames& names, bool gguf) {
  if (!gguf) names.selection_bias = "mlp.moe_statics.e_score_correction_bias";
}

}  // namespace

Architecture Ernie45Moe() {
  return {.name = "ernie4_5_moe",
          .models = "ERNIE-4.5-21B-A3B, 300B-A47B",
          .hugging_face = {"ernie4_5_moe"},
          .gguf = {"ernie4_5-moe"},
          .read_spec = ReadErnie45Moe,
          .rename = Rename};
}

}  // namespace tutti::model
