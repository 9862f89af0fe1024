// Any bytes as a safetensors file; what opens must be readable to the last byte.
#include <cstddef>
#include <cstdint>
#include <span>

#include "tutti/base/check.h"
#include "tutti/format/safetensors.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::span<const std::byte> bytes(reinterpret_cast<const std::byte*>(data), size);
  const auto file = tutti::format::OpenSafetensorsBytes(bytes, "fuzz");
  if (!file.ok()) {
    TUTTI_CHECK(file.status().message().find('\n') == std::string::npos, "a message of one line");
    return 0;
  }
  uint64_t sum = 0;
  uint64_t covered = 0;
  for (const auto& [name, view] : file->tensors) {
    for (size_t i = 0; i < view.size_bytes; ++i) sum += static_cast<uint64_t>(view.data[i]);
    covered += view.size_bytes;
  }
  TUTTI_CHECK(covered <= size && sum <= covered * 255, "tensors lie inside the file");
  return 0;
}
