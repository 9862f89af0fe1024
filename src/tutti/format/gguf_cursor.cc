#include "tutti/format/gguf_cursor.h"

namespace tutti::format {

Status GgufCursor::ReadString(std::string_view* value, std::string_view what) {
  uint64_t length = 0;
  TUTTI_RETURN_IF_ERROR(Read(&length, what));
  std::span<const std::byte> bytes;
  TUTTI_RETURN_IF_ERROR(ReadBytes(length, &bytes, what));
  *value = {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  return Status();
}

Status GgufCursor::ReadBytes(uint64_t size, std::span<const std::byte>* value,
                             std::string_view what) {
  TUTTI_RETURN_IF_ERROR(Need(size, what));
  *value = bytes_.subspan(offset_, static_cast<size_t>(size));
  offset_ += static_cast<size_t>(size);
  return Status();
}

Status GgufCursor::Truncated(uint64_t size, std::string_view what) const {
  return DataError("{} at byte {} takes {} bytes, only {} are left", what, offset_, size,
                   remaining());
}

}  // namespace tutti::format
