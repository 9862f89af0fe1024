// Qwen2, Qwen2.5 (arXiv 2407.10671, 2412.15115): Llama with biases on Q, K and V.
//
// use_sliding_window gives the layers from max_window_layers on a window; no published model of the
// family switches it on.
#include "tutti/model/architectures.h"
#include "tutti/model/common_spec.h"
#include "tutti/model/qwen_layers.h"

namespace tutti::model {
namespace {

ModelSpec ReadQwen2(SpecReader& r) {
  ModelSpec spec = ReadCommonSpec(r);
  spec.attention[0].qkv_bias = true;
  SetQwenWindows(r, spec);
  return spec;
}

}  // namespace

Architecture Qwen2() {
  return {.name = "qwen2",
          .models = "Qwen2, Qwen2.5 (dense)",
          .hugging_face = {"qwen2"},
          .gguf = {"qwen2"},
          .read_spec = ReadQwen2};
}

}  // namespace tutti::model
