// UTF-8 and the properties of code points that pre-tokenizers ask for.
//
// Pure functions on tables (unicode_tables.cc, Unicode 16.0). Broken UTF-8 is never an error here:
// a decoder gets one Rune per maximal subpart (Unicode 16, section 3.9, table 3-7).
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "tutti/text/unicode_tables.h"

namespace tutti::text {

inline constexpr char32_t kReplacement = 0xFFFD;

struct Rune {
  enum class Kind : uint8_t {
    kValid,
    kInvalid,     // `size` bytes that no further byte can turn into a character
    kIncomplete,  // the text ends inside a character that is right so far
  };
  char32_t value = kReplacement;  // U+FFFD unless valid
  uint8_t size = 1;               // bytes, at least 1
  Kind kind = Kind::kInvalid;
};

Rune DecodeMultibyte(std::string_view text, size_t pos);

// The character at text[pos], pos < text.size().
inline Rune DecodeRune(std::string_view text, size_t pos) {
  const auto byte = static_cast<unsigned char>(text[pos]);
  if (byte < 0x80) return {byte, 1, Rune::Kind::kValid};
  return DecodeMultibyte(text, pos);
}

void AppendUtf8(char32_t code_point, std::string* out);

// Every maximal subpart that is not a character replaced by U+FFFD.
std::string ToValidUtf8(std::string_view text);

// Masks of properties; bit numbers as in tools/make_unicode_tables.py.
namespace property {
inline constexpr uint16_t kUpper = 1 << 0;        // Lu
inline constexpr uint16_t kLower = 1 << 1;        // Ll
inline constexpr uint16_t kTitle = 1 << 2;        // Lt
inline constexpr uint16_t kModifier = 1 << 3;     // Lm
inline constexpr uint16_t kOtherLetter = 1 << 4;  // Lo
inline constexpr uint16_t kMark = 1 << 5;         // M
inline constexpr uint16_t kDigit = 1 << 6;        // Nd
inline constexpr uint16_t kOtherNumber = 1 << 7;  // Nl, No
inline constexpr uint16_t kPunctuation = 1 << 8;  // P
inline constexpr uint16_t kSymbol = 1 << 9;       // S
inline constexpr uint16_t kSpace = 1 << 10;       // White_Space
inline constexpr uint16_t kHan = 1 << 11;         // Script=Han
// Normalisation form C may change this character or join it to the one before.
inline constexpr uint16_t kNfcCheck = 1 << 12;

inline constexpr uint16_t kLetter = kUpper | kLower | kTitle | kModifier | kOtherLetter;
inline constexpr uint16_t kNumber = kDigit | kOtherNumber;
}  // namespace property

inline uint16_t Properties(char32_t c) {
  if (c > 0x10FFFF) return 0;
  return kPropertyMasks[kPropertyIndices[kPropertyBlocks[c >> 7] * 128u + (c & 127u)]];
}

}  // namespace tutti::text
