#include "tutti/scheduler/prompt_lookup.h"

#include <algorithm>
#include <bit>

#include "tutti/base/check.h"

namespace tutti::scheduler {
namespace {

constexpr size_t kLeastPlaces = 1 << 8;
constexpr size_t kMostPlaces = 1 << 16;

using Run = std::span<const TokenId, kLookupTokens>;

Run RunBefore(std::span<const TokenId> tokens, int32_t end) {
  return tokens.first(static_cast<size_t>(end)).last<kLookupTokens>();
}

size_t Hash(Run run) {
  uint64_t hash = 0;
  for (const TokenId id : run) {
    hash = (hash ^ static_cast<uint32_t>(id)) * 0x9e3779b97f4a7c15;
    hash ^= hash >> 29;
  }
  return hash;
}

bool SameRun(Run a, Run b) { return std::equal(a.begin(), a.end(), b.begin()); }

}  // namespace

TokenIds PromptLookup::Draft(std::span<const TokenId> tokens, int32_t most) {
  const auto size = static_cast<int32_t>(tokens.size());
  TUTTI_DCHECK(size >= known_, "a text becomes shorter");
  if (size <= kLookupTokens) return {};
  if (2 * tokens.size() > places_.size() && places_.size() < kMostPlaces) {
    places_.assign(std::clamp(std::bit_ceil(4 * tokens.size()), kLeastPlaces, kMostPlaces), 0);
    known_ = 0;
  }
  const size_t mask = places_.size() - 1;
  for (int32_t end = std::max(known_, kLookupTokens); end < size; ++end) {
    places_[Hash(RunBefore(tokens, end)) & mask] = end;
  }
  known_ = size;
  const Run last = RunBefore(tokens, size);
  const int32_t place = places_[Hash(last) & mask];
  if (place == 0 || !SameRun(RunBefore(tokens, place), last)) return {};
  // What is drafted may go on from itself: the period of a text can be shorter than the draft.
  TokenIds drafts;
  for (int32_t i = 0; i < most; ++i) {
    const auto from = static_cast<size_t>(place + i);
    drafts.push_back(from < tokens.size() ? tokens[from] : drafts[from - tokens.size()]);
  }
  return drafts;
}

}  // namespace tutti::scheduler
