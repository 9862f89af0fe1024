// Equality, order, hashing and membership as Python defines them between its types, and the
// dictionary that rests on them.
//
// Functions that can fail (a budget, an unhashable key, types without an order) record it in the
// heap and return nullopt or false.
#pragma once
#include <optional>

#include "tutti/text/jinja_value.h"

namespace tutti::text::jinja {

std::optional<bool> Equal(Heap& heap, const Value& left, const Value& right);
// `is`: the same object.
bool Same(const Value& left, const Value& right);

enum class Order : uint8_t { kLess, kLessEqual, kGreater, kGreaterEqual };
std::optional<bool> Compare(Heap& heap, Order order, const Value& left, const Value& right);
// left in right
std::optional<bool> Contains(Heap& heap, const Value& container, const Value& item);

std::optional<uint64_t> Hash(Heap& heap, const Value& value);

Dict* NewDict(Heap& heap, uint32_t capacity = 0);
// Adds or replaces; the first key stays, as in Python.
bool DictSet(Heap& heap, Dict& dict, const Value& key, const Value& value);
// nullptr if it is not there; check heap.failed() where the key may be unhashable.
const DictEntry* DictFind(Heap& heap, const Dict& dict, const Value& key);
const DictEntry* DictFind(Heap& heap, const Dict& dict, std::string_view key);

}  // namespace tutti::text::jinja
