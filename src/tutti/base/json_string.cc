#include "tutti/base/json_string.h"

#include <fmt/format.h>

#include "tutti/base/utf8.h"

namespace tutti {
namespace {

// The number of a character beyond ASCII that some readers of lines take for the end of a line, or
// some terminals for a command: U+0080 to U+009F, U+2028, U+2029. 0 for any other.
unsigned LineOrControl(std::string_view character) {
  if (character.size() == 2 && character[0] == '\xc2') {
    const unsigned number = static_cast<unsigned char>(character[1]);
    return number < 0xa0 ? number : 0;
  }
  if (character == "\xe2\x80\xa8") return 0x2028;
  if (character == "\xe2\x80\xa9") return 0x2029;
  return 0;
}

bool IsPlain(char c) { return c >= 0x20 && c < 0x7f && c != '"' && c != '\\'; }

// The character at the front of `text`, which is not plain; returns its bytes.
size_t AppendSpecial(std::string_view text, std::string& out) {
  const size_t size = Utf8Length(text);
  const char c = text.front();
  if (size == 0) {
    out += "\xef\xbf\xbd";
  } else if (c == '"' || c == '\\') {
    out += '\\';
    out += c;
  } else if (c == '\n') {
    out += "\\n";
  } else if (c == '\r') {
    out += "\\r";
  } else if (c == '\t') {
    out += "\\t";
  } else if (const unsigned separator = LineOrControl(text.substr(0, size)); separator != 0) {
    out += fmt::format("\\u{:04x}", separator);
  } else if (static_cast<unsigned char>(c) < 0x20) {
    out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
  } else {
    out += text.substr(0, size);
  }
  return size == 0 ? 1 : size;
}

}  // namespace

void AppendJsonString(std::string_view text, std::string& out) {
  out += '"';
  while (!text.empty()) {
    size_t plain = 0;
    while (plain < text.size() && IsPlain(text[plain])) ++plain;
    out += text.substr(0, plain);
    text.remove_prefix(plain);
    if (!text.empty()) text.remove_prefix(AppendSpecial(text, out));
  }
  out += '"';
}

std::string JsonString(std::string_view text) {
  std::string out;
  out.reserve(text.size() + 2);
  AppendJsonString(text, out);
  return out;
}

}  // namespace tutti
