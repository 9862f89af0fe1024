#include "tutti/memory/kv_pool.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "tutti/base/check.h"
#include "tutti/base/checked_math.h"

namespace tutti::memory {
namespace {

constexpr int64_t kCacheLine = 64;

int64_t LayerBytes(int64_t bytes_per_token) {
  return RoundUp(bytes_per_token * kPageTokens, kCacheLine);
}

}  // namespace

PagePin& PagePin::operator=(PagePin&& other) noexcept {
  std::swap(pool_, other.pool_);
  std::swap(id_, other.id_);
  return *this;
}

PagePin::~PagePin() {
  if (pool_ != nullptr) pool_->Return(id_);
}

std::byte* PagePin::data() const {
  TUTTI_DCHECK(pool_ != nullptr, "an empty pin has no page");
  return pool_->Data(id_);
}

PagePin PagePin::Share() const {
  TUTTI_CHECK(pool_ != nullptr, "an empty pin cannot be shared");
  if (pool_->Idle(id_)) --pool_->idle_pages_;
  ++pool_->holders_[static_cast<size_t>(id_)];
  return PagePin(pool_, id_);
}

bool PagePin::shared() const { return pool_->Holders(id_) > 1; }

int64_t KvPool::PageBytes(std::span<const int64_t> bytes_per_token) {
  int64_t bytes = 0;
  for (const int64_t layer : bytes_per_token) bytes += LayerBytes(layer);
  return bytes;
}

int64_t KvPool::BytesForTokens(std::span<const int64_t> bytes_per_token, int64_t tokens) {
  const int64_t page_bytes = PageBytes(bytes_per_token);
  return CheckedMul(DivCeil<int64_t>(tokens, kPageTokens), page_bytes)
      .value_or(std::numeric_limits<int64_t>::max());
}

Result<std::unique_ptr<KvPool>> KvPool::Create(std::span<const int64_t> bytes_per_token,
                                               int64_t budget_bytes) {
  auto pool = std::make_unique<KvPool>(Private());
  for (const int64_t layer : bytes_per_token) {
    pool->layer_offsets_.push_back(pool->page_bytes_);
    pool->page_bytes_ += LayerBytes(layer);
  }
  TUTTI_CHECK(pool->page_bytes_ > 0, "a pool for layers that keep nothing");
  const int64_t pages = std::min<int64_t>(budget_bytes / pool->page_bytes_, INT32_MAX);
  if (pages < 1) {
    return Error(StatusCode::kResource,
                 "{} bytes for keys and values do not hold one page of {} tokens ({} bytes)",
                 budget_bytes, kPageTokens, pool->page_bytes_);
  }
  TUTTI_ASSIGN_OR_RETURN(
      pool->memory_, os::ReservedMemory::Reserve(static_cast<size_t>(pages * pool->page_bytes_)));
  pool->pages_ = pages;
  return pool;
}

KvPool::~KvPool() { TUTTI_CHECK(free_.size() == holders_.size(), "a page outlives its pool"); }

PagePin KvPool::Take() {
  if (free_.empty()) {
    if (std::ssize(holders_) == pages_) return {};
    holders_.push_back(1);
    dispensable_.push_back(false);
    return PagePin(this, PageId{static_cast<int32_t>(holders_.size() - 1)});
  }
  const PageId id = free_.back();
  free_.pop_back();
  holders_[static_cast<size_t>(id)] = 1;
  return PagePin(this, id);
}

void KvPool::SetDispensable(const PagePin& pin, bool dispensable) {
  if (Idle(pin.id())) --idle_pages_;
  dispensable_[static_cast<size_t>(pin.id())] = dispensable;
  if (Idle(pin.id())) ++idle_pages_;
}

int32_t KvPool::Holders(PageId id) const {
  const auto index = static_cast<size_t>(id);
  return index < holders_.size() ? holders_[index] : 0;
}

bool KvPool::Idle(PageId id) const {
  const auto index = static_cast<size_t>(id);
  return dispensable_[index] && holders_[index] == 1;
}

void KvPool::Return(PageId id) {
  int32_t& holders = holders_[static_cast<size_t>(id)];
  TUTTI_CHECK(holders > 0, "a page is returned twice");
  if (Idle(id)) --idle_pages_;
  if (--holders == 0) {
    dispensable_[static_cast<size_t>(id)] = false;
    free_.push_back(id);
  } else if (Idle(id)) {
    ++idle_pages_;
  }
}

std::string KvPool::CheckIntegrity() const {
  std::vector<bool> listed(holders_.size());
  for (const PageId id : free_) {
    const auto index = static_cast<size_t>(id);
    if (index >= holders_.size()) return fmt::format("free page {} does not exist", index);
    if (listed[index]) return fmt::format("page {} is free twice", index);
    if (holders_[index] != 0) return fmt::format("page {} is free and held", index);
    listed[index] = true;
  }
  int64_t idle = 0;
  for (size_t i = 0; i < holders_.size(); ++i) {
    if (holders_[i] == 0 && !listed[i]) return fmt::format("page {} is neither free nor held", i);
    if (Idle(PageId{static_cast<int32_t>(i)})) ++idle;
  }
  if (idle != idle_pages_)
    return fmt::format("{} pages are idle, {} are counted", idle, idle_pages_);
  return {};
}

}  // namespace tutti::memory
