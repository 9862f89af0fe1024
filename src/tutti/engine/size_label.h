// The size of a model as GGUF's general.size_label writes it: "8x220M", "135M".
//
// For a mixture of experts it is their number and what one expert and everything shared weigh
// together (the GGUF naming convention, ggml docs/gguf.md).
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "tutti/tensor/view.h"

namespace tutti::engine {

// From the names and shapes of the tensors in a GGUF.
std::string SizeLabel(const std::vector<std::pair<std::string, tensor::Shape>>& tensors);

}  // namespace tutti::engine
