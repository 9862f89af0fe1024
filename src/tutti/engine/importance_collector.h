// Measures an importance matrix: runs a model over a text and adds up the squared inputs of every
// weight matrix of its layers (the output matrix is left out: it gains nothing).
//
// The text is cut into chunks that are computed one by one from an empty memory. Experts are
// counted each by itself. Threads: as the engine. Errors: those of the engine; kData for a text
// shorter than a chunk and for inputs that are not numbers; what `progress` returns.
#pragma once
#include <cstdint>
#include <functional>
#include <span>

#include "tutti/base/ids.h"
#include "tutti/base/status.h"
#include "tutti/engine.h"
#include "tutti/engine/importance.h"
#include "tutti/format/checkpoint.h"

namespace tutti::engine {

struct ImportanceOptions {
  EngineOptions engine;  // `context` is set to the chunk
  int32_t chunk_tokens = 512;
  int64_t chunks = -1;     // at most; -1: the whole text
  TokenId bos = kNoToken;  // takes the place of each chunk's first token
  std::function<Status(int64_t done_chunks, int64_t total_chunks)> progress = {};
};

Result<ImportanceMatrix> MeasureImportance(format::Checkpoint checkpoint,
                                           std::span<const TokenId> ids,
                                           const ImportanceOptions& options);

}  // namespace tutti::engine
