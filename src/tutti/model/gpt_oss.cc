// gpt-oss-20b, gpt-oss-120b (arXiv 2508.10925): grouped-query attention with biases and one learnt
// logit per head that joins the softmax (a sink: it takes weight and gives nothing); every other
// layer sees a window of 128 tokens; YaRN with unrounded ramp bounds. Experts with biases in every
// layer, weighed by a softmax over the chosen ones; the activation is a clamped SwiGLU, (min(g, 7)
// * sigmoid(1.702 g)) * (clamp(u, -7, 7) + 1). Published in MXFP4.
#include "tutti/model/architectures.h"
#include "tutti/model/common_spec.h"

namespace tutti::model {
namespace {

ModelSpec ReadGptOss(SpecReader& r) {
  ModelSpec spec = ReadCommonSpec(r);
  AttentionSpec& attention = spec.attention[0];
  attention.qkv_bias = true;
  attention.output_bias = true;
  attention.sinks = true;
  SetWindows(r, spec, ReadWindow(r), [](int32_t layer) { return layer % 2 == 0; });
  spec.activation = Activation::kClampedSwiglu;
  spec.swiglu_limit = r.Float({"swiglu_limit", ""}, 7);

  MoeSpec& moe = spec.moe;
  moe.experts = r.Int({"num_local_experts", "expert_count"});
  moe.experts_per_token =
      r.Int({"num_experts_per_tok", "expert_used_count"}, r.Int({"experts_per_token", ""}, 4));
  moe.expert_dim = r.Int({"intermediate_size", "expert_feed_forward_length"});
  moe.scoring = RouterScoring::kSoftmaxOfTopK;
  moe.router_bias = true;
  moe.expert_bias = true;
  SetExpertLayers(spec, 0);
  return spec;
}

void Rename(TensorNames& names, bool gguf) {
  if (gguf) {
    names.ffn_norm = "post_attention_norm";
    return;
  }
  names.router = "mlp.router";
  names.expert_gate_up = "mlp.experts.gate_up_proj";
  names.expert_down = "mlp.experts.down_proj";
}

}  // namespace

Architecture GptOss() {
  return {.name = "gpt_oss",
          .models = "gpt-oss-20b, gpt-oss-120b",
          .hugging_face = {"gpt_oss"},
          .gguf = {"gpt-oss"},
          .read_spec = ReadGptOss,
          .rename = Rename};
}

}  // namespace tutti::model
