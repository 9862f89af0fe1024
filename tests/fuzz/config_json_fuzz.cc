// Any bytes as config.json.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "tutti/base/check.h"
#include "tutti/format/hugging_face.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  tutti::Metadata metadata;
  const tutti::Status status = tutti::format::FlattenJson(text, "fuzz", "", metadata);
  TUTTI_CHECK(status.message().find('\n') == std::string::npos, "a message of one line");
  for (const auto& [key, value] : metadata.values()) {
    // Conversions of whatever kind came out must end in a value or an error.
    (void)metadata.Int(key);
    (void)metadata.Numbers(key);
    (void)metadata.Strings(key);
  }
  return 0;
}
