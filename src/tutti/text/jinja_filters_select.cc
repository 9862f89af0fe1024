// map, select, reject, selectattr and rejectattr: filters that apply another filter or test.
#include <array>

#include "tutti/text/jinja_arguments.h"
#include "tutti/text/jinja_attribute_path.h"
#include "tutti/text/jinja_filters.h"
#include "tutti/text/jinja_interpreter.h"
#include "tutti/text/jinja_iterate.h"
#include "tutti/text/jinja_operators.h"
#include "tutti/text/jinja_string.h"
#include "tutti/text/jinja_unicode.h"

namespace tutti::text::jinja {
namespace {

// The filter or test of that name; nullptr and an error if there is none.
Native Named(Heap& heap, const Value& name, bool test) {
  const std::string_view what = test ? "test" : "filter";
  const String* text = AsString(heap, name, what);
  if (text == nullptr) return nullptr;
  const Native native = test ? FindTest(text->view()) : FindFilter(text->view());
  if (native == nullptr) Fail(heap, "No {} named '{}'.", what, text->view());
  return native;
}

Value MapAttribute(Interpreter& interpreter, const List& items, const Arguments& arguments) {
  Heap& heap = interpreter.heap();
  AttributePath path;
  for (const Keyword& keyword : arguments.named) {
    if (keyword.name == "attribute") {
      if (!path.Parse(heap, keyword.value)) return Value();
    } else if (keyword.name == "default") {
      if (!keyword.value.Is(Kind::kNone)) path.set_fallback(keyword.value);
    } else {
      return Fail(heap, "Unexpected keyword argument '{}'", keyword.name);
    }
  }
  std::vector<Value> out;
  for (const Value& item : items.view()) {
    out.push_back(path.Get(interpreter, item));
    if (out.back().nothing()) return Value();
  }
  return MakeIterator(heap, out);
}

Value Map(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  Heap& heap = interpreter.heap();
  if (!Truth(self)) return MakeIterator(heap, {});
  const List* items = ItemsOf(heap, self);
  if (items == nullptr) return Value();
  bool attribute = false;
  for (const Keyword& keyword : arguments.named) {
    attribute = attribute || keyword.name == "attribute";
  }
  if (arguments.positional.empty()) {
    if (attribute) return MapAttribute(interpreter, *items, arguments);
    return Fail(heap, "map requires a filter argument");
  }
  const Native native = Named(heap, arguments.positional[0], false);
  if (native == nullptr) return Value();
  const DepthGuard guard(heap);
  if (!guard.ok()) return Value();
  const Arguments rest{arguments.positional.subspan(1), arguments.named};
  std::vector<Value> out;
  for (const Value& item : items->view()) {
    if (!heap.Step()) return Value();
    out.push_back(native(interpreter, item, rest));
    if (out.back().nothing()) return Value();
  }
  return MakeIterator(heap, out);
}

template <bool kKeep, bool kAttribute>
Value Select(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  Heap& heap = interpreter.heap();
  if (!Truth(self)) return MakeIterator(heap, {});
  const List* items = ItemsOf(heap, self);
  if (items == nullptr) return Value();
  std::span<const Value> given = arguments.positional;
  AttributePath path;
  if (kAttribute) {
    if (given.empty()) return Fail(heap, "Missing parameter for attribute name");
    if (!path.Parse(heap, given[0])) return Value();
    given = given.subspan(1);
  }
  Native test = nullptr;
  if (!given.empty()) {
    test = Named(heap, given[0], true);
    if (test == nullptr) return Value();
    given = given.subspan(1);
  }
  std::vector<Value> out;
  for (const Value& item : items->view()) {
    if (!heap.Step()) return Value();
    Value result = path.Get(interpreter, item);
    if (!result.nothing() && test != nullptr) {
      result = test(interpreter, result, {given, arguments.named});
    }
    if (result.nothing()) return Value();
    if (Truth(result) == kKeep) out.push_back(item);
  }
  return MakeIterator(heap, out);
}

constexpr NamedNative kFilters[] = {
    {"map", Map},
    {"select", Select<true, false>},
    {"reject", Select<false, false>},
    {"selectattr", Select<true, true>},
    {"rejectattr", Select<false, true>},
};

}  // namespace

Native FindSelectFilter(std::string_view name) {
  for (const NamedNative& row : kFilters) {
    if (row.name == name) return row.native;
  }
  return nullptr;
}

bool AttributePath::ParseText(Heap& heap, const String& text, uint32_t begin, uint32_t end) {
  const std::string_view view = text.view();
  while (true) {
    const size_t dot = view.find('.', begin);
    const uint32_t stop = dot < end ? static_cast<uint32_t>(dot) : end;
    int64_t index = 0;
    bool digits = stop > begin && stop - begin < 18;
    for (uint32_t at = begin; at < stop; ++at) {
      const int digit = DigitValue(static_cast<unsigned char>(view[at]));
      digits = digits && digit < 10;
      index = digits ? index * 10 + digit : 0;
    }
    parts_.push_back(digits ? Value::Int(index) : Slice(heap, text, begin, stop));
    if (parts_.back().nothing() || !heap.Step()) return false;
    if (stop == end) return true;
    begin = stop + 1;
  }
}

bool AttributePath::Parse(Heap& heap, const Value& attribute) {
  if (attribute.nothing() || attribute.Is(Kind::kNone)) return true;
  if (attribute.Is(Kind::kString)) {
    return ParseText(heap, *attribute.string, 0, attribute.string->bytes);
  }
  parts_.push_back(attribute);
  return true;
}

bool AttributePath::ParseAll(Heap& heap, const Value& attribute, bool split,
                             std::vector<AttributePath>& out) {
  if (!split || !attribute.Is(Kind::kString)) {
    return out.emplace_back().Parse(heap, attribute);
  }
  const std::string_view text = attribute.string->view();
  for (uint32_t begin = 0;;) {
    const size_t comma = text.find(',', begin);
    const auto end = static_cast<uint32_t>(std::min(comma, text.size()));
    if (!out.emplace_back().ParseText(heap, *attribute.string, begin, end)) return false;
    if (comma == std::string_view::npos) return true;
    begin = end + 1;
  }
}

Value AttributePath::Get(Interpreter& interpreter, const Value& item) const {
  Value value = item;
  for (const Value& part : parts_) {
    value = GetItem(interpreter, value, part);
    if (value.Is(Kind::kUndefined) && !fallback_.nothing()) value = fallback_;
    if (value.nothing()) return value;
  }
  return value;
}

}  // namespace tutti::text::jinja
