// The architectures that Tutti knows, one file each (model/llama.cc, model/qwen3_moe.cc, ...).
//
// An Architecture says how checkpoints call the model, how a ModelSpec is read from their metadata,
// and where their tensor names differ from the common tables. It computes nothing: all arithmetic
// is in transformer.cc and the layer files, steered by the ModelSpec.
//
// A new architecture is a new file with one function, declared and listed in architecture.cc.
#pragma once
#include <span>
#include <string_view>
#include <vector>

#include "tutti/base/status.h"
#include "tutti/model/model_source.h"
#include "tutti/model/spec_reader.h"
#include "tutti/model/tensor_names.h"
#include "tutti/spec/model_spec.h"

namespace tutti::model {

struct Architecture {
  std::string_view name;                       // Tutti's word: "qwen3_moe"
  std::string_view models;                     // for tables: "Qwen3-30B-A3B, Qwen3-235B-A22B"
  std::vector<std::string_view> hugging_face;  // model_type of config.json
  std::vector<std::string_view> gguf;          // general.architecture
  // general.architecture of files that we write where `gguf` is empty, because another entry reads
  // such files; empty: GGUF has no name for these models.
  std::string_view gguf_written = {};
  // For names that several architectures share: which checkpoints are this one's. Null: all.
  bool (*claims)(const ModelSource& source) = nullptr;
  ModelSpec (*read_spec)(SpecReader& reader) = nullptr;
  // Changes the entries that differ from the common names. Null: none do.
  void (*rename)(TensorNames& names, bool gguf) = nullptr;
};

// In the order of the documentation's table.
std::span<const Architecture> KnownArchitectures();

// kUnsupported with the name and the list of known ones where nobody claims the checkpoint, kData
// where it does not say what it is.
Result<const Architecture*> FindArchitecture(const ModelSource& source);

// Reads and checks (ValidateSpec) the description.
Result<ModelSpec> ReadModelSpec(const Architecture& architecture, const ModelSource& source);

// The tensor names that checkpoints of this architecture use.
TensorNames NamesOf(const Architecture& architecture, bool gguf);

}  // namespace tutti::model
