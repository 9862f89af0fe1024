// The safetensors format: a length, a JSON header, and the bytes of the tensors.
//
//   u64 little-endian n | n bytes of JSON | data
//   {"name": {"dtype": "BF16", "shape": [512, 64], "data_offsets": [begin, end]}, ...,
//    "__metadata__": {"key": "value"}}
//
// The tensors cover the data exactly: no holes, no overlaps, nothing behind the last one (the rule
// of the specification, https://github.com/huggingface/safetensors). Data need not be aligned.
//
// Reading copies nothing: the views point into the bytes given and live as long as they do. All of
// it is validated first: lengths, offsets, dtypes, shapes, and that they agree with each other.
// Errors: kData (malformed), kUnsupported (a dtype or a number of dimensions we do not have), kIo.
// Details: docs/formats/safetensors.md.
#pragma once
#include <cstddef>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>

#include "tutti/base/status.h"
#include "tutti/tensor/tensor_map.h"
#include "tutti/tensor/view.h"

namespace tutti::format {

// The limit of the reference implementation.
inline constexpr uint64_t kMaxSafetensorsHeaderBytes = 100'000'000;

struct Safetensors {
  tensor::TensorMap tensors;
  std::map<std::string, std::string, std::less<>> metadata;  // of the file, mostly {"format": "pt"}
};

// `name` stands in front of messages: the file's name.
Result<Safetensors> OpenSafetensorsBytes(std::span<const std::byte> bytes, std::string_view name);

// What stands in front of the data of these tensors, whose own data need not be there yet.
std::string SafetensorsHeader(const tensor::TensorMap& tensors,
                              const std::map<std::string, std::string, std::less<>>& metadata = {});

// Writes all tensors in the order of their names, data aligned to 8 bytes; atomic (a temporary
// file, then a rename). The dtypes must be plain numbers.
Status WriteSafetensors(const std::filesystem::path& path, const tensor::TensorMap& tensors,
                        const std::map<std::string, std::string, std::less<>>& metadata = {});

}  // namespace tutti::format
