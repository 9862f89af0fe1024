// Token ids by text: a hash table that vocabularies of 200,000 tokens fill in milliseconds.
//
// The texts belong to others and must outlive it. Immutable after filling; any thread may look up.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "tutti/base/ids.h"

namespace tutti::text {

class TokenIndex {
 public:
  explicit TokenIndex(size_t tokens_expected = 0);

  // The id that the text has had before, or kNoToken where it is new and has `id` now.
  TokenId Add(std::string_view text, TokenId id);
  // kNoToken where it is not there.
  TokenId Find(std::string_view text) const;

 private:
  struct Entry {
    std::string_view text;
    uint32_t hash = 0;
    TokenId id = kNoToken;
  };

  // The entry with the text, or the empty one where it belongs.
  size_t Slot(std::string_view text, uint32_t hash) const;

  std::vector<Entry> entries_;  // open addressing; size is a power of two
  size_t used_ = 0;
};

}  // namespace tutti::text
