// Text from files, made safe to stand in a one-line message on a terminal.
#pragma once
#include <string>
#include <string_view>

namespace tutti {

// Control characters and bytes that are not UTF-8 become \xNN; after `limit` bytes the text is cut
// (never inside a character) and ends in "...".
std::string Printable(std::string_view text, size_t limit = 120);

}  // namespace tutti
