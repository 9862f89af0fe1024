// Finds a weight by the name its publisher gave it, in whichever form it is stored.
//
// A matrix `X` [rows, cols] may be stored as
//   X.weight (or X)                          F32, F16, BF16 or blocks of GGUF
//   X.weight F8_E4M3                         with X.weight_scale_inv or X.weight_scale, which are
//                                            multiplied: one per 128 x 128 block (partial at the
//                                            edges; other powers of two, whole rows and one for all
//                                            are recognised by their shape)
//   X.weight_packed I32 [rows, cols / 8]     with X.weight_scale [rows, cols / group] and
//                                            X.weight_shape: compressed-tensors, symmetric int4
// and a stack of matrices `X` [n, rows, cols] (the experts of a layer) as
//   X (or X.weight)                          as above, with three dimensions
//   X_blocks U8 [n, rows, cols / 32, 16]     with X_scales U8 [n, rows, cols / 32]: MXFP4 (gpt-oss)
//
// Names may be given with or without ".weight". The views returned point into the map's tensors and
// live as long as those. Threads: pure functions.
// Errors: kNotFound (no such weight), kData (tensors that contradict each other or the expected
// shape, with names and shapes), kUnsupported (a form that Tutti cannot compute with yet).
#pragma once
#include <string_view>
#include <vector>

#include "tutti/base/status.h"
#include "tutti/tensor/tensor_map.h"
#include "tutti/tensor/view.h"

namespace tutti::tensor {

// True where FindMatrix or FindStackedMatrix would look at a tensor: any of the forms above.
bool HasWeight(const TensorMap& tensors, std::string_view name);

Result<WeightView> FindMatrix(const TensorMap& tensors, std::string_view name);

// Matrix `index` of a stack.
Result<WeightView> FindStackedMatrix(const TensorMap& tensors, std::string_view name,
                                     int64_t index);

// The rows first, first + 2, ... of a matrix whose rows take turns (gate and up of gpt-oss);
// `first` is 0 or 1. kData where the number of rows is odd.
Result<WeightView> EveryOtherRow(const WeightView& matrix, int64_t first);

// A norm's weights, a bias or another small tensor as floats: `name` exactly or with ".weight", any
// dtype but the ones with separate scales, any shape of `size` elements.
Result<std::vector<float>> FindVector(const TensorMap& tensors, std::string_view name,
                                      int64_t size);

}  // namespace tutti::tensor
