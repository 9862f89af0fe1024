#include "tutti/model/spec_claims.h"

#include <algorithm>
#include <array>
#include <string>

#include "tutti/base/printable.h"

namespace tutti::model {
namespace {

// Names in config.json and numbers in GGUF (expert_gating_func).
struct Scoring {
  RouterScoring scoring;
  std::string_view name;
  int32_t gguf;
};
constexpr std::array<Scoring, 3> kScorings = {{{RouterScoring::kSoftmax, "softmax", 1},
                                               {RouterScoring::kSigmoid, "sigmoid", 2},
                                               {RouterScoring::kSoftmaxOfTopK, "softmax", 3}}};

void CheckScoring(SpecReader& r, const ModelSpec& spec) {
  const auto ours = std::find_if(kScorings.begin(), kScorings.end(), [&](const Scoring& scoring) {
    return scoring.scoring == spec.moe.scoring;
  });
  for (const std::string_view key : {"scoring_func", "moe_gate_act"}) {
    const std::string name = r.String({key, ""}, ours->name);
    if (name == ours->name) continue;
    r.Fail(Unsupported("{}: {} is \"{}\"; of this architecture Tutti knows models with \"{}\" only",
                       r.source().where, key, Printable(name), ours->name));
  }
  // 0: not recorded.
  const int32_t number = r.Int({"", "expert_gating_func"}, 0);
  if (number != 0 && number != ours->gguf) {
    r.Fail(
        Unsupported("{}: expert_gating_func is {}; of this architecture Tutti knows models with "
                    "{} only",
                    r.source().where, number, ours->gguf));
  }
}

// Whether there are biases is seen from the tensors; config.json must agree.
void CheckBias(SpecReader& r, std::string_view key, bool there) {
  if (!r.Has({key, ""}) || r.Bool({key, ""}, there) == there) return;
  r.Fail(
      DataError("{}: {} is {}, but the tensors {} biases: the files do not belong together, "
                "download them again",
                r.source().where, key, !there, there ? "have" : "lack"));
}

void CheckBiases(SpecReader& r, const ModelSpec& spec) {
  const AttentionSpec& attention = spec.attention[0];
  CheckBias(r, "attention_bias", attention.qkv_bias || attention.output_bias);
  CheckBias(r, "mlp_bias", spec.dense_bias);
}

void CheckLayerTypes(SpecReader& r) {
  for (const std::string& type : r.Strings({"layer_types", ""})) {
    if (type == "full_attention" || type == "sliding_attention") continue;
    r.Fail(
        Unsupported("{}: layer_types has \"{}\", which is not supported yet (known: "
                    "full_attention, sliding_attention)",
                    r.source().where, Printable(type)));
  }
  // MiniMax: 1 is attention, 0 another kind of layer.
  for (const int64_t type : r.Ints({"attn_type_list", ""})) {
    if (type == 1) continue;
    r.Fail(Unsupported("{}: attn_type_list has {}, which is not supported yet (known: 1)",
                       r.source().where, type));
  }
}

void CheckQuantization(SpecReader& r) {
  constexpr std::string_view kNext =
      "look for the model unquantized or as GGUF, or for one of these forms";
  const std::string method = r.String({"quantization_config.quant_method", ""}, "fp8");
  if (method != "fp8" && method != "mxfp4" && method != "compressed-tensors") {
    r.Fail(
        Unsupported("{}: weights quantized by \"{}\" are not supported yet (known: fp8, mxfp4, "
                    "compressed-tensors): {}",
                    r.source().where, Printable(method), kNext));
  }
  const std::string format = r.String({"quantization_config.format", ""}, "dense");
  if (format != "dense" && format != "pack-quantized" && format != "float-quantized") {
    r.Fail(
        Unsupported("{}: quantized weights in the format \"{}\" are not supported yet (known: "
                    "pack-quantized, float-quantized): {}",
                    r.source().where, Printable(format), kNext));
  }
}

// Scaling without a name would be taken for none.
void CheckRopeScaling(SpecReader& r) {
  if (r.gguf()) return;
  for (const std::string prefix : {"rope_scaling.", "rope_parameters."}) {
    const bool named = r.Has({prefix + "rope_type", ""}) || r.Has({prefix + "type", ""});
    const double factor = r.Number({prefix + "factor", ""}, 1);
    if (!named && factor != 1) {
      r.Fail(
          DataError("{}: {}factor is {}, but neither {}rope_type nor {}type says how to scale: "
                    "add one, for example \"linear\" or \"yarn\"",
                    r.source().where, prefix, factor, prefix, prefix));
    }
    for (const std::string_view kind : {"full_attention", "sliding_attention"}) {
      if (!r.Has({fmt::format("{}{}.rope_type", prefix, kind), ""})) continue;
      r.Fail(Unsupported("{}: {}{}: a rotary embedding for each kind of layer is not supported yet",
                         r.source().where, prefix, kind));
    }
  }
}

}  // namespace

void CheckClaims(SpecReader& r, const ModelSpec& spec) {
  if (spec.moe.experts > 0) CheckScoring(r, spec);
  CheckBiases(r, spec);
  CheckLayerTypes(r);
  CheckQuantization(r);
  CheckRopeScaling(r);
}

}  // namespace tutti::model
