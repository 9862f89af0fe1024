// Llama 2, 3, 3.1 and everything built like it (SmolLM2, TinyLlama, Yi, ...), and Mistral.
//
// Llama 2: arXiv 2307.09288; Llama 3: arXiv 2407.21783. A pre-norm transformer: RMS norms, grouped-
// query attention with a rotary embedding, a SwiGLU feed-forward network, no biases. Llama 3.1
// stretches the rotary embedding's slow frequencies by a factor and leaves the fast ones alone.
// Mistral 7B (arXiv 2310.06825) is the same with a sliding window in every layer.
//
// GGUF calls both "llama", stores Q and K with the rotary pairs side by side, keeps Llama 3.1's
// factors as the tensor rope_freqs.weight and knows no window.
#include "tutti/model/architectures.h"
#include "tutti/model/common_spec.h"

namespace tutti::model {
namespace {

ModelSpec ReadLlama(SpecReader& r) {
  ModelSpec spec = ReadCommonSpec(r);
  spec.rope[0].pairing = r.gguf() ? RopePairing::kInterleaved : RopePairing::kHalves;
  return spec;
}

ModelSpec ReadMistral(SpecReader& r) {
  ModelSpec spec = ReadLlama(r);
  SetWindows(r, spec, ReadWindow(r), [](int32_t) { return true; });
  return spec;
}

}  // namespace

Architecture Llama() {
  return {.name = "llama",
          .models = "Llama 2, 3, 3.1, 3.2, SmolLM2, TinyLlama",
          .hugging_face = {"llama"},
          .gguf = {"llama"},
          .read_spec = ReadLlama};
}

Architecture Mistral() {
  return {.name = "mistral",
          .models = "Mistral 7B",
          .hugging_face = {"mistral"},
          .gguf = {},
          .gguf_written = "llama",
          .read_spec = ReadMistral};
}

}  // namespace tutti::model
