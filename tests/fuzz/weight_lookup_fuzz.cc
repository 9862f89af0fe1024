// Any bytes as a safetensors file, then every weight in it looked up and decoded.
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "tutti/format/safetensors.h"
#include "tutti/tensor/decode.h"
#include "tutti/tensor/weight_lookup.h"

namespace {

void DecodeEnds(const tutti::Result<tutti::tensor::WeightView>& matrix) {
  if (!matrix.ok()) return;
  std::vector<float> row(static_cast<size_t>(matrix->cols));
  DecodeRow(*matrix, 0, row);
  DecodeRow(*matrix, matrix->rows - 1, row);
  (void)matrix->ReadBytes();
  const auto half = EveryOtherRow(*matrix, 1);
  if (half.ok()) DecodeRow(*half, half->rows - 1, row);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::span<const std::byte> bytes(reinterpret_cast<const std::byte*>(data), size);
  const auto file = tutti::format::OpenSafetensorsBytes(bytes, "fuzz");
  if (!file.ok()) return 0;
  for (const auto& [name, view] : file->tensors) {
    std::string stem = name;
    for (const std::string suffix : {"_packed", "_blocks"}) {
      if (stem.ends_with(suffix)) stem.resize(stem.size() - suffix.size());
    }
    DecodeEnds(FindMatrix(file->tensors, stem));
    const int64_t last = view.shape.rank > 0 ? view.shape[0] - 1 : 0;
    DecodeEnds(FindStackedMatrix(file->tensors, stem, last));
    (void)FindVector(file->tensors, name, view.shape.elements());
  }
  return 0;
}
