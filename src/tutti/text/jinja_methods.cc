// Methods of dictionaries, lists, tuples and numbers.
#include "tutti/text/jinja_methods.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "tutti/text/jinja_arguments.h"
#include "tutti/text/jinja_compare.h"
#include "tutti/text/jinja_interpreter.h"
#include "tutti/text/jinja_iterate.h"
#include "tutti/text/jinja_number.h"
#include "tutti/text/jinja_print.h"

namespace tutti::text::jinja {
namespace {

template <DictPart kPart>
Value View(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  Heap& heap = interpreter.heap();
  if (!BindPositional(heap, "this method", arguments, 0, {})) return Value();
  return Value::Of(heap.New(DictView{self.dict, kPart}));
}

Value DictGet(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  Heap& heap = interpreter.heap();
  std::array<Value, 2> given;
  if (!BindPositional(heap, "get", arguments, 1, given)) return Value();
  const DictEntry* entry = DictFind(heap, *self.dict, given[0]);
  if (heap.failed()) return Value();
  if (entry != nullptr) return entry->value;
  return given[1].nothing() ? Value::None() : given[1];
}

Value DictCopy(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  Heap& heap = interpreter.heap();
  if (!BindPositional(heap, "copy", arguments, 0, {})) return Value();
  Dict* copy = NewDict(heap, self.dict->count);
  if (copy == nullptr) return Value();
  for (const DictEntry& entry : self.dict->view()) {
    if (!DictSet(heap, *copy, entry.key, entry.value)) return Value();
  }
  return Value::Of(copy);
}

Value ListIndex(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  Heap& heap = interpreter.heap();
  std::array<Value, 3> given;
  if (!BindPositional(heap, "index", arguments, 1, given)) return Value();
  const List* items = ItemsOf(heap, self);  // of a list, tuple or range
  if (items == nullptr) return Value();
  const int64_t count = items->count;
  int64_t start = 0;
  int64_t stop = count;
  if (!AsIndex(heap, given[1], 0, start) || !AsIndex(heap, given[2], count, stop)) return Value();
  if (start < 0) start = std::max<int64_t>(0, start + count);
  if (stop < 0) stop = std::max<int64_t>(0, stop + count);
  for (int64_t i = start; i < std::min(stop, count); ++i) {
    const auto equal = Equal(heap, items->items[i], given[0]);
    if (!equal) return Value();
    if (*equal) return Value::Int(i);
  }
  if (!self.Is(Kind::kList)) return Fail(heap, "tuple.index(x): x not in tuple");
  return Fail(heap, "{} is not in list", ShortRepr(heap, given[0]));
}

Value ListCount(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  Heap& heap = interpreter.heap();
  std::array<Value, 1> given;
  if (!BindPositional(heap, "count", arguments, 1, given)) return Value();
  const List* items = ItemsOf(heap, self);
  if (items == nullptr) return Value();
  int64_t count = 0;
  for (const Value& item : items->view()) {
    const auto equal = Equal(heap, item, given[0]);
    if (!equal) return Value();
    count += *equal ? 1 : 0;
  }
  return Value::Int(count);
}

Value ListCopy(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  Heap& heap = interpreter.heap();
  if (!BindPositional(heap, "copy", arguments, 0, {})) return Value();
  return Value::Of(MakeList(heap, self.list->view()));
}

Value BitLength(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  Heap& heap = interpreter.heap();
  if (!BindPositional(heap, "bit_length", arguments, 0, {})) return Value();
  const auto bits = [](uint64_t word) { return word == 0 ? 0 : 64 - __builtin_clzll(word); };
  if (const auto small = SmallInt(self)) {
    const auto magnitude = static_cast<uint64_t>(*small);
    return Value::Int(bits(*small < 0 ? 0 - magnitude : magnitude));
  }
  const BigInt& big = *self.big;
  return Value::Int(int64_t{big.count - 1} * 64 + bits(big.words[big.count - 1]));
}

Value Conjugate(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  if (!BindPositional(interpreter.heap(), "conjugate", arguments, 0, {})) return Value();
  return self.Is(Kind::kBool) ? Value::Int(self.boolean ? 1 : 0) : self;
}

Value IsIntegerFloat(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  if (!BindPositional(interpreter.heap(), "is_integer", arguments, 0, {})) return Value();
  return Value::Bool(self.IsInteger() ||
                     (std::isfinite(self.real) && self.real == std::floor(self.real)));
}

constexpr NamedNative kDictMethods[] = {
    {"get", DictGet},
    {"items", View<DictPart::kItems>},
    {"keys", View<DictPart::kKeys>},
    {"values", View<DictPart::kValues>},
    {"copy", DictCopy},
};

constexpr NamedNative kListMethods[] = {
    {"index", ListIndex},
    {"count", ListCount},
    {"copy", ListCopy},
};

}  // namespace

Native FindDictMethod(std::string_view name) {
  for (const NamedNative& row : kDictMethods) {
    if (row.name == name) return row.native;
  }
  return nullptr;
}

Native FindListMethod(std::string_view name) {
  for (const NamedNative& row : kListMethods) {
    if (row.name == name) return row.native;
  }
  return nullptr;
}

Native FindRangeMethod(std::string_view name) {
  return name == "copy" ? nullptr : FindListMethod(name);
}

Native FindNumberMethod(std::string_view name, bool is_float) {
  if (name == "conjugate") return Conjugate;
  if (name == "is_integer") return IsIntegerFloat;
  return name == "bit_length" && !is_float ? BitLength : nullptr;
}

bool IsMutator(const Value& object, std::string_view name) {
  static constexpr std::array<std::string_view, 8> kList = {"append", "clear",  "extend",  "insert",
                                                            "pop",    "remove", "reverse", "sort"};
  static constexpr std::array<std::string_view, 5> kDict = {"clear", "pop", "popitem", "setdefault",
                                                            "update"};
  if (object.Is(Kind::kList)) return std::binary_search(kList.begin(), kList.end(), name);
  if (object.Is(Kind::kDict)) return std::binary_search(kDict.begin(), kDict.end(), name);
  return false;
}

}  // namespace tutti::text::jinja
