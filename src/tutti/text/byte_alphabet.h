// The printable alphabet in which byte-level BPE vocabularies write bytes (GPT-2): a byte that is a
// printable Latin-1 character is itself, the other 68 are U+0100 and on.
#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace tutti::text {

// nullopt where the text has a character that is not in the alphabet.
std::optional<std::string> BytesOfPrintable(std::string_view text);
std::string PrintableOfBytes(std::string_view bytes);

}  // namespace tutti::text
