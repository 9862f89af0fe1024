// Is it UTF-8? (Unicode 15, table 3-7: no overlong forms, no surrogates, nothing above U+10FFFF.)
#pragma once
#include <cstddef>
#include <string_view>

namespace tutti {

// Bytes of the character at the front of `text`, which is not empty; 0 where it is not UTF-8.
size_t Utf8Length(std::string_view text);

bool IsUtf8(std::string_view text);

}  // namespace tutti
