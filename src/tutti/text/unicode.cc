#include "tutti/text/unicode.h"

namespace tutti::text {
namespace {

// What table 3-7 allows for the second byte; the later ones are 80..BF.
struct SecondByte {
  unsigned char low = 0x80;
  unsigned char high = 0xBF;
};

SecondByte SecondByteAfter(unsigned char lead) {
  switch (lead) {
    case 0xE0:
      return {0xA0, 0xBF};
    case 0xED:
      return {0x80, 0x9F};
    case 0xF0:
      return {0x90, 0xBF};
    case 0xF4:
      return {0x80, 0x8F};
    default:
      return {};
  }
}

}  // namespace

Rune DecodeMultibyte(std::string_view text, size_t pos) {
  const auto lead = static_cast<unsigned char>(text[pos]);
  if (lead < 0xC2 || lead > 0xF4) return {};
  const uint8_t size = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  char32_t value = lead & (0xFFu >> (size + 1));
  SecondByte range = SecondByteAfter(lead);
  for (uint8_t i = 1; i < size; ++i) {
    if (pos + i >= text.size()) return {kReplacement, i, Rune::Kind::kIncomplete};
    const auto byte = static_cast<unsigned char>(text[pos + i]);
    if (byte < range.low || byte > range.high) return {kReplacement, i, Rune::Kind::kInvalid};
    value = value << 6 | (byte & 0x3Fu);
    range = {};
  }
  return {value, size, Rune::Kind::kValid};
}

void AppendUtf8(char32_t c, std::string* out) {
  if (c < 0x80) {
    out->push_back(static_cast<char>(c));
  } else if (c < 0x800) {
    out->push_back(static_cast<char>(0xC0 | c >> 6));
    out->push_back(static_cast<char>(0x80 | (c & 0x3F)));
  } else if (c < 0x10000) {
    out->push_back(static_cast<char>(0xE0 | c >> 12));
    out->push_back(static_cast<char>(0x80 | (c >> 6 & 0x3F)));
    out->push_back(static_cast<char>(0x80 | (c & 0x3F)));
  } else {
    out->push_back(static_cast<char>(0xF0 | c >> 18));
    out->push_back(static_cast<char>(0x80 | (c >> 12 & 0x3F)));
    out->push_back(static_cast<char>(0x80 | (c >> 6 & 0x3F)));
    out->push_back(static_cast<char>(0x80 | (c & 0x3F)));
  }
}

std::string ToValidUtf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t pos = 0; pos < text.size();) {
    const Rune rune = DecodeRune(text, pos);
    if (rune.kind == Rune::Kind::kValid) {
      out.append(text, pos, rune.size);
    } else {
      AppendUtf8(kReplacement, &out);
    }
    pos += rune.size;
  }
  return out;
}

}  // namespace tutti::text
