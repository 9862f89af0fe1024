// Python's sorted(): stable, by `<`, with an error where two keys have no order.
#pragma once
#include <vector>

#include "tutti/text/jinja_value.h"

namespace tutti::text::jinja {

// Permutes `order` (indices into keys) so that the keys ascend, or descend with equal ones still in
// their order. False after an error.
bool SortOrder(Heap& heap, const std::vector<Value>& keys, bool descending,
               std::vector<uint32_t>& order);

}  // namespace tutti::text::jinja
