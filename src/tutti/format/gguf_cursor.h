// Reads a GGUF header front to back and never past its end.
//
// Non-owning; one thread. Every error names the thing that was read and its byte offset; the file
// name is added further up.
#pragma once
#include <cstddef>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

#include "tutti/base/printable.h"
#include "tutti/base/status.h"
#include "tutti/format/gguf_types.h"

namespace tutti::format {

class GgufCursor {
 public:
  explicit GgufCursor(std::span<const std::byte> bytes) : bytes_(bytes) {}

  size_t offset() const { return offset_; }
  size_t remaining() const { return bytes_.size() - offset_; }

  template <typename T>
  Status Read(T* value, std::string_view what) {
    TUTTI_RETURN_IF_ERROR(Need(sizeof(T), what));
    std::memcpy(value, bytes_.data() + offset_, sizeof(T));
    offset_ += sizeof(T);
    return Status();
  }
  // The string stays in the file.
  Status ReadString(std::string_view* value, std::string_view what);
  // Bytes [offset, offset + size) of the file.
  Status ReadBytes(uint64_t size, std::span<const std::byte>* value, std::string_view what);

 private:
  Status Need(uint64_t size, std::string_view what) const {
    return size <= remaining() ? Status() : Truncated(size, what);
  }
  Status Truncated(uint64_t size, std::string_view what) const;

  std::span<const std::byte> bytes_;
  size_t offset_ = 0;
};

}  // namespace tutti::format
