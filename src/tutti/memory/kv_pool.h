// The memory of all sequences: pages of a fixed number of tokens under one budget.
//
// A page holds kPageTokens tokens of every layer. What a layer keeps per token is its own affair
// (keys and values, a latent, keys of an indexer); the pool knows the number of bytes. Inside a
// page the layers follow each other, each aligned to a cache line:
//
//   page    [layer 0: kPageTokens * bytes_per_token[0]] [layer 1: ...] ...
//
// Layers that keep a state of fixed size instead (linear attention) need no pages; their states
// will be a second pool beside this one.
//
// Pages are taken whole and returned whole, by pins: whoever holds a PagePin holds the page, and a
// page that several hold goes back with the last of them. The memory is reserved at once and
// touched as pages are used, so a generous budget costs nothing.
//
// Threads: one at a time for taking and returning; reading and writing the bytes of different pages
// at the same time is fine. Errors: none after construction; a full pool gives an empty pin.
#pragma once
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "tutti/base/status.h"
#include "tutti/os/reserved_memory.h"

namespace tutti::memory {

// A multiple of every kernel's block of keys; a sequence wastes half a page on average.
inline constexpr int32_t kPageTokens = 32;

enum class PageId : int32_t {};

class KvPool;

// One page, held. Move-only; returns the page when it goes. Must not outlive the pool.
class PagePin {
 public:
  PagePin() = default;
  PagePin(PagePin&& other) noexcept { *this = std::move(other); }
  PagePin& operator=(PagePin&& other) noexcept;
  PagePin(const PagePin&) = delete;
  PagePin& operator=(const PagePin&) = delete;
  ~PagePin();

  explicit operator bool() const { return pool_ != nullptr; }
  PageId id() const { return id_; }
  std::byte* data() const;
  // One more pin of the same page.
  PagePin Share() const;
  bool shared() const;  // somebody else holds the page too

 private:
  friend class KvPool;
  PagePin(KvPool* pool, PageId id) : pool_(pool), id_(id) {}

  KvPool* pool_ = nullptr;
  PageId id_{};
};

class KvPool {
  struct Private {};  // only Create can name it

 public:
  explicit KvPool(Private) {}
  // As many pages as `budget_bytes` hold. kResource where that is not even one, or the system
  // refuses the reservation.
  static Result<std::unique_ptr<KvPool>> Create(std::span<const int64_t> bytes_per_token,
                                                int64_t budget_bytes);

  // Bytes of one page for layers of these needs, and of the pages for `tokens` tokens.
  static int64_t PageBytes(std::span<const int64_t> bytes_per_token);
  static int64_t BytesForTokens(std::span<const int64_t> bytes_per_token, int64_t tokens);

  KvPool(const KvPool&) = delete;
  KvPool& operator=(const KvPool&) = delete;
  ~KvPool();

  // An empty pin where all pages are taken.
  PagePin Take();

  // The holder of `pin` can do without the page. It is *idle* while nobody else holds it.
  void SetDispensable(const PagePin& pin, bool dispensable);
  int64_t idle_pages() const { return idle_pages_; }
  // Pins of a page, 0 where it is free.
  int32_t Holders(PageId id) const;

  int64_t page_bytes() const { return page_bytes_; }
  int64_t pages() const { return pages_; }
  int64_t free_pages() const { return pages_ - std::ssize(holders_) + std::ssize(free_); }
  // Where layer `layer` begins in a page.
  int64_t LayerOffset(size_t layer) const { return layer_offsets_[layer]; }
  std::byte* Data(PageId id) const {
    return memory_.data() + static_cast<int64_t>(id) * page_bytes_;
  }

  // Every page is either free or held, none is both or listed twice. Says what is wrong, empty if
  // nothing is.
  std::string CheckIntegrity() const;

 private:
  friend class PagePin;
  void Return(PageId id);
  bool Idle(PageId id) const;

  int64_t page_bytes_ = 0;
  std::vector<int64_t> layer_offsets_;
  os::ReservedMemory memory_;
  int64_t pages_ = 0;
  // Only of pages that were ever taken: a large pool must not cost lists as large.
  std::vector<PageId> free_;       // the last one is taken next: the one returned last, still warm
  std::vector<int32_t> holders_;   // [pages ever taken], the first ones of the pool
  std::vector<bool> dispensable_;  // [pages ever taken], one of the holders can do without it
  int64_t idle_pages_ = 0;
};

}  // namespace tutti::memory
