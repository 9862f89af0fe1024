// The model inside the program: the bytes of models/story-moe-q8_0.gguf, linked in by the assembler
// (embedded_model.S). Empty in a build without that file.
#pragma once
#include <cstddef>
#include <span>

namespace tutti::cli {

std::span<const std::byte> EmbeddedModel();

}  // namespace tutti::cli
