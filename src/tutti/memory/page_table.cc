#include "tutti/memory/page_table.h"

#include <algorithm>

#include "tutti/base/check.h"
#include "tutti/base/checked_math.h"

namespace tutti::memory {
namespace {

int64_t PagesFor(int64_t tokens) { return DivCeil<int64_t>(tokens, kPageTokens); }

}  // namespace

int64_t PageTable::PagesMissing(int32_t tokens) const {
  return std::max<int64_t>(0, PagesFor(tokens) - std::ssize(pins_));
}

bool PageTable::Reserve(int32_t tokens) {
  const int64_t missing = PagesMissing(tokens);
  if (missing > pool_->free_pages()) return false;
  for (int64_t i = 0; i < missing; ++i) {
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
