// Qwen3, dense (arXiv 2505.09388): Llama with an RMS norm over every head of Q and K before the
// rotary embedding, and heads whose width does not follow from the model's.
#include "tutti/model/architectures.h"
#include "tutti/model/common_spec.h"
#include "tutti/model/qwen_layers.h"

namespace tutti::model {
namespace {

ModelSpec ReadQwen3(SpecReader& r) {
  ModelSpec spec = ReadCommonSpec(r);
  spec.attention[0].qk_norm = QkNorm::kPerHead;
  SetQwenWindows(r, spec);
  return spec;
}

}  // namespace

Architecture Qwen3() {
  return {.name = "qwen3",
          .models = "Qwen3-0.6B to Qwen3-32B",
          .hugging_face = {"qwen3"},
          .gguf = {"qwen3"},
          .read_spec = ReadQwen3};
}

}  // namespace tutti::model
