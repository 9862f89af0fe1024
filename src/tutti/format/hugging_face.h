// A model as published on Hugging Face: a folder with config.json and safetensors.
//
//   config.json                    flattened into Checkpoint::metadata ("rope_scaling.factor")
//   generation_config.json         the same, under "generation."; may be absent
//   model.safetensors              the tensors, or
//   model.safetensors.index.json   {"weight_map": {tensor: file}} and the shards it names
//
// Which tensors there are is what the index says: a tensor it does not name is not part of the
// model. Shards are plain file names in the same folder; a path ("../x") is refused.
// Errors: kNotFound (a file), kData (malformed, or index and shard disagree), kUnsupported.
#pragma once
#include <filesystem>
#include <string_view>

#include "tutti/base/status.h"
#include "tutti/format/checkpoint.h"
#include "tutti/spec/metadata.h"

namespace tutti::format {

// `folder` holds a config.json. OpenCheckpoint (format/checkpoint.h) calls this.
Result<Checkpoint> OpenHuggingFace(const std::filesystem::path& folder);

// Adds the members of a JSON object to `metadata` under dotted keys that begin with `prefix`: the
// rules are in spec/metadata.h. `name` stands in front of messages.
Status FlattenJson(std::string_view text, std::string_view name, std::string_view prefix,
                   Metadata& metadata);

}  // namespace tutti::format
