// Where the values of each tensor of a GGUF come from, when a loaded model is written again.
//
// The counterpart of engine/gguf_export.h: that one lists the tensors of the file, this one finds
// their values among the weights of a model. Non-owning but for vectors; the Weights must outlive
// it.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "tutti/model/tensor_names.h"
#include "tutti/model/weights.h"
#include "tutti/spec/model_spec.h"
#include "tutti/tensor/view.h"

namespace tutti::engine {

struct WeightSource {
  std::vector<tensor::WeightView> matrices;  // one, or those of a stack in order
  std::vector<int64_t> row_order;            // row r of the file is row row_order[r]; empty: r
  std::vector<float> vector;                 // where there are no matrices
};

using WeightSources = std::map<std::string, WeightSource, std::less<>>;

// By the name of the tensor in the file. `pair_rows`: the file wants the rows of q and k that the
// rotary embedding turns together side by side, the model has them half a head apart.
WeightSources WeightSourcesOf(const ModelSpec& spec, const model::TensorNames& gguf_names,
                              const model::Weights& weights, bool pair_rows);

}  // namespace tutti::engine
