// Drafts from a sequence's own text: what followed the last time when its last tokens were these.
//
// Each run of kLookupTokens tokens leaves its place in a table of bounded size; a place is compared
// with the text before it is used, so what the table has lost or confused costs drafts, never
// sense. Texts that repeat themselves (code that is edited, documents that are quoted) are drafted
// well, others hardly ever. (Prompt lookup decoding, Saxena 2023.)
//
// Time: linear in the tokens, over all calls. Memory: at most 256 KiB.
// Threads: one at a time. Errors: none.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "tutti/base/ids.h"

namespace tutti::scheduler {

inline constexpr int32_t kLookupTokens = 3;

class PromptLookup {
 public:
  // What may follow `tokens`, at most `most` tokens; empty where nothing is known. `tokens` begin
  // with those of the call before.
  TokenIds Draft(std::span<const TokenId> tokens, int32_t most);

 private:
  std::vector<int32_t> places_;  // [a power of two] behind runs, by their hash; 0: none
  int32_t known_ = 0;            // runs that end before here are in the table
};

}  // namespace tutti::scheduler
