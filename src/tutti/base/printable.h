// Text from files, made safe to stand in a one-line message on a terminal.
#pragma once
#include <string>
#include <string_view>

namespace tutti {

// Control characters and DEL become \xNN, bytes from 0x80 on stay as they are; what is longer than
// `limit` bytes is cut and ends in "...".
std::string Printable(std::string_view text, size_t limit = 120);

}  // namespace tutti
