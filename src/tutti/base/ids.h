// Strong ids: a token is not a page is not an expert.
#pragma once
#include <cstdint>
#include <vector>

namespace tutti {

// Index into the vocabulary. Plain int32 underneath, as every file format has it; -1 is "none".
using TokenId = int32_t;
inline constexpr TokenId kNoToken = -1;
using TokenIds = std::vector<TokenId>;

}  // namespace tutti
