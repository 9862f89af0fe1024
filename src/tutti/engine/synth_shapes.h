// The published configurations behind engine/synth.h, as Hugging Face metadata.
#pragma once
#include "tutti/base/status.h"
#include "tutti/engine/synth.h"
#include "tutti/spec/metadata.h"
#include "tutti/tensor/tensor_map.h"

namespace tutti::engine {

struct SynthConfig {
  Metadata metadata;
  tensor::TensorMap tensors;  // names only: what readers of the config look for (biases)
};

// With the layers and the vocabulary of `options`; kUsage for an unknown shape, with a list.
Result<SynthConfig> SynthConfigOf(const SynthOptions& options);

}  // namespace tutti::engine
