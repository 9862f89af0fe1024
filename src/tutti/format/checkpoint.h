// A model on disk, opened: its metadata and its tensors under the names the publisher gave them.
//
// Opening validates everything that can be wrong in the bytes (sizes, offsets, overlaps, types), so
// that a view can be read without further checks. Meaning (is this a model we know, are its tensors
// all there and of the right shape) is model/'s business.
//
// Ownership: a Checkpoint owns the mappings; every view dies with it. Immutable after opening, so
// any thread may read it. Errors: kNotFound, kData (malformed), kUnsupported (a tensor type we do
// not know), kIo.
#pragma once
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tutti/base/status.h"
#include "tutti/os/mmap.h"
#include "tutti/spec/metadata.h"
#include "tutti/spec/vocab_spec.h"
#include "tutti/tensor/tensor_map.h"

namespace tutti::format {

enum class CheckpointKind { kGguf, kHuggingFace };

struct Checkpoint {
  CheckpointKind kind = CheckpointKind::kGguf;
  std::filesystem::path path;  // as the user named it: a .gguf file or a folder
  // GGUF: all keys, but tokenizer.ggml.* arrays go into `vocab` only.
  // Hugging Face: config.json flattened; generation_config.json under "generation.".
  Metadata metadata;
  tensor::TensorMap tensors;
  // GGUF only: the vocabulary in the metadata. A Hugging Face folder's tokenizer files are read by
  // text/tokenizer_files.h.
  std::unique_ptr<VocabSpec> vocab;
  std::vector<os::MmapFile> files;  // keeps the views alive; empty where the caller owns the bytes

  const tensor::TensorView* Find(std::string_view name) const {
    const auto it = tensors.find(name);
    return it == tensors.end() ? nullptr : &it->second;
  }
};

// `path` is a .gguf file (any part of a split one), or a folder with config.json and safetensors,
// or a folder that holds exactly one GGUF model.
Result<Checkpoint> OpenCheckpoint(const std::filesystem::path& path);

}  // namespace tutti::format
