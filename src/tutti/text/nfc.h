// Normalisation form C (Unicode Standard Annex 15), which some tokenizers apply before anything
// else.
//
// Linear in the text but for the sorting of combining marks. Pure. Bytes that are not UTF-8 stay as
// they are.
#pragma once
#include <string>
#include <string_view>

namespace tutti::text {

// False only where ToNfc certainly changes nothing.
bool MayChangeInNfc(std::string_view text);

// `mask`, where given, has one byte for each byte of `text` and comes back with one for each byte
// of the result: 1 where all that a stretch was made of had 1.
std::string ToNfc(std::string_view text, std::string* mask = nullptr);

}  // namespace tutti::text
