// GGUF from memory: any bytes give a model or an error, and every byte of a model can be read.
#include <cstring>
#include <vector>

#include "tutti/format/gguf_reader.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  // A copy of exactly this size: aligned, and reading past its end is noticed.
  const auto* begin = reinterpret_cast<const std::byte*>(data);
  const std::vector<std::byte> bytes(begin, begin + size);
  const auto checkpoint = tutti::format::OpenGgufBytes(bytes, "fuzz");
  if (!checkpoint.ok()) {
    TUTTI_CHECK(!checkpoint.status().message().empty(), "an error says what is wrong");
    TUTTI_CHECK(checkpoint.status().message().find('\n') == std::string::npos, "in one line");
    return 0;
  }
  uint64_t sum = 0;
  for (const auto& [name, view] : checkpoint->tensors) {
    for (size_t i = 0; i < view.size_bytes; ++i) sum += static_cast<uint8_t>(view.data[i]);
  }
  // Keeps the reads from being optimised away: a sum over 64 KiB cannot get there.
  TUTTI_CHECK(sum < uint64_t{1} << 40, "sum of bytes");
  return 0;
}
