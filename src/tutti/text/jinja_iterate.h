// Walking over values: what `for x in value` and list(value) see.
#pragma once
#include "tutti/text/jinja_value.h"

namespace tutti::text::jinja {

// The items of an iterable; an iterator is used up. nullptr and an error for other values
// ("'int' object is not iterable"). Lists and tuples are returned as they are.
const List* ItemsOf(Heap& heap, const Value& value);
bool IsIterable(const Value& value);
// len(value); nothing and an error where there is none.
Value LengthOf(Heap& heap, const Value& value);
bool HasLength(const Value& value);

// The next item of an iterator; nothing at the end or after an error.
Value NextOf(Heap& heap, Iterator& iterator);
// An iterator over the given items, as Python's generators are.
Value MakeIterator(Heap& heap, std::span<const Value> items, const char* type_name = "generator");

int64_t RangeItem(const Range& range, uint32_t index);
// A tuple (key, value).
Value PairOf(Heap& heap, const DictEntry& entry);

}  // namespace tutti::text::jinja
