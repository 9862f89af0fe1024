#include "tutti/text/jinja_sort.h"

#include <algorithm>

#include "tutti/text/jinja_compare.h"

namespace tutti::text::jinja {
namespace {

// Own merge sort: a comparison may fail or contradict itself (NaN), which std::stable_sort does not
// allow.
bool Merge(Heap& heap, const std::vector<Value>& keys, bool descending,
           std::vector<uint32_t>& order, std::vector<uint32_t>& spare, size_t begin, size_t middle,
           size_t end) {
  size_t left = begin;
  size_t right = middle;
  size_t out = begin;
  while (left < middle && right < end) {
    const Value& a = keys[order[left]];
    const Value& b = keys[order[right]];
    // The right one goes first only if it is strictly before the left one.
    const auto before =
        descending ? Compare(heap, Order::kLess, a, b) : Compare(heap, Order::kLess, b, a);
    if (!before || heap.failed()) return false;
    spare[out++] = order[*before ? right++ : left++];
  }
  while (left < middle) spare[out++] = order[left++];
  while (right < end) spare[out++] = order[right++];
  std::copy(spare.begin() + static_cast<std::ptrdiff_t>(begin),
            spare.begin() + static_cast<std::ptrdiff_t>(end),
            order.begin() + static_cast<std::ptrdiff_t>(begin));
  return true;
}

}  // namespace

bool SortOrder(Heap& heap, const std::vector<Value>& keys, bool descending,
               std::vector<uint32_t>& order) {
  const size_t count = order.size();
  std::vector<uint32_t> spare(count);
  for (size_t width = 1; width < count; width *= 2) {
    for (size_t begin = 0; begin + width < count; begin += 2 * width) {
      const size_t end = std::min(begin + 2 * width, count);
      if (!Merge(heap, keys, descending, order, spare, begin, begin + width, end)) return false;
    }
  }
  return true;
}

}  // namespace tutti::text::jinja
