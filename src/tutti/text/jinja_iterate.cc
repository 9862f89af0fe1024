#include "tutti/text/jinja_iterate.h"

#include "tutti/text/jinja_loop.h"
#include "tutti/text/jinja_string.h"

namespace tutti::text::jinja {
namespace {

const List* Finish(Heap& heap, const Value* items, size_t count) {
  return heap.New(List{items, static_cast<uint32_t>(count)});
}

const List* CharsOf(Heap& heap, const String& string) {
  Value* items = heap.NewArray<Value>(string.chars);
  if (items == nullptr || !heap.Step(string.chars)) return nullptr;
  // The characters of Markup are plain strings. (Slice returns a whole string as it is.)
  String unmarked = string;
  unmarked.safe = false;
  const String* whole = string.safe ? heap.New(unmarked) : &string;
  if (whole == nullptr) return nullptr;
  uint32_t offset = 0;
  for (uint32_t i = 0; i < string.chars; ++i) {
    const uint32_t begin = offset;
    DecodeChar(string.view(), offset);
    items[i] = Slice(heap, *whole, begin, offset);
    if (items[i].nothing()) return nullptr;
  }
  return Finish(heap, items, string.chars);
}

const List* PartsOf(Heap& heap, const Dict& dict, DictPart part) {
  Value* items = heap.NewArray<Value>(dict.count);
  if (items == nullptr || !heap.Step(dict.count)) return nullptr;
  for (uint32_t i = 0; i < dict.count; ++i) {
    const DictEntry& entry = dict.entries[i];
    items[i] = part == DictPart::kKeys     ? entry.key
               : part == DictPart::kValues ? entry.value
                                           : PairOf(heap, entry);
    if (items[i].nothing()) return nullptr;
  }
  return Finish(heap, items, dict.count);
}

const List* NumbersOf(Heap& heap, const Range& range) {
  Value* items = heap.NewArray<Value>(range.count);
  if (items == nullptr || !heap.Step(range.count)) return nullptr;
  for (uint32_t i = 0; i < range.count; ++i) items[i] = Value::Int(RangeItem(range, i));
  return Finish(heap, items, range.count);
}

const List* RestOf(Heap& heap, Iterator& iterator) {
  if (iterator.pull != nullptr) {
    std::vector<Value> rest;
    for (Value item = NextOf(heap, iterator); !item.nothing(); item = NextOf(heap, iterator)) {
      rest.push_back(item);
    }
    return heap.failed() ? nullptr : MakeList(heap, rest);
  }
  const uint32_t begin = iterator.next;
  iterator.next = iterator.items->count;
  return Finish(heap, iterator.items->items + begin, iterator.items->count - begin);
}

}  // namespace

Value PairOf(Heap& heap, const DictEntry& entry) {
  const Value pair[] = {entry.key, entry.value};
  return MakeTuple(heap, pair);
}

int64_t RangeItem(const Range& range, uint32_t index) {
  return range.start + range.step * static_cast<int64_t>(index);
}

const List* ItemsOf(Heap& heap, const Value& value) {
  switch (value.kind) {
    case Kind::kUndefined:
      return MakeList(heap, {});
    case Kind::kString:
      return CharsOf(heap, *value.string);
    case Kind::kList:
    case Kind::kTuple:
      return value.list;
    case Kind::kDict:
      return PartsOf(heap, *value.dict, DictPart::kKeys);
    case Kind::kDictView:
      return PartsOf(heap, *value.view->dict, value.view->part);
    case Kind::kRange:
      return NumbersOf(heap, *value.range);
    case Kind::kIterator:
      return RestOf(heap, *value.iterator);
    case Kind::kBytes: {
      Value* items = heap.NewArray<Value>(value.string->bytes);
      if (items == nullptr || !heap.Step(value.string->bytes)) return nullptr;
      for (uint32_t i = 0; i < value.string->bytes; ++i) {
        items[i] = Value::Int(static_cast<unsigned char>(value.string->data[i]));
      }
      return Finish(heap, items, value.string->bytes);
    }
    default:
      break;
  }
  if (!value.nothing()) Fail(heap, "'{}' object is not iterable", TypeName(value));
  return nullptr;
}

bool IsIterable(const Value& value) {
  switch (value.kind) {
    case Kind::kUndefined:
    case Kind::kString:
    case Kind::kBytes:
    case Kind::kList:
    case Kind::kTuple:
    case Kind::kDict:
    case Kind::kDictView:
    case Kind::kRange:
    case Kind::kIterator:
    case Kind::kLoop:
      return true;
    default:
      return false;
  }
}

bool HasLength(const Value& value) { return IsIterable(value) && !value.Is(Kind::kIterator); }

Value LengthOf(Heap& heap, const Value& value) {
  switch (value.kind) {
    case Kind::kUndefined:
      return Value::Int(0);
    case Kind::kString:
      return Value::Int(value.string->chars);
    case Kind::kBytes:
      return Value::Int(value.string->bytes);
    case Kind::kList:
    case Kind::kTuple:
      return Value::Int(value.list->count);
    case Kind::kDict:
      return Value::Int(value.dict->count);
    case Kind::kDictView:
      return Value::Int(value.view->dict->count);
    case Kind::kRange:
      return Value::Int(value.range->count);
    case Kind::kLoop:
      return LoopLength(*value.loop);
    default:
      return Fail(heap, "object of type '{}' has no len()", TypeName(value));
  }
}

Value NextOf(Heap& heap, Iterator& iterator) {
  if (iterator.pull == nullptr) {
    if (iterator.next >= iterator.items->count) return Value();
    return iterator.items->items[iterator.next++];
  }
  const DepthGuard guard(heap);
  if (!guard.ok() || !heap.Step()) return Value();
  return iterator.pull(heap, iterator);
}

Value MakeIterator(Heap& heap, std::span<const Value> items, const char* type_name) {
  const List* list = MakeList(heap, items);
  if (list == nullptr) return Value();
  return Value::Of(heap.New(Iterator{list, 0, type_name, nullptr, nullptr}));
}

}  // namespace tutti::text::jinja
