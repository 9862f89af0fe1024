#include "tutti/text/bpe.h"

#include <algorithm>
#include <functional>

namespace tutti::text {
namespace {

// Up to here a plain search for the best pair is faster than a queue. Measured on English text.
constexpr size_t kFew = 48;
constexpr TokenId kMergedAway = -2;
constexpr uint32_t kNowhere = std::numeric_limits<uint32_t>::max();

uint64_t Key(TokenId left, TokenId right) {
  return uint64_t{static_cast<uint32_t>(left)} << 32 | static_cast<uint32_t>(right);
}

}  // namespace

MergeTable::MergeTable(size_t merges_expected) {
  size_t size = 16;
  while (size < merges_expected * 2) size *= 2;
  entries_.resize(size);
}

size_t MergeTable::Slot(uint64_t key) const {
  const size_t mask = entries_.size() - 1;
  uint64_t hash = key * 0x9e3779b97f4a7c15ull;
  hash ^= hash >> 32;
  size_t slot = hash & mask;
  while (entries_[slot].key != key && entries_[slot].key != kEmpty) slot = (slot + 1) & mask;
  return slot;
}

void MergeTable::Grow() {
  std::vector<Entry> old(entries_.size() * 2);
  old.swap(entries_);
  for (const Entry& entry : old) {
    if (entry.key != kEmpty) entries_[Slot(entry.key)] = entry;
  }
}

void MergeTable::Add(TokenId left, TokenId right, uint32_t rank, TokenId result) {
  if ((used_ + 1) * 2 > entries_.size()) Grow();
  const uint64_t key = Key(left, right);
  Entry& entry = entries_[Slot(key)];
  if (entry.key == key) return;
  entry = {key, {rank, result}};
  ++used_;
  rank_limit_ = std::max(rank_limit_, rank + 1);
}

MergeTable::Merge MergeTable::Find(TokenId left, TokenId right) const {
  return entries_[Slot(Key(left, right))].merge;
}

void BpeMerger::Merge(std::vector<TokenId>* symbols) {
  if (symbols->size() < 2) return;
  if (symbols->size() <= kFew) {
    MergeFew(symbols);
  } else {
    MergeMany(symbols);
  }
}

void BpeMerger::MergeFew(std::vector<TokenId>* symbols) {
  std::vector<TokenId>& ids = *symbols;
  ranks_.resize(ids.size() - 1);
  for (size_t i = 0; i + 1 < ids.size(); ++i) ranks_[i] = table_.Find(ids[i], ids[i + 1]).rank;
  while (!ranks_.empty()) {
    const auto best = std::min_element(ranks_.begin(), ranks_.end());
    if (*best == MergeTable::kNoRank) break;
    const size_t i = static_cast<size_t>(best - ranks_.begin());
    ids[i] = table_.Find(ids[i], ids[i + 1]).result;
    ids.erase(ids.begin() + static_cast<std::ptrdiff_t>(i) + 1);
    ranks_.erase(best);
    if (i > 0) ranks_[i - 1] = table_.Find(ids[i - 1], ids[i]).rank;
    if (i < ranks_.size()) ranks_[i] = table_.Find(ids[i], ids[i + 1]).rank;
  }
}

// Puts the pair that begins at `position` into its bucket.
void BpeMerger::Enqueue(uint32_t position) {
  const uint32_t next = next_[position];
  if (next == kNowhere) return;
  const uint32_t rank = table_.Find(ids_[position], ids_[next]).rank;
  if (rank == MergeTable::kNoRank) return;
  uint32_t& index = bucket_of_rank_[rank];
  if (index == 0) {
    if (buckets_used_ == buckets_.size()) buckets_.emplace_back();
    Bucket& fresh = buckets_[buckets_used_++];
    fresh.positions.clear();
    fresh.sorted = 0;
    fresh.rank = rank;
    index = static_cast<uint32_t>(buckets_used_);
  }
  Bucket& bucket = buckets_[index - 1];
  if (bucket.positions.empty()) {
    rank_heap_.push_back(rank);
    std::push_heap(rank_heap_.begin(), rank_heap_.end(), std::greater<>());
  }
  bucket.positions.push_back(position);
}

// The bucket of the best rank, its positions in order; null where the queue is empty.
BpeMerger::Bucket* BpeMerger::BestBucket() {
  if (rank_heap_.empty()) return nullptr;
  Bucket& bucket = buckets_[bucket_of_rank_[rank_heap_.front()] - 1];
  std::vector<uint32_t>& positions = bucket.positions;
  if (bucket.sorted < positions.size()) {
    // What came since was mostly found from left to right, and left of what waits here already:
    // merging goes rightwards through a bucket and finds new pairs at or before its place.
    auto begin = positions.begin() + static_cast<std::ptrdiff_t>(bucket.sorted);
    if (std::is_sorted(begin, positions.end())) {
      std::reverse(begin, positions.end());
    } else if (!std::is_sorted(begin, positions.end(), std::greater<>())) {
      std::sort(begin, positions.end(), std::greater<>());
    }
    if (bucket.sorted > 0 && *begin > *(begin - 1)) {
      std::sort(positions.begin(), positions.end(), std::greater<>());
    }
    bucket.sorted = positions.size();
  }
  return &bucket;
}

void BpeMerger::MergeMany(std::vector<TokenId>* symbols) {
  const auto count = static_cast<uint32_t>(symbols->size());
  ids_ = symbols->data();
  previous_.resize(count);
  next_.resize(count);
  for (uint32_t i = 0; i < count; ++i) {
    previous_[i] = i - 1;  // kNowhere for the first
    next_[i] = i + 1 < count ? i + 1 : kNowhere;
  }
  bucket_of_rank_.resize(table_.rank_limit());
  for (uint32_t i = count; i-- > 0;) Enqueue(i);

  while (Bucket* bucket = BestBucket()) {
    const uint32_t rank = bucket->rank;
    const uint32_t position = bucket->positions.back();
    bucket->positions.pop_back();
    bucket->sorted = bucket->positions.size();
    if (bucket->positions.empty()) {
      std::pop_heap(rank_heap_.begin(), rank_heap_.end(), std::greater<>());
      rank_heap_.pop_back();
    }
    if (ids_[position] == kMergedAway || next_[position] == kNowhere) continue;
    const uint32_t right = next_[position];
    const MergeTable::Merge merge = table_.Find(ids_[position], ids_[right]);
    if (merge.rank != rank) continue;  // one of the two has been merged with another since
    ids_[position] = merge.result;
    ids_[right] = kMergedAway;
    next_[position] = next_[right];
    if (next_[right] != kNowhere) previous_[next_[right]] = position;
    Enqueue(position);
    if (previous_[position] != kNowhere) Enqueue(previous_[position]);
  }

  for (size_t i = 0; i < buckets_used_; ++i) bucket_of_rank_[buckets_[i].rank] = 0;
  buckets_used_ = 0;
  std::erase(*symbols, kMergedAway);
}

}  // namespace tutti::text
