#include "tutti/text/jinja_compare.h"

#include <algorithm>
#include <functional>
#include <string_view>

#include "tutti/text/jinja_iterate.h"
#include "tutti/text/jinja_number.h"
#include "tutti/text/jinja_string.h"

namespace tutti::text::jinja {
namespace {

std::optional<bool> ListsEqual(Heap& heap, const List& left, const List& right) {
  if (left.count != right.count) return false;
  for (uint32_t i = 0; i < left.count; ++i) {
    const auto equal = Equal(heap, left.items[i], right.items[i]);
    if (!equal || !*equal) return equal;
  }
  return true;
}

std::optional<bool> DictsEqual(Heap& heap, const Dict& left, const Dict& right) {
  if (left.count != right.count) return false;
  for (const DictEntry& entry : left.view()) {
    const DictEntry* other = DictFind(heap, right, entry.key);
    if (heap.failed()) return std::nullopt;
    if (other == nullptr) return false;
    const auto equal = Equal(heap, entry.value, other->value);
    if (!equal || !*equal) return equal;
  }
  return true;
}

// keys() and items() compare as sets; values() only with itself.
std::optional<bool> ViewsEqual(Heap& heap, const DictView& left, const DictView& right) {
  if (left.part != right.part || left.part == DictPart::kValues) return false;
  if (left.part == DictPart::kItems) return DictsEqual(heap, *left.dict, *right.dict);
  if (left.dict->count != right.dict->count) return false;
  for (const DictEntry& entry : left.dict->view()) {
    const DictEntry* other = DictFind(heap, *right.dict, entry.key);
    if (heap.failed()) return std::nullopt;
    if (other == nullptr) return false;
  }
  return true;
}

bool RangesEqual(const Range& left, const Range& right) {
  if (left.count != right.count) return false;
  if (left.count == 0) return true;
  return left.start == right.start && (left.count == 1 || left.step == right.step);
}

uint64_t HashText(std::string_view text) { return std::hash<std::string_view>()(text); }

// The entry or an empty slot. Long chains of equal hashes cost steps, so keys that were chosen to
// collide run into the budget.
template <typename IsKey>
std::optional<uint32_t> Probe(Heap& heap, const Dict& dict, uint64_t hash, IsKey is_key) {
  const uint32_t mask = dict.slots_count - 1;
  uint32_t at = static_cast<uint32_t>(hash) & mask;
  for (uint32_t probes = 0;; ++probes, at = (at + 1) & mask) {
    const uint32_t slot = dict.slots[at];
    if (slot == 0) return at;
    const DictEntry& entry = dict.entries[slot - 1];
    if (entry.hash == hash && is_key(entry)) return at;
    if (probes > 8 && !heap.Step()) return std::nullopt;
  }
}

constexpr uint32_t kUnindexed = 8;  // entries that are searched one by one

template <typename IsKey>
DictEntry* FindEntry(Heap& heap, const Dict& dict, uint64_t hash, IsKey is_key) {
  if (dict.slots == nullptr) {
    for (uint32_t i = 0; i < dict.count; ++i) {
      if (dict.entries[i].hash == hash && is_key(dict.entries[i])) return &dict.entries[i];
    }
    return nullptr;
  }
  const auto at = Probe(heap, dict, hash, is_key);
  if (!at || dict.slots[*at] == 0) return nullptr;
  return &dict.entries[dict.slots[*at] - 1];
}

DictEntry* FindKey(Heap& heap, const Dict& dict, uint64_t hash, const Value& key) {
  return FindEntry(heap, dict, hash, [&](const DictEntry& entry) {
    return Same(entry.key, key) || Equal(heap, entry.key, key).value_or(false);
  });
}

bool Reindex(Heap& heap, Dict& dict) {
  const uint32_t count = std::max(32u, dict.capacity * 2);
  uint32_t power = 32;
  while (power < count) power *= 2;
  uint32_t* slots = heap.NewArray<uint32_t>(power);
  if (slots == nullptr || !heap.Step(dict.count)) return false;
  std::fill_n(slots, power, 0u);
  dict.slots = slots;
  dict.slots_count = power;
  for (uint32_t i = 0; i < dict.count; ++i) {
    const auto at = Probe(heap, dict, dict.entries[i].hash, [](const DictEntry&) { return false; });
    if (!at) return false;
    dict.slots[*at] = i + 1;
  }
  return true;
}

bool Grow(Heap& heap, Dict& dict) {
  const uint32_t capacity = std::max(4u, dict.capacity * 2);
  DictEntry* entries = heap.NewArray<DictEntry>(capacity);
  if (entries == nullptr) return false;
  std::copy_n(dict.entries, dict.count, entries);
  dict.entries = entries;
  dict.capacity = capacity;
  return capacity <= kUnindexed || Reindex(heap, dict);
}

std::optional<bool> CompareLists(Heap& heap, Order order, const List& left, const List& right) {
  const uint32_t common = std::min(left.count, right.count);
  for (uint32_t i = 0; i < common; ++i) {
    const auto equal = Equal(heap, left.items[i], right.items[i]);
    if (!equal) return std::nullopt;
    if (!*equal) return Compare(heap, order, left.items[i], right.items[i]);
  }
  switch (order) {
    case Order::kLess:
      return left.count < right.count;
    case Order::kLessEqual:
      return left.count <= right.count;
    case Order::kGreater:
      return left.count > right.count;
    case Order::kGreaterEqual:
      return left.count >= right.count;
  }
  return false;
}

bool Ordered(Order order, int sign) {
  switch (order) {
    case Order::kLess:
      return sign < 0;
    case Order::kLessEqual:
      return sign <= 0;
    case Order::kGreater:
      return sign > 0;
    case Order::kGreaterEqual:
      return sign >= 0;
  }
  return false;
}

std::string_view OrderSign(Order order) {
  switch (order) {
    case Order::kLess:
      return "<";
    case Order::kLessEqual:
      return "<=";
    case Order::kGreater:
      return ">";
    case Order::kGreaterEqual:
      return ">=";
  }
  return "?";
}

}  // namespace

bool Same(const Value& left, const Value& right) {
  if (left.kind != right.kind) return false;
  switch (left.kind) {
    case Kind::kNone:
    case Kind::kSelf:
      return true;
    case Kind::kBool:
      return left.boolean == right.boolean;
    case Kind::kInt:
      return left.integer == right.integer;
    case Kind::kFloat:
      return false;
    case Kind::kString:
      // Python keeps one object per one-character Latin-1 string, and one empty string.
      return left.string == right.string ||
             (left.string->bytes <= 1 && left.string->view() == right.string->view());
    default:
      return left.integer == right.integer;  // the pointers
  }
}

std::optional<bool> Equal(Heap& heap, const Value& left, const Value& right) {
  const DepthGuard guard(heap);
  if (!guard.ok() || !heap.Step()) return std::nullopt;
  if (left.IsNumber() && right.IsNumber()) return CompareNumbers(left, right) == 0;
  if (left.kind != right.kind) return false;
  switch (left.kind) {
    case Kind::kUndefined:
    case Kind::kNone:
      return true;
    case Kind::kString:
    case Kind::kBytes:
      if (left.string->bytes != right.string->bytes) return false;
      if (!heap.Work(left.string->bytes)) return std::nullopt;
      return left.string->view() == right.string->view();
    case Kind::kList:
    case Kind::kTuple:
      return ListsEqual(heap, *left.list, *right.list);
    case Kind::kDict:
      return DictsEqual(heap, *left.dict, *right.dict);
    case Kind::kDictView:
      return ViewsEqual(heap, *left.view, *right.view);
    case Kind::kRange:
      return RangesEqual(*left.range, *right.range);
    case Kind::kFunction:
      return left.function == right.function || (left.function->call == right.function->call &&
                                                 left.function->name == right.function->name &&
                                                 Same(left.function->self, right.function->self));
    default:
      return Same(left, right);
  }
}

std::optional<bool> Compare(Heap& heap, Order order, const Value& left, const Value& right) {
  const DepthGuard guard(heap);
  if (!guard.ok() || !heap.Step()) return std::nullopt;
  if (left.IsNumber() && right.IsNumber()) {
    const int sign = CompareNumbers(left, right);
    return sign != 2 && Ordered(order, sign);
  }
  for (const Value& operand : {left, right}) {
    if (operand.Is(Kind::kUndefined)) {
      FailUndefined(heap, operand);
      return std::nullopt;
    }
  }
  if (left.kind == right.kind) {
    if (left.Is(Kind::kString) || left.Is(Kind::kBytes)) {
      if (!heap.Work(std::min(left.string->bytes, right.string->bytes))) return std::nullopt;
      // The order of UTF-8 bytes is the order of code points.
      return Ordered(order, left.string->view().compare(right.string->view()));
    }
    if (left.Is(Kind::kList) || left.Is(Kind::kTuple)) {
      return CompareLists(heap, order, *left.list, *right.list);
    }
  }
  Fail(heap, "'{}' not supported between instances of '{}' and '{}'", OrderSign(order),
       TypeName(left), TypeName(right));
  return std::nullopt;
}

std::optional<bool> Contains(Heap& heap, const Value& container, const Value& item) {
  switch (container.kind) {
    case Kind::kString:
      if (item.Is(Kind::kUndefined)) {
        FailUndefined(heap, item);
        return std::nullopt;
      }
      if (!item.Is(Kind::kString)) {
        Fail(heap, "'in <string>' requires string as left operand, not {}", TypeName(item));
        return std::nullopt;
      }
      return Find(heap, container.string->view(), item.string->view(), 0, container.string->bytes)
          .has_value();
    case Kind::kDict: {
      const DictEntry* found = DictFind(heap, *container.dict, item);
      if (heap.failed()) return std::nullopt;
      return found != nullptr;
    }
    case Kind::kDictView: {
      if (container.view->part != DictPart::kKeys) break;
      const DictEntry* found = DictFind(heap, *container.view->dict, item);
      if (heap.failed()) return std::nullopt;
      return found != nullptr;
    }
    case Kind::kNamespace:
    case Kind::kNone:
    case Kind::kBool:
    case Kind::kInt:
    case Kind::kBigInt:
    case Kind::kFloat:
    case Kind::kFunction:
    case Kind::kMacro:
      Fail(heap, "argument of type '{}' is not iterable", TypeName(container));
      return std::nullopt;
    default:
      break;
  }
  const auto matches = [&](const Value& other) -> std::optional<bool> {
    return Same(other, item) ? true : Equal(heap, other, item);
  };
  if (container.Is(Kind::kIterator)) {  // stops behind the match
    for (Value other = NextOf(heap, *container.iterator); !other.nothing();
         other = NextOf(heap, *container.iterator)) {
      const auto equal = matches(other);
      if (!equal || *equal) return equal;
    }
    return heap.failed() ? std::nullopt : std::optional<bool>(false);
  }
  const List* items = ItemsOf(heap, container);
  if (items == nullptr) return std::nullopt;
  for (const Value& other : items->view()) {
    const auto equal = matches(other);
    if (!equal || *equal) return equal;
  }
  return false;
}

std::optional<uint64_t> Hash(Heap& heap, const Value& value) {
  switch (value.kind) {
    case Kind::kNone:
      return 0x4e6f6e65;
    case Kind::kUndefined:
      return 0x556e6465;
    case Kind::kBool:
    case Kind::kInt:
    case Kind::kBigInt:
    case Kind::kFloat:
      return HashNumber(value);
    case Kind::kString:
    case Kind::kBytes:
      if (!heap.Work(value.string->bytes)) return std::nullopt;
      return HashText(value.string->view());
    case Kind::kTuple: {
      const DepthGuard guard(heap);
      if (!guard.ok()) return std::nullopt;
      uint64_t hash = 0x345678;
      for (const Value& item : value.list->view()) {
        const auto part = Hash(heap, item);
        if (!part) return std::nullopt;
        hash = (hash ^ *part) * 0x9e3779b97f4a7c15ull + 97;
      }
      return hash;
    }
    case Kind::kList:
    case Kind::kDict:
      Fail(heap, "unhashable type: '{}'", TypeName(value));
      return std::nullopt;
    case Kind::kDictView:
      if (value.view->part != DictPart::kValues) {
        Fail(heap, "unhashable type: '{}'", TypeName(value));
        return std::nullopt;
      }
      break;
    default:
      break;
  }
  return static_cast<uint64_t>(value.integer) * 0x9e3779b97f4a7c15ull;  // the pointer
}

Dict* NewDict(Heap& heap, uint32_t capacity) {
  Dict* dict = heap.New(Dict{});
  if (dict == nullptr || capacity == 0) return dict;
  dict->entries = heap.NewArray<DictEntry>(capacity);
  if (dict->entries == nullptr) return nullptr;
  dict->capacity = capacity;
  if (capacity > kUnindexed && !Reindex(heap, *dict)) return nullptr;
  return dict;
}

bool DictSet(Heap& heap, Dict& dict, const Value& key, const Value& value) {
  const auto hash = Hash(heap, key);
  if (!hash || !heap.Step()) return false;
  DictEntry* found = FindKey(heap, dict, *hash, key);
  if (heap.failed()) return false;
  if (found != nullptr) {
    found->value = value;
    return true;
  }
  if (dict.count == dict.capacity && !Grow(heap, dict)) return false;
  dict.entries[dict.count++] = {key, value, *hash};
  if (dict.slots == nullptr) return true;
  const auto at = Probe(heap, dict, *hash, [](const DictEntry&) { return false; });
  if (!at) return false;
  dict.slots[*at] = dict.count;
  return true;
}

const DictEntry* DictFind(Heap& heap, const Dict& dict, const Value& key) {
  const auto hash = Hash(heap, key);
  return hash ? FindKey(heap, dict, *hash, key) : nullptr;
}

const DictEntry* DictFind(Heap& heap, const Dict& dict, std::string_view key) {
  return FindEntry(heap, dict, HashText(key), [&](const DictEntry& entry) {
    return entry.key.Is(Kind::kString) && entry.key.string->view() == key;
  });
}

}  // namespace tutti::text::jinja
