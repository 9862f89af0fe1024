// Mixtral 8x7B, 8x22B (arXiv 2401.04088): Mistral with eight experts instead of one feed-forward
// network in every layer, two of them for each token, weighed by a softmax over the chosen two.
//
// GGUF calls it "llama" with an expert count.
#include "tutti/model/architectures.h"
#include "tutti/model/common_spec.h"

namespace tutti::model {
namespace {

bool HasExperts(const ModelSource& source) {
  return !source.gguf || source.metadata.Has("llama.expert_count");
}

ModelSpec ReadMixtral(SpecReader& r) {
  ModelSpec spec = ReadCommonSpec(r);
  spec.rope[0].pairing = r.gguf() ? RopePairing::kInterleaved : RopePairing::kHalves;
  SetWindows(r, spec, ReadWindow(r), [](int32_t) { return true; });
  spec.moe.experts = r.Int({"num_local_experts", "expert_count"});
  spec.moe.experts_per_token = r.Int({"num_experts_per_tok", "expert_used_count"});
  spec.moe.expert_dim = spec.dense_dim;
  spec.moe.scoring = RouterScoring::kSoftmaxOfTopK;
  SetExpertLayers(spec, spec.moe.experts > 0 ? 0 : INT32_MAX);
  return spec;
}

void Rename(TensorNames& names, bool gguf) {
  if (gguf) return;
  names.router = "block_sparse_moe.gate";
  names.expert_gate = "block_sparse_moe.experts.{}.w1";
  names.expert_up = "block_sparse_moe.experts.{}.w3";
  names.expert_down = "block_sparse_moe.experts.{}.w2";
}

}  // namespace

Architecture Mixtral() {
  return {.name = "mixtral",
          .models = "Mixtral 8x7B, 8x22B",
          .hugging_face = {"mixtral"},
          .gguf = {"llama"},
          .claims = HasExperts,
          .read_spec = ReadMixtral,
          .rename = Rename};
}

}  // namespace tutti::model
