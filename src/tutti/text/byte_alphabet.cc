#include "tutti/text/byte_alphabet.h"

#include <array>

#include "tutti/text/unicode.h"

namespace tutti::text {
namespace {

constexpr bool IsItself(int byte) {
  return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
}

struct Alphabet {
  std::array<char32_t, 256> printable{};
  std::array<int16_t, 0x144> byte{};  // -1: not in the alphabet

  constexpr Alphabet() {
    for (int16_t& b : byte) b = -1;
    char32_t next = 0x100;
    for (int b = 0; b < 256; ++b) {
      printable[static_cast<size_t>(b)] = IsItself(b) ? static_cast<char32_t>(b) : next++;
      byte[printable[static_cast<size_t>(b)]] = static_cast<int16_t>(b);
    }
  }
};

constexpr Alphabet kAlphabet;

}  // namespace

std::optional<std::string> BytesOfPrintable(std::string_view text) {
  std::string bytes;
  bytes.reserve(text.size());
  for (size_t pos = 0; pos < text.size();) {
    const Rune rune = DecodeRune(text, pos);
    if (rune.kind != Rune::Kind::kValid || rune.value >= kAlphabet.byte.size() ||
        kAlphabet.byte[rune.value] < 0) {
      return std::nullopt;
    }
    bytes.push_back(static_cast<char>(kAlphabet.byte[rune.value]));
    pos += rune.size;
  }
  return bytes;
}

std::string PrintableOfBytes(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const char c : bytes) AppendUtf8(kAlphabet.printable[static_cast<unsigned char>(c)], &text);
  return text;
}

}  // namespace tutti::text
