#include "tutti/base/printable.h"

#include <fmt/format.h>

namespace tutti {

std::string Printable(std::string_view text, size_t limit) {
  std::string out;
  const std::string_view shown = text.substr(0, limit);
  for (const char c : shown) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      out += fmt::format("\\x{:02x}", byte);
    } else {
      out += c;
    }
  }
  if (shown.size() < text.size()) out += "...";
  return out;
}

}  // namespace tutti
