// Byte pair encoding: adjacent symbols are merged, best rank first, the leftmost of equals first,
// until no pair in the table is left (Sennrich, Haddow, Birch: "Neural machine translation of rare
// words with subword units", 2016).
//
// Symbols are numbers of at least 0, mostly token ids. A MergeTable is immutable after filling and
// shared by threads; a BpeMerger is scratch memory of one thread.
#pragma once
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "tutti/base/ids.h"

namespace tutti::text {

class MergeTable {
 public:
  static constexpr uint32_t kNoRank = std::numeric_limits<uint32_t>::max();
  struct Merge {
    uint32_t rank = kNoRank;
    TokenId result = kNoToken;
  };

  explicit MergeTable(size_t merges_expected = 0);

  // A pair that is there already keeps its first rank.
  void Add(TokenId left, TokenId right, uint32_t rank, TokenId result);
  Merge Find(TokenId left, TokenId right) const;
  uint32_t rank_limit() const { return rank_limit_; }  // all ranks are below

 private:
  struct Entry {
    uint64_t key = kEmpty;
    Merge merge;
  };
  static constexpr uint64_t kEmpty = ~uint64_t{0};

  size_t Slot(uint64_t key) const;
  void Grow();

  std::vector<Entry> entries_;  // open addressing; size is a power of two
  size_t used_ = 0;
  uint32_t rank_limit_ = 0;
};

class BpeMerger {
 public:
  explicit BpeMerger(const MergeTable& table) : table_(table) {}

  // Merges `symbols` in place: n log n at worst in their number n, linear for ordinary text.
  void Merge(std::vector<TokenId>* symbols);

 private:
  // Positions where a pair of one rank may stand. The back comes first: positions descend but for
  // those behind `sorted`.
  struct Bucket {
    std::vector<uint32_t> positions;
    size_t sorted = 0;
    uint32_t rank = 0;
  };

  void MergeFew(std::vector<TokenId>* symbols);
  void MergeMany(std::vector<TokenId>* symbols);
  void Enqueue(uint32_t position);
  Bucket* BestBucket();

  const MergeTable& table_;
  std::vector<uint32_t> ranks_;  // MergeFew: [i] rank of the pair (i, i + 1)

  // MergeMany: the symbols as a doubly linked list, and the queue.
  TokenId* ids_ = nullptr;
  std::vector<uint32_t> previous_, next_;
  std::vector<uint32_t> bucket_of_rank_;  // 1 + index, 0: none
  std::vector<Bucket> buckets_;
  size_t buckets_used_ = 0;
  std::vector<uint32_t> rank_heap_;  // ranks whose bucket is not empty, smallest first
};

}  // namespace tutti::text
