// Text as a JSON string, whatever its bytes are.
//
// Bytes that are not UTF-8 become U+FFFD; quotes, control characters and the separators that some
// readers take for the end of a line are escaped. Threads: any. Errors: none.
#pragma once
#include <string>
#include <string_view>

namespace tutti {

std::string JsonString(std::string_view text);  // with the quotes
void AppendJsonString(std::string_view text, std::string& out);

}  // namespace tutti
