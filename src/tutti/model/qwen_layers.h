// Which layers of a Qwen mixture have experts: every decoder_sparse_step-th, except those listed in
// mlp_only_layers. GGUF records neither; there all layers have experts.
#pragma once
#include <algorithm>

#include "tutti/model/spec_reader.h"
#include "tutti/spec/model_spec.h"

namespace tutti::model {

inline void SetQwenExpertLayers(SpecReader& r, ModelSpec& spec) {
  const int32_t step = std::max(1, r.Int({"decoder_sparse_step", ""}, 1));
  for (size_t i = 0; i < spec.layers.size(); ++i) {
    spec.layers[i].moe = (static_cast<int64_t>(i) + 1) % step == 0;
  }
  for (const int64_t dense : r.Ints({"mlp_only_layers", ""})) {
    if (dense >= 0 && dense < std::ssize(spec.layers)) {
      spec.layers[static_cast<size_t>(dense)].moe = false;
    }
  }
}

}  // namespace tutti::model
