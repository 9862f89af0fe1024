// Importance matrices: how large the inputs of every weight matrix are, column by column.
//
// An error in a weight costs as much as the input that it is multiplied with is large: encoders
// weigh squared errors by the mean squared input of the column (tensor/encode_fitted.h). The means
// are measured on a text that resembles what the model will read (engine/importance_collector.h).
//
// As a file: a GGUF with general.type "imatrix" and for each tensor its sums and counts, the layout
// of llama.cpp's llama-imatrix, so that each program reads the other's.
//
// Values. Errors: kData for a file that is not such a matrix, those of the GGUF reader and writer.
#pragma once
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "tutti/base/status.h"

namespace tutti::engine {

struct ImportanceMatrix {
  // Of one tensor, which may be a stack of matrices (experts, heads).
  struct Entry {
    std::vector<double> sums;     // [matrices, columns] of squared inputs
    std::vector<int64_t> counts;  // [matrices] inputs summed, or one for all
  };
  std::map<std::string, Entry, std::less<>> entries;  // by the tensor's name in GGUF
  std::vector<std::string> datasets;                  // what was read, for the record
  int64_t chunks = 0;
  int64_t chunk_tokens = 0;

  // The mean squares [matrices, columns] of a tensor as weights of errors: all > 0, all equal in a
  // matrix that nothing was seen of. Empty: there is nothing on this tensor.
  std::vector<float> Means(std::string_view name) const;
};

Result<ImportanceMatrix> ReadImportanceMatrix(const std::filesystem::path& path);
Status WriteImportanceMatrix(const ImportanceMatrix& matrix, const std::filesystem::path& path);

}  // namespace tutti::engine
