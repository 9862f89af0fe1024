// object.name, object[key] and object[a:b:c]: what the sandbox lets a template reach.
#include <algorithm>
#include <array>
#include <limits>

#include "tutti/text/jinja_arguments.h"
#include "tutti/text/jinja_compare.h"
#include "tutti/text/jinja_globals.h"
#include "tutti/text/jinja_interpreter.h"
#include "tutti/text/jinja_iterate.h"
#include "tutti/text/jinja_methods.h"
#include "tutti/text/jinja_operators.h"

namespace tutti::text::jinja {
namespace {

// Names that exist on every Python object, or only on its functions; reaching for one is refused.
bool IsInternalName(const Value& object, std::string_view name) {
  static constexpr std::array<std::string_view, 36> kObject = {
      "__abs__",         "__add__",     "__bool__",    "__call__",         "__class__",
      "__contains__",    "__delattr__", "__delitem__", "__dir__",          "__doc__",
      "__eq__",          "__format__",  "__ge__",      "__getattribute__", "__getitem__",
      "__getstate__",    "__gt__",      "__hash__",    "__init__",         "__init_subclass__",
      "__iter__",        "__le__",      "__len__",     "__lt__",           "__mod__",
      "__module__",      "__mul__",     "__ne__",      "__new__",          "__reduce__",
      "__reduce_ex__",   "__repr__",    "__setattr__", "__sizeof__",       "__str__",
      "__subclasshook__"};
  static constexpr std::array<std::string_view, 11> kFunction = {
      "__annotations__", "__closure__",    "__code__", "__defaults__", "__dict__", "__func__",
      "__globals__",     "__kwdefaults__", "__name__", "__qualname__", "__self__"};
  if (std::binary_search(kObject.begin(), kObject.end(), name)) return true;
  return object.Is(Kind::kFunction) && std::binary_search(kFunction.begin(), kFunction.end(), name);
}

Value NumberAttribute(Heap& heap, const Value& number, std::string_view name, bool& found) {
  const bool is_float = number.Is(Kind::kFloat);
  found = true;
  if (name == "real") return number.Is(Kind::kBool) ? Value::Int(number.boolean) : number;
  if (name == "imag") return is_float ? Value::Float(0) : Value::Int(0);
  if (!is_float && name == "numerator") return number;
  if (!is_float && name == "denominator") return Value::Int(1);
  if (const Native native = FindNumberMethod(name, is_float)) {
    return MakeMethod(heap, name, native, number);
  }
  found = false;
  return Value();
}

Value MacroAttribute(Heap& heap, const Value& value, std::string_view name, bool& found) {
  const MacroDefinition& macro = *value.macro->definition;
  found = true;
  if (name == "name") return MakeString(heap, macro.name, true);
  if (name == "catch_kwargs") return Value::Bool(macro.uses_kwargs);
  if (name == "catch_varargs") return Value::Bool(macro.uses_varargs);
  if (name == "caller") return Value::Bool(macro.uses_caller);
  if (name == "arguments") {
    std::vector<Value> names;
    for (const std::string_view parameter : macro.parameter_names) {
      names.push_back(MakeString(heap, parameter, true));
      if (names.back().nothing()) return Value();
    }
    return MakeTuple(heap, names);
  }
  found = false;
  return Value();
}

Value CallSelfBlock(Interpreter& interpreter, const Value& self, const Arguments&) {
  return interpreter.CallBlock(static_cast<NameId>(self.integer));
}

Value SelfAttribute(Interpreter& interpreter, std::string_view name, bool& found) {
  for (const BlockStatement* block : interpreter.program().blocks) {
    if (interpreter.program().names[block->name] != name) continue;
    found = true;
    return MakeMethod(interpreter.heap(), name, CallSelfBlock, Value::Int(block->name));
  }
  found = false;
  return Value();
}

Value RangeAttribute(Heap& heap, const Value& value, std::string_view name, bool& found) {
  const Range& range = *value.range;
  found = true;
  if (name == "start") return Value::Int(range.start);
  if (name == "stop") return Value::Int(range.stop);
  if (name == "step") return Value::Int(range.step);
  const Native native = FindRangeMethod(name);
  found = native != nullptr;
  return found ? MakeMethod(heap, name, native, value) : Value();
}

// The index of an item; false where there is none. A wrong type is no error here either.
bool IndexItem(uint32_t count, const Value& key, uint32_t& index) {
  const auto position = SmallInt(key);
  if (!position) return false;
  const int64_t at = *position < 0 ? *position + count : *position;
  if (at < 0 || at >= count) return false;
  index = static_cast<uint32_t>(at);
  return true;
}

Value PlainItem(Heap& heap, const Value& object, const Value& key) {
  uint32_t index = 0;
  switch (object.kind) {
    case Kind::kList:
    case Kind::kTuple:
      if (!IndexItem(object.list->count, key, index)) return Value();
      return object.list->items[index];
    case Kind::kString: {
      if (!IndexItem(object.string->chars, key, index)) return Value();
      const uint32_t begin = OffsetOfChar(heap, *object.string, index);
      uint32_t end = begin;
      DecodeChar(object.string->view(), end);
      return Slice(heap, *object.string, begin, end);
    }
    case Kind::kBytes:
      if (!IndexItem(object.string->bytes, key, index)) return Value();
      return Value::Int(static_cast<unsigned char>(object.string->data[index]));
    case Kind::kRange:
      if (!IndexItem(object.range->count, key, index)) return Value();
      return Value::Int(RangeItem(*object.range, index));
    case Kind::kDict: {
      if (key.Is(Kind::kList) || key.Is(Kind::kDict)) return Value();  // unhashable: undefined
      const DictEntry* entry = DictFind(heap, *object.dict, key);
      return entry == nullptr ? Value() : entry->value;
    }
    default:
      return Value();
  }
}

// Start, step and count of a slice, as Python computes them.
struct SliceBounds {
  int64_t start = 0, stop = 0, step = 1, count = 0;
};

bool SlicePart(Heap& heap, const Value& value, int64_t fallback, int64_t& out) {
  if (value.Is(Kind::kNone)) {
    out = fallback;
    return true;
  }
  if (value.IsInteger()) return AsIndex(heap, value, fallback, out);
  Fail(heap, "slice indices must be integers or None or have an __index__ method");
  return false;
}

bool Bounds(Heap& heap, int64_t length, const Value& start, const Value& stop, const Value& step,
            SliceBounds& out) {
  constexpr int64_t kFar = std::numeric_limits<int64_t>::max() / 4;
  if (!SlicePart(heap, step, 1, out.step)) return false;
  if (out.step == 0) {
    Fail(heap, "slice step cannot be zero");
    return false;
  }
  out.step = std::clamp(out.step, -kFar, kFar);
  const bool back = out.step < 0;
  const int64_t low = back ? -1 : 0;
  const int64_t high = back ? length - 1 : length;
  const auto clamp = [&](int64_t at) {
    at = std::clamp(at, -kFar, kFar);
    return at < 0 ? std::max(at + length, low) : std::min(at, high);
  };
  int64_t end = 0;
  if (!SlicePart(heap, start, 0, out.start) || !SlicePart(heap, stop, 0, end)) return false;
  out.start = start.Is(Kind::kNone) ? (back ? high : low) : clamp(out.start);
  end = stop.Is(Kind::kNone) ? (back ? low : high) : clamp(end);
  out.stop = end;
  const int64_t distance = back ? out.start - end : end - out.start;
  const int64_t stride = back ? -out.step : out.step;
  out.count = distance <= 0 ? 0 : (distance - 1) / stride + 1;
  return true;
}

Value SliceList(Heap& heap, const Value& object, const SliceBounds& bounds) {
  const auto count = static_cast<uint32_t>(bounds.count);
  const Value* items = nullptr;
  if (bounds.step == 1) {
    items = object.list->items + (count > 0 ? bounds.start : 0);  // lists never change: share
  } else {
    Value* copy = heap.NewArray<Value>(count);
    if (copy == nullptr || !heap.Step(count)) return Value();
    for (uint32_t i = 0; i < count; ++i) {
      copy[i] = object.list->items[bounds.start + bounds.step * static_cast<int64_t>(i)];
    }
    items = copy;
  }
  const List* list = heap.New(List{items, count});
  return object.Is(Kind::kList) ? Value::Of(list) : Value::Tuple(list);
}

Value SliceString(Heap& heap, const String& string, const SliceBounds& bounds) {
  const auto count = static_cast<uint32_t>(bounds.count);
  if (bounds.step == 1 || count <= 1) {
    const auto start = static_cast<uint32_t>(count > 0 ? bounds.start : 0);
    const uint32_t begin = OffsetOfChar(heap, string, start);
    const uint32_t end = OffsetOfChar(heap, string, start + count);
    return heap.failed() ? Value() : Slice(heap, string, begin, end);
  }
  // Offsets of all characters once, then pick.
  if (!heap.Charge(string.chars * sizeof(uint32_t)) || !heap.Step(string.chars)) return Value();
  std::vector<uint32_t> offsets;
  offsets.reserve(string.chars + 1);
  for (uint32_t offset = 0; offset < string.bytes;) {
    offsets.push_back(offset);
    DecodeChar(string.view(), offset);
  }
  offsets.push_back(string.bytes);
  Builder out(heap);
  for (int64_t i = 0; i < bounds.count; ++i) {
    const auto at = static_cast<size_t>(bounds.start + bounds.step * i);
    if (!out.Add(string, offsets[at], offsets[at + 1])) return Value();
  }
  return out.Finish(string.safe);
}

}  // namespace

Value OwnAttribute(Interpreter& interpreter, const Value& object, std::string_view name,
                   bool& found) {
  Heap& heap = interpreter.heap();
  found = true;
  if (IsInternalName(object, name) || IsMutator(object, name))
    return MakeUnsafe(heap, object, name);
  Native native = nullptr;
  switch (object.kind) {
    case Kind::kString:
      native = FindStringMethod(name);
      break;
    case Kind::kDict:
      native = FindDictMethod(name);
      break;
    case Kind::kList:
      native = FindListMethod(name);
      break;
    case Kind::kTuple:
      native = FindRangeMethod(name);
      break;
    case Kind::kBool:
    case Kind::kInt:
    case Kind::kBigInt:
    case Kind::kFloat:
      return NumberAttribute(heap, object, name, found);
    case Kind::kNamespace: {
      const DictEntry* entry = DictFind(heap, *object.dict, name);
      found = entry != nullptr;
      return found ? entry->value : Value();
    }
    case Kind::kMacro:
      return MacroAttribute(heap, object, name, found);
    case Kind::kLoop:
      return LoopAttribute(heap, object, name, found);
    case Kind::kSelf:
      return SelfAttribute(interpreter, name, found);
    case Kind::kRange:
      return RangeAttribute(heap, object, name, found);
    case Kind::kCycler:
      return CyclerAttribute(heap, object, name, found);
    case Kind::kFunction:
      return FunctionAttribute(heap, object, name, found);
    default:
      break;
  }
  found = native != nullptr;
  return found ? MakeMethod(heap, name, native, object) : Value();
}

Value GetAttribute(Interpreter& interpreter, const Value& object, const Value& name) {
  Heap& heap = interpreter.heap();
  bool found = false;
  const Value own = OwnAttribute(interpreter, object, name.string->view(), found);
  if (found || heap.failed()) return own;
  if (object.Is(Kind::kUndefined)) return FailUndefined(heap, object);
  const Value item = PlainItem(heap, object, name);
  if (!item.nothing() || heap.failed()) return item;
  return MakeUndefinedAttribute(heap, object, name);
}

Value GetItem(Interpreter& interpreter, const Value& object, const Value& key) {
  Heap& heap = interpreter.heap();
  if (object.Is(Kind::kUndefined)) return FailUndefined(heap, object);
  const Value item = PlainItem(heap, object, key);
  if (!item.nothing() || heap.failed()) return item;
  if (key.Is(Kind::kString)) {
    bool found = false;
    const Value own = OwnAttribute(interpreter, object, key.string->view(), found);
    if (found || heap.failed()) return own;
  }
  return MakeUndefinedAttribute(heap, object, key);
}

Value GetSlice(Heap& heap, const Value& object, const Value& start, const Value& stop,
               const Value& step) {
  if (object.Is(Kind::kUndefined)) return FailUndefined(heap, object);
  SliceBounds bounds;
  switch (object.kind) {
    case Kind::kList:
    case Kind::kTuple:
      if (!Bounds(heap, object.list->count, start, stop, step, bounds)) return Value();
      return SliceList(heap, object, bounds);
    case Kind::kString:
      if (!Bounds(heap, object.string->chars, start, stop, step, bounds)) return Value();
      return SliceString(heap, *object.string, bounds);
    case Kind::kRange: {
      const Range& range = *object.range;
      if (!Bounds(heap, range.count, start, stop, step, bounds)) return Value();
      // Clamped: a step that leaves the range takes one item at most.
      const int64_t stride = std::clamp<int64_t>(bounds.step, -200000, 200000);
      const int64_t first = range.start + range.step * bounds.start;
      return Value::Of(heap.New(Range{first, range.start + range.step * bounds.stop,
                                      range.step * stride, static_cast<uint32_t>(bounds.count)}));
    }
    case Kind::kDict:
      return Fail(heap, "unhashable type: 'slice'");
    default:
      return Fail(heap, "'{}' object is not subscriptable", TypeName(object));
  }
}

}  // namespace tutti::text::jinja
