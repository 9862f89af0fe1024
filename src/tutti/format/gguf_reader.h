// Opens GGUF models: version 2 and 3, little-endian, one file or split into several.
//
// Tensors stay in the mapped files; their shapes are turned outermost-first. The vocabulary goes to
// Checkpoint::vocab. Opening reads the headers only, a few milliseconds for any size of model.
//
// Untrusted input: every size is checked against the file before it is used, so a Checkpoint that
// was opened can be read without further checks. What is refused: docs/formats/gguf.md.
// Errors name file, thing and byte offset in one line: kNotFound, kIo, kData (malformed),
// kUnsupported (version 1, big-endian, a tensor type we do not know), kResource (a limit).
#pragma once
#include <cstddef>
#include <filesystem>
#include <span>
#include <string_view>

#include "tutti/base/status.h"
#include "tutti/format/checkpoint.h"

namespace tutti::format {

// `path` is the file, or any part of a split model "NAME-00001-of-0000N.gguf"; the other parts are
// found beside it.
Result<Checkpoint> OpenGguf(const std::filesystem::path& path);

// A whole model in memory, 8-byte aligned. The views point into `bytes`, which the caller keeps
// alive and unchanged. `name` stands for the file name in messages.
Result<Checkpoint> OpenGgufBytes(std::span<const std::byte> bytes, std::string_view name);

}  // namespace tutti::format
