// MiniMax-M2 (230B-A10B): grouped-query attention, part of every head rotated, Q and K normalised
// over the whole row; experts in every layer, chosen by sigmoid scores plus a bias that counts for
// choosing only, the weights normalised. No shared expert. Published in FP8 blocks.
#include "tutti/model/architectures.h"
#include "tutti/model/common_spec.h"

namespace tutti::model {
namespace {

ModelSpec ReadMinimaxM2(SpecReader& r) {
  ModelSpec spec = ReadCommonSpec(r);
  const bool qk_norm = r.Bool({"use_qk_norm", ""}, true);
  spec.attention[0].qk_norm = qk_norm ? QkNorm::kWholeRow : QkNorm::kNone;

  MoeSpec& moe = spec.moe;
  moe.experts = r.Int({"num_local_experts", "expert_count"});
  moe.experts_per_token = r.Int({"num_experts_per_tok", "expert_used_count"});
  moe.expert_dim = r.Int({"intermediate_size", "expert_feed_forward_length"});
  moe.scoring = RouterScoring::kSigmoid;
  moe.selection_bias = r.Bool({"use_routing_bias", ""}, true);
  moe.normalize_weights = true;
  if (r.Int({"shared_intermediate_size", ""}, 0) != 0) {
    r.Fail(
        Unsupported("{}: MiniMax-M2 with shared experts is not supported yet", r.source().where));
  }
  SetExpertLayers(spec, 0);
  return spec;
}

void Rename(TensorNames& names, bool gguf) {
  if (gguf) return;
  names.router = "block_sparse_moe.gate";
  names.selection_bias = "block_sparse_moe.e_score_correction_bias";
  names.expert_gate = "block_sparse_moe.experts.{}.w1";
  names.expert_up = "block_sparse_moe.experts.{}.w3";
  names.expert_down = "block_sparse_moe.experts.{}.w2";
}

}  // namespace

Architecture MinimaxM2() {
  return {.name = "minimax_m2",
          .models = "MiniMax-M2",
          .hugging_face = {"minimax_m2"},
          .gguf = {"minimax-m2"},
          .read_spec = ReadMinimaxM2,
          .rename = Rename};
}

}  // namespace tutti::model
