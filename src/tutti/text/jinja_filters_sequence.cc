// Filters that work on sequences as a whole.
#include <algorithm>
#include <array>
#include <limits>

#include "tutti/text/jinja_arguments.h"
#include "tutti/text/jinja_attribute_path.h"
#include "tutti/text/jinja_compare.h"
#include "tutti/text/jinja_filters.h"
#include "tutti/text/jinja_interpreter.h"
#include "tutti/text/jinja_iterate.h"
#include "tutti/text/jinja_methods.h"
#include "tutti/text/jinja_operators.h"
#include "tutti/text/jinja_print.h"
#include "tutti/text/jinja_sort.h"

namespace tutti::text::jinja {
namespace {

Value Length(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  if (!BindPositional(interpreter.heap(), "length", arguments, 0, {})) return Value();
  return LengthOf(interpreter.heap(), self);
}

Value ListFilter(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  Heap& heap = interpreter.heap();
  if (!BindPositional(heap, "list", arguments, 0, {})) return Value();
  const List* items = ItemsOf(heap, self);
  // A list of its own, also of a list: it must not be the same object.
  return items == nullptr ? Value() : Value::Of(heap.New(*items));
}

Value First(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  Heap& heap = interpreter.heap();
  if (!BindPositional(heap, "first", arguments, 0, {})) return Value();
  if (self.Is(Kind::kIterator)) {  // takes one item, leaves the rest
    const Value item = NextOf(heap, *self.iterator);
    if (!item.nothing() || heap.failed()) return item;
    return MakeUndefined(heap, "No first item, sequence was empty.");
  }
  const List* items = ItemsOf(heap, self);
  if (items == nullptr) return Value();
  if (items->count == 0) return MakeUndefined(heap, "No first item, sequence was empty.");
  return items->items[0];
}

Value Last(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  Heap& heap = interpreter.heap();
  if (!BindPositional(heap, "last", arguments, 0, {})) return Value();
  if (self.Is(Kind::kIterator)) {
    return Fail(heap, "'{}' object is not reversible", TypeName(self));
  }
  const List* items = ItemsOf(heap, self);
  if (items == nullptr) return Value();
  if (items->count == 0) return MakeUndefined(heap, "No last item, sequence was empty.");
  return items->items[items->count - 1];
}

// Jinja picks by chance; here the same input must give the same text, so it is the first item.
Value Random(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  Heap& heap = interpreter.heap();
  if (!BindPositional(heap, "random", arguments, 0, {})) return Value();
  const Value length = LengthOf(heap, self);
  if (length.nothing()) return Value();
  if (!Truth(length)) return MakeUndefined(heap, "No random item, sequence was empty.");
  return GetItem(interpreter, self, Value::Int(0));
}

Value Join(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  Heap& heap = interpreter.heap();
  std::array<Value, 2> given;
  if (!BindArguments(heap, "join", arguments, {"d", "attribute"}, 0, given)) return Value();
  const List* items = ItemsOf(heap, self);
  AttributePath path;
  if (items == nullptr || !path.Parse(heap, given[1])) return Value();
  const bool escapes = interpreter.autoescape();
  Value separator = given[0].nothing() ? MakeString(heap, "", true) : given[0];
  separator = escapes ? ToStr(heap, separator) : PlainStr(heap, separator);
  if (separator.nothing()) return Value();
  std::vector<Value> texts;
  bool any_safe = separator.string->safe;
  for (const Value& item : items->view()) {
    const Value value = path.Get(interpreter, item);
    texts.push_back(escapes ? ToStr(heap, value) : PlainStr(heap, value));
    if (texts.back().nothing()) return Value();
    any_safe = any_safe || texts.back().string->safe;
  }
  for (Value& text : texts) {
    if (any_safe) text = Escape(heap, text);
    if (text.nothing()) return Value();
  }
  if (any_safe) separator = Escape(heap, separator);
  return separator.nothing() ? Value() : JoinStrings(heap, *separator.string, texts);
}

// The items of a sequence and the keys they are compared by.
struct Keyed {
  std::vector<Value> items;
  std::vector<Value> keys;
};

// `several`: the attribute is a list of paths separated by commas, the key a list of their values.
bool KeysOf(Interpreter& interpreter, const Value& sequence, const Value& attribute,
            bool case_sensitive, bool several, const Value& fallback, Keyed& out) {
  Heap& heap = interpreter.heap();
  const List* items = ItemsOf(heap, sequence);
  if (items == nullptr) return false;
  std::vector<AttributePath> paths;
  if (!AttributePath::ParseAll(heap, attribute, several, paths)) return false;
  for (const Value& item : items->view()) {
    std::vector<Value> parts;
    for (AttributePath& path : paths) {
      path.set_fallback(fallback);
      Value value = path.Get(interpreter, item);
      if (!case_sensitive && value.Is(Kind::kString)) value = Lower(heap, *value.string);
      if (value.nothing()) return false;
      parts.push_back(value);
    }
    out.items.push_back(item);
    out.keys.push_back(several ? Value::Of(MakeList(heap, parts)) : parts[0]);
    if (out.keys.back().nothing()) return false;
  }
  return true;
}

bool Sorted(Heap& heap, Keyed& keyed, bool descending) {
  std::vector<uint32_t> order(keyed.items.size());
  for (uint32_t i = 0; i < order.size(); ++i) order[i] = i;
  if (!SortOrder(heap, keyed.keys, descending, order)) return false;
  Keyed sorted;
  for (const uint32_t i : order) {
    sorted.items.push_back(keyed.items[i]);
    sorted.keys.push_back(keyed.keys[i]);
  }
  keyed = std::move(sorted);
  return true;
}

Value Sort(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  Heap& heap = interpreter.heap();
  std::array<Value, 3> given;
  Keyed keyed;
  if (!BindArguments(heap, "sort", arguments, {"reverse", "case_sensitive", "attribute"}, 0,
                     given) ||
      !KeysOf(interpreter, self, given[2], Truth(given[1]), true, Value(), keyed) ||
      !Sorted(heap, keyed, Truth(given[0]))) {
    return Value();
  }
  return Value::Of(MakeList(heap, keyed.items));
}

Value DictSort(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  Heap& heap = interpreter.heap();
  std::array<Value, 3> given;
  if (!BindArguments(heap, "dictsort", arguments, {"case_sensitive", "by", "reverse"}, 0, given)) {
    return Value();
  }
  if (self.Is(Kind::kUndefined)) return FailUndefined(heap, self);
  if (!self.Is(Kind::kDict)) {
    return Fail(heap, "'{}' object has no attribute 'items'", TypeName(self));
  }
  const std::string_view by =
      given[1].Is(Kind::kString) ? given[1].string->view() : std::string_view("key");
  if (by != "key" && by != "value") {
    return Fail(heap, "You can only sort by either \"key\" or \"value\"");
  }
  Keyed keyed;
  for (const DictEntry& entry : self.dict->view()) {
    Value key = by == "key" ? entry.key : entry.value;
    if (!Truth(given[0]) && key.Is(Kind::kString)) key = Lower(heap, *key.string);
    keyed.keys.push_back(key);
    keyed.items.push_back(PairOf(heap, entry));
    if (key.nothing() || keyed.items.back().nothing()) return Value();
  }
  return Sorted(heap, keyed, Truth(given[2])) ? Value::Of(MakeList(heap, keyed.items)) : Value();
}

Value Unique(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  Heap& heap = interpreter.heap();
  std::array<Value, 2> given;
  Keyed keyed;
  if (!BindArguments(heap, "unique", arguments, {"case_sensitive", "attribute"}, 0, given) ||
      !KeysOf(interpreter, self, given[1], Truth(given[0]), false, Value(), keyed)) {
    return Value();
  }
  Dict* seen = NewDict(heap);
  if (seen == nullptr) return Value();
  std::vector<Value> unique;
  for (size_t i = 0; i < keyed.items.size(); ++i) {
    const DictEntry* before = DictFind(heap, *seen, keyed.keys[i]);
    if (heap.failed()) return Value();
    if (before != nullptr) continue;
    if (!DictSet(heap, *seen, keyed.keys[i], Value::None())) return Value();
    unique.push_back(keyed.items[i]);
  }
  return MakeIterator(heap, unique);
}

template <bool kMax>
Value MinMax(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  Heap& heap = interpreter.heap();
  std::array<Value, 2> given;
  Keyed keyed;
  if (!BindArguments(heap, "min", arguments, {"case_sensitive", "attribute"}, 0, given) ||
      !KeysOf(interpreter, self, given[1], Truth(given[0]), false, Value(), keyed)) {
    return Value();
  }
  if (keyed.items.empty()) {
    return MakeUndefined(heap, "No aggregated item, sequence was empty.");
  }
  size_t best = 0;
  for (size_t i = 1; i < keyed.items.size(); ++i) {
    const auto better =
        Compare(heap, kMax ? Order::kGreater : Order::kLess, keyed.keys[i], keyed.keys[best]);
    if (!better) return Value();
    if (*better) best = i;
  }
  return keyed.items[best];
}

Value Sum(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  Heap& heap = interpreter.heap();
  std::array<Value, 2> given;
  AttributePath path;
  if (!BindArguments(heap, "sum", arguments, {"attribute", "start"}, 0, given) ||
      !path.Parse(heap, given[0])) {
    return Value();
  }
  const List* items = ItemsOf(heap, self);
  if (items == nullptr) return Value();
  Value sum = given[1].nothing() ? Value::Int(0) : given[1];
  if (sum.Is(Kind::kString)) {
    return Fail(heap, "sum() can't sum strings [use ''.join(seq) instead]");
  }
  for (const Value& item : items->view()) {
    const Value value = path.Get(interpreter, item);
    if (value.nothing()) return Value();
    sum = Operate(interpreter, Operation::kAdd, sum, value);
    if (sum.nothing()) return Value();
  }
  return sum;
}

Value GroupBy(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  Heap& heap = interpreter.heap();
  std::array<Value, 3> given;
  if (!BindArguments(heap, "groupby", arguments, {"attribute", "default", "case_sensitive"}, 1,
                     given)) {
    return Value();
  }
  const Value fallback = given[1].Is(Kind::kNone) ? Value() : given[1];
  Keyed keyed;
  AttributePath path;
  if (!KeysOf(interpreter, self, given[0], Truth(given[2]), false, fallback, keyed) ||
      !Sorted(heap, keyed, false) || !path.Parse(heap, given[0])) {
    return Value();
  }
  path.set_fallback(fallback);
  std::vector<Value> groups;
  for (size_t begin = 0; begin < keyed.items.size();) {
    size_t end = begin + 1;
    for (; end < keyed.items.size(); ++end) {
      const auto equal = Equal(heap, keyed.keys[begin], keyed.keys[end]);
      if (!equal) return Value();
      if (!*equal) break;
    }
    const std::span<const Value> members(keyed.items.data() + begin, end - begin);
    const Value pair[] = {path.Get(interpreter, keyed.items[begin]),
                          Value::Of(MakeList(heap, members))};
    if (pair[0].nothing() || pair[1].nothing()) return Value();
    groups.push_back(MakeTuple(heap, pair));
    if (groups.back().nothing()) return Value();
    begin = end;
  }
  return Value::Of(MakeList(heap, groups));
}

Value Batch(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  Heap& heap = interpreter.heap();
  std::array<Value, 2> given;
  int64_t size = 0;
  if (!BindArguments(heap, "batch", arguments, {"linecount", "fill_with"}, 1, given) ||
      !AsIndex(heap, given[0], 0, size)) {
    return Value();
  }
  const List* items = ItemsOf(heap, self);
  if (items == nullptr) return Value();
  std::vector<Value> batches;
  std::vector<Value> batch;
  const auto flush = [&] {
    batches.push_back(Value::Of(MakeList(heap, batch)));
    batch.clear();
    return !batches.back().nothing();
  };
  for (const Value& item : items->view()) {
    if (static_cast<int64_t>(batch.size()) == size && !flush()) return Value();
    batch.push_back(item);
  }
  if (!batch.empty()) {
    const bool fills = !given[1].nothing() && !given[1].Is(Kind::kNone);
    if (fills && size > static_cast<int64_t>(batch.size())) {
      const auto missing = static_cast<uint64_t>(size) - batch.size();
      const bool fits = missing < heap.budget().memory_bytes / sizeof(Value);
      if (!heap.Charge(fits ? missing * sizeof(Value) : heap.budget().memory_bytes + 1) ||
          !heap.Step(missing / 4)) {
        return Value();
      }
      batch.resize(static_cast<size_t>(size), given[1]);
    }
    if (!flush()) return Value();
  }
  return MakeIterator(heap, batches);
}

Value SliceFilter(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  Heap& heap = interpreter.heap();
  std::array<Value, 2> given;
  int64_t slices = 0;
  if (!BindArguments(heap, "slice", arguments, {"slices", "fill_with"}, 1, given) ||
      !AsIndex(heap, given[0], 0, slices)) {
    return Value();
  }
  const List* items = ItemsOf(heap, self);
  if (items == nullptr) return Value();
  if (slices == 0) return Fail(heap, "integer division or modulo by zero");
  if (slices < 0) return MakeIterator(heap, {});
  const int64_t count = items->count;
  const int64_t size = count / slices;
  const int64_t extra = count % slices;
  const bool fills = !given[1].nothing() && !given[1].Is(Kind::kNone);
  std::vector<Value> out;
  int64_t begin = 0;
  for (int64_t i = 0; i < slices; ++i) {
    const int64_t end = begin + size + (i < extra ? 1 : 0);
    std::vector<Value> slice(items->items + begin, items->items + end);
    if (fills && i >= extra) slice.push_back(given[1]);
    begin = end;
    if (!heap.Step(4) || !heap.Charge(sizeof(Value))) return Value();
    out.push_back(Value::Of(MakeList(heap, slice)));
    if (out.back().nothing()) return Value();
  }
  return MakeIterator(heap, out);
}

Value Items(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  Heap& heap = interpreter.heap();
  if (!BindPositional(heap, "items", arguments, 0, {})) return Value();
  if (self.Is(Kind::kUndefined)) return MakeIterator(heap, {});
  if (!self.Is(Kind::kDict)) return Fail(heap, "Can only get item pairs from a mapping.");
  std::vector<Value> pairs;
  for (const DictEntry& entry : self.dict->view()) {
    pairs.push_back(PairOf(heap, entry));
    if (pairs.back().nothing()) return Value();
  }
  return MakeIterator(heap, pairs);
}

constexpr NamedNative kFilters[] = {
    {"length", Length},     {"count", Length},      {"list", ListFilter},   {"first", First},
    {"last", Last},         {"random", Random},     {"join", Join},         {"sort", Sort},
    {"unique", Unique},     {"min", MinMax<false>}, {"max", MinMax<true>},  {"sum", Sum},
    {"groupby", GroupBy},   {"batch", Batch},       {"slice", SliceFilter}, {"items", Items},
    {"dictsort", DictSort},
};

}  // namespace

Native FindSequenceFilter(std::string_view name) {
  for (const NamedNative& row : kFilters) {
    if (row.name == name) return row.native;
  }
  return nullptr;
}

}  // namespace tutti::text::jinja
