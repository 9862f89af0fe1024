// Synthetic models: the shapes of published models with random weights, as GGUF files.
//
// For measuring: such a file weighs and computes like the real one, loads in other engines too, and
// needs no download. What it says is noise. The same options give the same bytes.
//
// One thread. Errors: kUsage for an unknown shape, kIo while writing (nothing is left), what
// the progress returns.
#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "tutti/base/status.h"
#include "tutti/spec/quant_mix.h"

namespace tutti::engine {

struct SynthShape {
  std::string_view name;     // "qwen3-30b-a3b"
  std::string_view summary;  // "48 layers, 128 experts of which 8 work"
};
std::span<const SynthShape> SynthShapes();

struct SynthOptions {
  std::string shape;
  QuantMix mix;
  int32_t layers = 0;      // 0: as published
  int32_t vocab_size = 0;  // 0: as published
  uint64_t seed = 1;
};

// Called now and then with the bytes written and those in all; an error ends the work.
using SynthProgress = std::function<Status(int64_t done_bytes, int64_t total_bytes)>;

struct SynthReport {
  int64_t layers = 0;
  int64_t tensors = 0;
  int64_t parameters = 0;
  int64_t bytes = 0;  // of the tensors
};

Result<SynthReport> WriteSyntheticModel(const SynthOptions& options,
                                        const std::filesystem::path& path,
                                        const SynthProgress& progress);

}  // namespace tutti::engine
