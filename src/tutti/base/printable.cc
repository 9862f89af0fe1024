#include "tutti/base/printable.h"

#include <fmt/format.h>

#include "tutti/base/utf8.h"

namespace tutti {
namespace {

// Control characters of ASCII and their cousins U+0080 to U+009F, which terminals obey as well.
bool IsControl(std::string_view character) {
  const auto first = static_cast<unsigned char>(character[0]);
  if (first < 0x20 || first == 0x7f) return true;
  return first == 0xc2 && static_cast<unsigned char>(character[1]) < 0xa0;
}

}  // namespace

std::string Printable(std::string_view text, size_t limit) {
  std::string out;
  size_t shown = 0;
  while (shown < text.size() && shown < limit) {
    const std::string_view rest = text.substr(shown);
    const std::string_view character = rest.substr(0, Utf8Length(rest));
    if (!character.empty() && !IsControl(character)) {
      out += character;
      shown += character.size();
    } else {
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(rest[0]));
      ++shown;
    }
  }
  if (shown < text.size()) out += "...";
  return out;
}

}  // namespace tutti
