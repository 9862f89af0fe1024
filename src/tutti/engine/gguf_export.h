// What a GGUF of a model consists of: its metadata keys and its tensors, from the ModelSpec alone.
//
// Used by everything that writes models: conversion fills the tensors from another checkpoint,
// synthetic models fill them with random blocks. Keys, names and shapes are those that other
// readers of GGUF expect of the architecture.
//
// Pure; any thread.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "tutti/base/status.h"
#include "tutti/format/gguf_writer.h"
#include "tutti/model/architecture.h"
#include "tutti/spec/model_spec.h"
#include "tutti/spec/quant_mix.h"
#include "tutti/tensor/view.h"

namespace tutti::engine {

struct GgufTensor {
  std::string name;  // "blk.3.ffn_down_exps.weight"
  tensor::Shape shape;
  bool vector = false;  // norms and biases: F32, never quantised
  // Standard deviation that keeps activations of one size where weights are random.
  float deviation = 0;
};

// Every tensor of the model, in file order.
std::vector<GgufTensor> GgufTensorsOf(const ModelSpec& spec, const model::TensorNames& gguf_names);

// Sets general.architecture and all "<architecture>.*" keys. The vocabulary is not included.
// kUnsupported where the architecture has no name in GGUF.
Status SetGgufModelKeys(const model::Architecture& architecture, const ModelSpec& spec,
                        format::GgufWriter& writer);

// The facts of `spec` by which a mixture of number formats is chosen.
QuantMixModel QuantMixModelOf(const ModelSpec& spec);

}  // namespace tutti::engine
