// Which pages hold the tokens of one sequence, in order: token t lies in page t / kPageTokens.
//
// Length and pages change in two steps, so that a batch can be refused whole: Reserve takes the
// pages that a longer sequence needs and changes nothing where the pool has too few; Advance
// declares tokens as written. Truncate forgets the last tokens and returns pages that become empty.
//
// Tables may share pages (Fork, Adopt). Full ones are never written again; a shared page that is
// filled partly is copied by Reserve, so whoever writes has it alone.
//
// Ownership: holds its pages by pins; the pool must outlive it. Threads: one at a time.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "tutti/memory/kv_pool.h"

namespace tutti::memory {

class PageTable {
 public:
  explicit PageTable(KvPool& pool) : pool_(&pool) {}
  PageTable(PageTable&&) = default;
  PageTable& operator=(PageTable&&) = default;

  int32_t length() const { return length_; }
  // Pages that Reserve(tokens) would take.
  int64_t PagesMissing(int32_t tokens) const;
  // Room for `tokens` tokens in all; false, and nothing changed, where the pool has too few pages.
  bool Reserve(int32_t tokens);
  // `tokens` more are written; there is room for them.
  void Advance(int32_t tokens);
  void Truncate(int32_t length);

  // The same tokens in the same pages.
  PageTable Fork() const;
  // The next `tokens` tokens are the first ones of `page`. The table ends at a page's border.
  void Adopt(PagePin page, int32_t tokens);
  // `page` holds the same full page as number `index`.
  void Replace(size_t index, PagePin page);
  const PagePin& pin(size_t index) const { return pins_[index]; }

  // The beginnings of the pages, in order; pages that are reserved but not reached included.
  std::span<std::byte* const> pages() const { return pages_; }

  // Says what is wrong, empty if nothing is.
  std::string CheckIntegrity() const;

 private:
  // The next token would be written to a page that others hold.
  bool MustCopy() const;

  KvPool* pool_;
  int32_t length_ = 0;
  std::vector<PagePin> pins_;
  std::vector<std::byte*> pages_;  // pins_[i].data()
};

}  // namespace tutti::memory
