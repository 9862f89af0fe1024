// Any checkpoint that Tutti can run, written as one GGUF file.
//
// Tensors get the names, order of rows and stacking that readers of GGUF expect of the
// architecture, and the number format that a mixture (spec/quant_mix.h) gives them; norms, biases
// and routers are F32. A tensor that already has its format is copied byte for byte, everything
// else is decoded and encoded again, so quantised input is accepted.
//
// Memory: two pieces of 4 MiB (or a row, where that is longer) and a row of float32 for each
// thread, besides what the model's small tensors and its vocabulary take; one matrix (an expert, a
// head) where the published ones are transposed; and as F32 those of which scales of blocks must be
// undone before they can be cut into heads (latent attention; kResource where they do not fit).
// Mapped files are dropped as they are read. Called from one thread, computes on `threads`. Errors:
// those of reading the model (model/weights.h); kData for values that the format cannot hold
// (engine/convert_row.h); kUnsupported for an architecture that GGUF has no name for, a number
// format that cannot be written yet, a vocabulary that GGUF cannot hold; kIo while writing; what
// `progress` returns. After an error no file is left.
#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "tutti/base/status.h"
#include "tutti/engine/importance.h"
#include "tutti/format/checkpoint.h"
#include "tutti/spec/quant_mix.h"
#include "tutti/spec/vocab_spec.h"

namespace tutti::engine {

struct ConvertOptions {
  QuantMix mix;
  int threads = 0;                               // 0: as many as the process may use
  const ImportanceMatrix* importance = nullptr;  // which errors matter, where it says
  std::string name = {};  // general.name; empty: what the checkpoint says or how its file is called
  // Called now and then with the bytes written and those in all; an error ends the conversion.
  std::function<Status(int64_t done_bytes, int64_t total_bytes)> progress = {};
};

struct ConvertReport {
  int64_t tensors = 0;
  int64_t parameters = 0;
  int64_t bytes = 0;  // of the tensors
  // What the GGUF cannot say of this model, one line each: readers of the file will compute
  // something else ("sliding window of layer 0: 16 becomes 0").
  std::vector<std::string> losses;
  int64_t with_importance = 0;  // tensors whose encoding the importance matrix decided
  // Quantised tensors within layers that the importance matrix says nothing about.
  std::vector<std::string> without_importance;
};

// `vocab` may be null: the file then has no vocabulary.
Result<ConvertReport> ConvertToGguf(const format::Checkpoint& checkpoint, const VocabSpec* vocab,
                                    const ConvertOptions& options,
                                    const std::filesystem::path& path);

}  // namespace tutti::engine
