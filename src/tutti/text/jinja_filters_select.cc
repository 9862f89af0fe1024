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

}  // namespace

// A filter over the items of `source`, applied as they are asked for.
struct FilterStage {
  Interpreter* interpreter;
  Value source;
  Arguments arguments;          // of the filter call, kept in the heap
  const List* items = nullptr;  // of a source that is no iterator, from the first item on
  uint32_t next = 0;
  bool started = false;
  Native native = nullptr;  // the filter or test that is applied; nullptr: none
  Arguments rest;           // its arguments
  AttributePath path;       // what it is applied to
};

namespace {

// The next item of the source. `prepare` reads the arguments once there is a first one.
Value NextSource(Heap& heap, FilterStage& stage, bool (*prepare)(FilterStage& stage)) {
  if (!stage.started) {
    stage.started = true;
    if (!Truth(stage.source)) {
      stage.items = MakeList(heap, {});
    } else if (!prepare(stage)) {
      return Value();
    } else if (!stage.source.Is(Kind::kIterator)) {
      stage.items = ItemsOf(heap, stage.source);
    }
  }
  if (heap.failed()) return Value();
  if (stage.items == nullptr) return NextOf(heap, *stage.source.iterator);
  return stage.next < stage.items->count ? stage.items->items[stage.next++] : Value();
}

bool PrepareMap(FilterStage& stage) {
  Heap& heap = stage.interpreter->heap();
  const Arguments& arguments = stage.arguments;
  if (!arguments.positional.empty()) {
    stage.native = Named(heap, arguments.positional[0], false);
    stage.rest = {arguments.positional.subspan(1), arguments.named};
    return stage.native != nullptr;
  }
  bool attribute = false;
  for (const Keyword& keyword : arguments.named) {
    attribute = attribute || keyword.name == "attribute";
  }
  if (!attribute) return !Fail(heap, "map requires a filter argument").nothing();
  for (const Keyword& keyword : arguments.named) {
    if (keyword.name == "attribute") {
      if (!stage.path.Parse(heap, keyword.value)) return false;
    } else if (keyword.name == "default") {
      if (!keyword.value.Is(Kind::kNone)) stage.path.set_fallback(keyword.value);
    } else {
      return !Fail(heap, "Unexpected keyword argument '{}'", keyword.name).nothing();
    }
  }
  return true;
}

Value PullMap(Heap& heap, Iterator& iterator) {
  FilterStage& stage = *iterator.stage;
  const Value item = NextSource(heap, stage, PrepareMap);
  if (item.nothing()) return Value();
  if (stage.native != nullptr) return stage.native(*stage.interpreter, item, stage.rest);
  return stage.path.Get(*stage.interpreter, item);
}

template <bool kAttribute>
bool PrepareSelect(FilterStage& stage) {
  Heap& heap = stage.interpreter->heap();
  std::span<const Value> given = stage.arguments.positional;
  if (kAttribute) {
    if (given.empty()) return !Fail(heap, "Missing parameter for attribute name").nothing();
    if (!stage.path.Parse(heap, given[0])) return false;
    given = given.subspan(1);
  }
  if (given.empty()) return true;
  stage.native = Named(heap, given[0], true);
  stage.rest = {given.subspan(1), stage.arguments.named};
  return stage.native != nullptr;
}

template <bool kKeep, bool kAttribute>
Value PullSelect(Heap& heap, Iterator& iterator) {
  FilterStage& stage = *iterator.stage;
  while (heap.Step()) {
    const Value item = NextSource(heap, stage, PrepareSelect<kAttribute>);
    if (item.nothing()) return Value();
    Value result = stage.path.Get(*stage.interpreter, item);
    if (!result.nothing() && stage.native != nullptr) {
      result = stage.native(*stage.interpreter, result, stage.rest);
    }
    if (result.nothing()) return Value();
    if (Truth(result) == kKeep) return item;
  }
  return Value();
}

template <Value (*kPull)(Heap&, Iterator&)>
Value Lazily(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  Heap& heap = interpreter.heap();
  const List* positional = MakeList(heap, arguments.positional);
  Keyword* named = heap.NewArray<Keyword>(arguments.named.size());
  if (positional == nullptr || named == nullptr) return Value();
  std::copy(arguments.named.begin(), arguments.named.end(), named);
  FilterStage stage{};
  stage.interpreter = &interpreter;
  stage.source = self;
  stage.arguments = {positional->view(), {named, arguments.named.size()}};
  FilterStage* kept = heap.New(stage);
  if (kept == nullptr) return Value();
  return Value::Of(heap.New(Iterator{nullptr, 0, "generator", kPull, kept}));
}

constexpr NamedNative kFilters[] = {
    {"map", Lazily<PullMap>},
    {"select", Lazily<PullSelect<true, false>>},
    {"reject", Lazily<PullSelect<false, false>>},
    {"selectattr", Lazily<PullSelect<true, true>>},
    {"rejectattr", Lazily<PullSelect<false, true>>},
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
  std::vector<Value> parts;
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
    parts.push_back(digits ? Value::Int(index) : Slice(heap, text, begin, stop));
    if (parts.back().nothing() || !heap.Step()) return false;
    if (stop == end) break;
    begin = stop + 1;
  }
  return Keep(heap, parts);
}

bool AttributePath::Parse(Heap& heap, const Value& attribute) {
  if (attribute.nothing() || attribute.Is(Kind::kNone)) return true;
  if (attribute.Is(Kind::kString)) {
    return ParseText(heap, *attribute.string, 0, attribute.string->bytes);
  }
  return Keep(heap, {&attribute, 1});
}

bool AttributePath::Keep(Heap& heap, std::span<const Value> parts) {
  const List* list = MakeList(heap, parts);
  if (list != nullptr) parts_ = list->view();
  return list != nullptr;
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
