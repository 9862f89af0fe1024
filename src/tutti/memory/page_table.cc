#include "tutti/memory/page_table.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "tutti/base/check.h"
#include "tutti/base/checked_math.h"

namespace tutti::memory {
namespace {

int64_t PagesFor(int64_t tokens) { return DivCeil<int64_t>(tokens, kPageTokens); }

}  // namespace

bool PageTable::MustCopy() const {
  return length_ % kPageTokens != 0 && pins_[static_cast<size_t>(length_ / kPageTokens)].shared();
}

int64_t PageTable::PagesMissing(int32_t tokens) const {
  const int64_t missing = std::max<int64_t>(0, PagesFor(tokens) - std::ssize(pins_));
  return missing + (tokens > length_ && MustCopy() ? 1 : 0);
}

bool PageTable::Reserve(int32_t tokens) {
  if (PagesMissing(tokens) > pool_->free_pages()) return false;
  if (tokens > length_ && MustCopy()) {
    const auto last = static_cast<size_t>(length_ / kPageTokens);
    PagePin copy = pool_->Take();
    std::memcpy(copy.data(), pages_[last], static_cast<size_t>(pool_->page_bytes()));
    pages_[last] = copy.data();
    pins_[last] = std::move(copy);
  }
  const int64_t pages = PagesFor(tokens);
  while (std::ssize(pins_) < pages) {
    pins_.push_back(pool_->Take());
    pages_.push_back(pins_.back().data());
  }
  return true;
}

void PageTable::Advance(int32_t tokens) {
  TUTTI_CHECK(tokens >= 0 && PagesMissing(length_ + tokens) == 0, "tokens without room");
  length_ += tokens;
}

void PageTable::Truncate(int32_t length) {
  TUTTI_CHECK(0 <= length && length <= length_, "a sequence cannot be cut to more than it has");
  length_ = length;
  pins_.resize(static_cast<size_t>(PagesFor(length)));
  pages_.resize(pins_.size());
}

PageTable PageTable::Fork() const {
  PageTable fork(*pool_);
  fork.length_ = length_;
  for (size_t i = 0; std::ssize(fork.pins_) < PagesFor(length_); ++i) {
    fork.pins_.push_back(pins_[i].Share());
    fork.pages_.push_back(pages_[i]);
  }
  return fork;
}

void PageTable::Adopt(PagePin page, int32_t tokens) {
  TUTTI_CHECK(length_ == std::ssize(pins_) * kPageTokens && 0 < tokens && tokens <= kPageTokens,
              "a page is adopted in the middle of another");
  pages_.push_back(page.data());
  pins_.push_back(std::move(page));
  length_ += tokens;
}

void PageTable::Replace(size_t index, PagePin page) {
  TUTTI_CHECK((std::ssize(pins_) > static_cast<int64_t>(index)) &&
                  (static_cast<int64_t>(index) + 1) * kPageTokens <= length_,
              "only full pages can be replaced");
  pages_[index] = page.data();
  pins_[index] = std::move(page);
}

std::string PageTable::CheckIntegrity() const {
  if (pins_.size() != pages_.size()) return "pins and pages differ in number";
  if (PagesFor(length_) > std::ssize(pins_)) {
    return fmt::format("{} tokens in {} pages", length_, pins_.size());
  }
  for (size_t i = 0; i < pins_.size(); ++i) {
    if (!pins_[i] || pins_[i].data() != pages_[i]) return fmt::format("page {} is not held", i);
  }
  return {};
}

}  // namespace tutti::memory
