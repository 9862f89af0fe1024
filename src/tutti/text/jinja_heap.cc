#include "tutti/text/jinja_heap.h"

#include <algorithm>

namespace tutti::text::jinja {
namespace {

constexpr size_t kFirstBlockBytes = 4u << 10;
constexpr size_t kBlockBytes = 256u << 10;

}  // namespace

Heap::Heap(const TemplateBudget& budget) : budget_(budget) {
  budget_.memory_bytes = std::min(budget_.memory_bytes, kMaxBytes);
  budget_.output_bytes = std::min(budget_.output_bytes, kMaxBytes);
}

void* Heap::Take(size_t bytes) {
  bytes = (std::max<size_t>(bytes, 1) + 15) / 16 * 16;
  if (bytes > left_) {
    const size_t usual = blocks_.empty() ? kFirstBlockBytes : kBlockBytes;
    const size_t block = std::max(bytes, usual);
    blocks_.push_back(std::make_unique_for_overwrite<std::byte[]>(block));
    std::byte* start = blocks_.back().get();
    // A large object gets a block of its own; the open block stays open.
    if (block > usual && left_ > 0) return start;
    next_ = start;
    left_ = block;
  }
  void* taken = next_;
  next_ += bytes;
  left_ -= bytes;
  return taken;
}

bool Heap::Output(uint64_t bytes) {
  output_ += bytes;
  if (output_ <= budget_.output_bytes) return true;
  Fail(StatusCode::kResource,
       fmt::format("the rendered text would be longer than the output budget of {} bytes",
                   budget_.output_bytes));
  return false;
}

bool Heap::OutOfSteps() {
  Fail(StatusCode::kResource,
       fmt::format("the template takes more than the budget of {} steps", budget_.steps));
  return false;
}

bool Heap::OutOfMemory(uint64_t bytes) {
  Fail(
      StatusCode::kResource,
      fmt::format("the template wants {} bytes more than are left of the memory budget of {} bytes",
                  bytes, budget_.memory_bytes));
  return false;
}

bool Heap::Enter() {
  if (++depth_ <= budget_.depth) return true;
  Fail(StatusCode::kResource,
       fmt::format("the template nests deeper than the budget of {} levels", budget_.depth));
  return false;
}

void Heap::Fail(StatusCode code, std::string message) {
  if (failed()) return;
  status_ = Status(code, std::move(message));
  error_position_ = position_;
}

void Heap::FailRaised(std::string message) {
  if (failed()) return;
  raised_ = true;
  Fail(StatusCode::kData, std::move(message));
}

}  // namespace tutti::text::jinja
