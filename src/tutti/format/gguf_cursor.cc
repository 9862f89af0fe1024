#include "tutti/format/gguf_cursor.h"

namespace tutti::format {
namespace {

// Length of the UTF-8 sequence at the front of `text`, 0 where it is not one (Unicode 15, table
// 3-7: no overlong forms, no surrogates, nothing above U+10FFFF).
size_t Utf8Length(std::string_view text) {
  const auto at = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const auto continues = [&](size_t i) { return i < text.size() && (at(i) & 0xc0) == 0x80; };
  const unsigned char first = at(0);
  if (first < 0x80) return 1;
  if (first < 0xc2 || first > 0xf4 || !continues(1)) return 0;
  if (first < 0xe0) return 2;
  if (!continues(2)) return 0;
  if (first < 0xf0) {
    if (first == 0xe0 && at(1) < 0xa0) return 0;
    return first == 0xed && at(1) >= 0xa0 ? 0 : 3;
  }
  if (!continues(3) || (first == 0xf0 && at(1) < 0x90) || (first == 0xf4 && at(1) >= 0x90)) {
    return 0;
  }
  return 4;
}

}  // namespace

bool IsUtf8(std::string_view text) {
  while (!text.empty()) {
    const size_t length = Utf8Length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

std::string Printable(std::string_view name) {
  constexpr size_t kLongest = 100;
  std::string out;
  while (!name.empty() && out.size() < kLongest) {
    const size_t length = Utf8Length(name);
    const auto first = static_cast<unsigned char>(name[0]);
    if (length == 0 || first < 0x20 || first == 0x7f) {
      out += fmt::format("\\x{:02x}", first);
      name.remove_prefix(1);
    } else {
      out += name.substr(0, length);
      name.remove_prefix(length);
    }
  }
  if (!name.empty()) out += "...";
  return out;
}

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
