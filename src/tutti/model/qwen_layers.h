// Which layers of a Qwen mixture have experts: every decoder_sparse_step-th, except those listed in
// mlp_only_layers. GGUF records neither; there all layers have experts.
#pragma once
#include <algorithm>

#include "tutti/model/common_spec.h"
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

// use_sliding_window gives the layers from max_window_layers on a window. GGUF records none.
inline void SetQwenWindows(SpecReader& r, ModelSpec& spec) {
  if (r.gguf() || !r.Bool({"use_sliding_window", ""}, false)) return;
  const int32_t window = ReadWindow(r);
  const int32_t full = r.Int({"max_window_layers", ""}, 0);
  if (r.Has({"layer_types", ""})) {
    SetWindows(r, spec, window, [](int32_t) { return false; });
    return;
  }
  for (size_t i = 0; i < spec.layers.size(); ++i) {
    spec.layers[i].window = static_cast<int64_t>(i) < full ? 0 : window;
  }
}

}  // namespace tutti::model
