// Hunyuan-A13B (80B-A13B, Tencent 2025): grouped-query attention whose Q and K are normalised per
// head *after* the rotary embedding; experts in every layer by a softmax over all of them, the
// weights normalised, next to one shared expert. The rotary base is stretched by NTK's alpha: theta
// * alpha^(d / (d - 2)); GGUF holds the stretched number.
#include <algorithm>
#include <cmath>

#include "tutti/model/architectures.h"
#include "tutti/model/common_spec.h"

namespace tutti::model {
namespace {

// Some numbers are lists with one entry per layer; all published ones are equal.
int32_t ReadPerLayer(SpecReader& r, Key key, int32_t fallback) {
  const std::vector<int64_t> values = r.Ints(key);
  if (values.empty()) return fallback;
  if (std::any_of(values.begin(), values.end(), [&](int64_t v) { return v != values[0]; })) {
    r.Fail(Unsupported("{}: {} differs between layers, which is not supported yet",
                       r.source().where, key.hugging_face));
  }
  if (values[0] < 0 || values[0] > INT32_MAX) {
    r.Fail(DataError("{}: {} is {}", r.source().where, key.hugging_face, values[0]));
    return fallback;
  }
  return static_cast<int32_t>(values[0]);
}

ModelSpec ReadHunyuanMoe(SpecReader& r) {
  ModelSpec spec = ReadCommonSpec(r);
  const bool qk_norm = r.Bool({"use_qk_norm", ""}, true);
  spec.attention[0].qk_norm = qk_norm ? QkNorm::kPerHeadAfterRope : QkNorm::kNone;
  if (r.Bool({"use_cla", ""}, false)) {
    r.Fail(Unsupported("{}: layers that share keys and values (use_cla) are not supported yet",
                       r.source().where));
  }
  RopeSpec& rope = spec.rope[0];
  const double alpha =
      r.Number({"rope_scaling.alpha", ""}, r.Number({"rope_parameters.alpha", ""}, 1));
  if (alpha > 0 && rope.dim > 2) {
    rope.theta *= std::pow(alpha, static_cast<double>(rope.dim) / (rope.dim - 2));
  }

  MoeSpec& moe = spec.moe;
  moe.experts = r.Int({"num_experts", "expert_count"});
  moe.experts_per_token = ReadPerLayer(r, {"moe_topk", "expert_used_count"}, 1);
  moe.expert_dim =
      ReadPerLayer(r, {"moe_intermediate_size", "expert_feed_forward_length"}, spec.dense_dim);
  moe.normalize_weights = true;
  // The shared expert is as wide as intermediate_size times their number.
  const int32_t shared = ReadPerLayer(r, {"num_shared_expert", ""}, 1);
  moe.shared_dim =
      r.Int({"", "expert_shared_feed_forward_length"}, TotalWidth(shared, spec.dense_dim));
  SetExpertLayers(spec, 0);
  return spec;
}

void Rename(TensorNames& names, bool gguf) {
  if (gguf) return;
  names.q_norm = "self_attn.query_layernorm";
  names.k_norm = "self_attn.key_layernorm";
  names.router = "mlp.gate.wg";
  names.shared_gate = "mlp.shared_mlp.gate_proj";
  names.shared_up = "mlp.shared_mlp.up_proj";
  names.shared_down = "mlp.shared_mlp.down_proj";
}

}  // namespace

Architecture HunyuanMoe() {
  return {.name = "hunyuan_moe",
          .models = "Hunyuan-A13B",
          .hugging_face = {"hunyuan_v1_moe", "hunyuan"},
          .gguf = {"hunyuan-moe"},
          .read_spec = ReadHunyuanMoe,
          .rename = Rename};
}

}  // namespace tutti::model
