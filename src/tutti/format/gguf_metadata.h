// The key-value section of a GGUF file.
//
// Values become Metadata: every integer an int64 (uint64 where it does not fit), float32 and
// float64 a double, arrays lists. The arrays of the vocabulary are large and wanted in another
// form: they are checked here, stay in the file and are handed on as GgufArray.
//
// Untrusted input: counts and lengths are checked against the bytes that are left and against the
// limits below before anything is allocated. Errors: kData, kUnsupported (array of arrays, an
// unsigned value above 2^63 - 1 in an array), kResource (a limit).
#pragma once
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "tutti/base/status.h"
#include "tutti/format/gguf_cursor.h"
#include "tutti/spec/metadata.h"

namespace tutti::format {

// Real models have 30 to 60.
inline constexpr uint64_t kMaxMetadataKeys = 1u << 16;
// Array elements of all keys together. The largest vocabularies of 2026 have 0.3 M tokens and 0.6 M
// merges: about 2 M elements.
inline constexpr uint64_t kMaxMetadataElements = 1u << 24;
// Bytes of all strings and arrays together; the vocabularies above take about 10 MB.
inline constexpr uint64_t kMaxMetadataBytes = 1u << 28;

// A checked array that still lies in the file.
struct GgufArray {
  GgufType element = GgufType::kU8;
  uint64_t count = 0;
  std::span<const std::byte> bytes;  // count elements, one after the other
  size_t offset = 0;                 // of the first element in the file, for messages

  // Calls visit(std::string_view) for each element of an array of strings.
  template <typename Visit>
  void ForEachString(const Visit& visit) const {
    const auto* data = reinterpret_cast<const char*>(bytes.data());
    for (uint64_t i = 0, at = 0; i < count; ++i) {
      uint64_t length;
      std::memcpy(&length, data + at, sizeof length);
      visit(std::string_view(data + at + sizeof length, static_cast<size_t>(length)));
      at += sizeof length + length;
    }
  }
};

using GgufArrays = std::map<std::string, GgufArray, std::less<>>;

struct GgufMetadata {
  Metadata values;
  GgufArrays vocab;  // arrays whose key begins with "tokenizer.ggml."
};

// Reads `count` keys at the cursor.
Status ReadGgufMetadata(GgufCursor& cursor, uint64_t count, GgufMetadata* out);

// The numbers of an array as MetadataValue: a list of bool, int64, double or string.
Result<MetadataValue> ListOf(const GgufArray& array);

}  // namespace tutti::format
