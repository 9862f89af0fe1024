// String methods that make a new string.
#include <algorithm>
#include <array>

#include "tutti/text/jinja_arguments.h"
#include "tutti/text/jinja_format.h"
#include "tutti/text/jinja_interpreter.h"
#include "tutti/text/jinja_iterate.h"
#include "tutti/text/jinja_methods_string.h"
#include "tutti/text/jinja_operators.h"
#include "tutti/text/jinja_string.h"
#include "tutti/text/jinja_unicode.h"

namespace tutti::text::jinja {
namespace {

bool NoArguments(Interpreter& interpreter, std::string_view name, const Arguments& arguments) {
  return BindPositional(interpreter.heap(), name, arguments, 0, {});
}

template <Value (*kMap)(Heap&, const String&)>
Value MapMethod(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  if (!NoArguments(interpreter, "this method", arguments)) return Value();
  return kMap(interpreter.heap(), *self.string);
}

template <bool kLeft, bool kRight>
Value StripMethod(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  std::array<Value, 1> given;
  if (!BindPositional(interpreter.heap(), "strip", arguments, 0, given)) return Value();
  return Strip(interpreter.heap(), *self.string, given[0], kLeft, kRight);
}

Value ReplaceMethod(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  Heap& heap = interpreter.heap();
  std::array<Value, 3> given;
  if (!BindArguments(heap, "replace", arguments, {"old", "new", "count"}, 2, given)) {
    return Value();
  }
  const String* old = AsString(heap, given[0], "replace() argument 1");
  if (old == nullptr || AsString(heap, given[1], "replace() argument 2") == nullptr) {
    return Value();
  }
  int64_t count = -1;
  if (!AsIndex(heap, given[2], -1, count)) return Value();
  const Value with = self.string->safe ? Escape(heap, given[1]) : given[1];
  return with.nothing() ? Value() : Replace(heap, *self.string, *old, *with.string, count);
}

Value JoinMethod(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  Heap& heap = interpreter.heap();
  std::array<Value, 1> given;
  if (!BindPositional(heap, "join", arguments, 1, given)) return Value();
  if (!IsIterable(given[0])) return Fail(heap, "can only join an iterable");
  const List* items = ItemsOf(heap, given[0]);
  if (items == nullptr) return Value();
  std::vector<Value> texts(items->items, items->items + items->count);
  for (size_t i = 0; i < texts.size(); ++i) {
    if (self.string->safe) texts[i] = Escape(heap, texts[i]);
    if (texts[i].nothing()) return Value();
    if (!texts[i].Is(Kind::kString)) {
      return Fail(heap, "sequence item {}: expected str instance, {} found", i, TypeName(texts[i]));
    }
  }
  return JoinStrings(heap, *self.string, texts);
}

enum class Align { kLeft, kRight, kCenter };

Value Pad(Heap& heap, const String& string, int64_t width, const String& fill, Align align) {
  if (width <= string.chars) return Value::Of(&string);
  const uint64_t missing = static_cast<uint64_t>(width) - string.chars;
  uint64_t left = 0;
  if (align == Align::kRight) left = missing;
  // Python puts the odd one to the left where the width is odd too.
  if (align == Align::kCenter) left = missing / 2 + (missing & static_cast<uint64_t>(width) & 1);
  Builder out(heap);
  if (!out.AddRepeated(fill, left) || !out.Add(string) || !out.AddRepeated(fill, missing - left)) {
    return Value();
  }
  return out.Finish(string.safe);
}

template <Align kAlign>
Value PadMethod(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  Heap& heap = interpreter.heap();
  std::array<Value, 2> given;
  if (!BindPositional(heap, "this method", arguments, 1, given)) return Value();
  int64_t width = 0;
  if (!AsIndex(heap, given[0], 0, width)) return Value();
  String space;
  space.data = " ";
  space.bytes = space.chars = 1;
  const String* fill = &space;
  if (!given[1].nothing()) {
    fill = AsString(heap, given[1], "the fill character");
    if (fill == nullptr) return Value();
    if (fill->chars != 1) {
      return Fail(heap, "The fill character must be exactly one character long");
    }
  }
  return Pad(heap, *self.string, width, *fill, kAlign);
}

Value ZeroFill(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  Heap& heap = interpreter.heap();
  std::array<Value, 1> given;
  int64_t width = 0;
  if (!BindPositional(heap, "zfill", arguments, 1, given) || !AsIndex(heap, given[0], 0, width)) {
    return Value();
  }
  const String& string = *self.string;
  if (width <= string.chars) return self;
  const bool sign = string.bytes > 0 && (string.data[0] == '-' || string.data[0] == '+');
  String zero;
  zero.data = "0";
  zero.bytes = zero.chars = 1;
  Builder out(heap);
  if (!out.Add(string, 0, sign ? 1 : 0) ||
      !out.AddRepeated(zero, static_cast<uint64_t>(width) - string.chars) ||
      !out.Add(string, sign ? 1 : 0, string.bytes)) {
    return Value();
  }
  return out.Finish(string.safe);
}

Value ExpandTabs(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  Heap& heap = interpreter.heap();
  std::array<Value, 1> given;
  int64_t size = 8;
  if (!BindArguments(heap, "expandtabs", arguments, {"tabsize"}, 0, given) ||
      !AsIndex(heap, given[0], 8, size)) {
    return Value();
  }
  const String& string = *self.string;
  Builder out(heap);
  int64_t column = 0;
  for (uint32_t at = 0; at < string.bytes;) {
    const uint32_t begin = at;
    const char32_t c = DecodeChar(string.view(), at);
    if (c != '\t') {
      column = c == '\n' || c == '\r' ? 0 : column + 1;
      if (!out.Add(string, begin, at)) return Value();
    } else if (size > 0) {
      const int64_t spaces = size - column % size;
      column += spaces;
      if (!out.AddSpaces(static_cast<uint64_t>(spaces))) return Value();
    }
  }
  return out.Finish(string.safe);
}

Value Encode(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  Heap& heap = interpreter.heap();
  std::array<Value, 2> given;
  if (!BindArguments(heap, "encode", arguments, {"encoding", "errors"}, 0, given)) return Value();
  std::string name = "utf-8";
  if (!given[0].nothing()) {
    const String* encoding = AsString(heap, given[0], "the encoding");
    if (encoding == nullptr) return Value();
    name = std::string(encoding->view());
    std::transform(name.begin(), name.end(), name.begin(), [](char c) {
      return static_cast<char>(c == '_' ? '-' : ToLower(static_cast<unsigned char>(c)).chars[0]);
    });
  }
  if (name == "utf-8" || name == "utf8" || (name == "ascii" && self.string->ascii())) {
    return Value::Bytes(self.string);
  }
  return Fail(heap, "encode() knows UTF-8 only, not '{}'", name);
}

Value FormatMethod(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  return FormatBraces(interpreter, *self.string, arguments);
}

Value FormatMapMethod(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  std::array<Value, 1> given;
  if (!BindPositional(interpreter.heap(), "format_map", arguments, 1, given)) return Value();
  return FormatMap(interpreter, *self.string, given[0]);
}

constexpr NamedNative kTextMethods[] = {
    {"strip", StripMethod<true, true>},
    {"lstrip", StripMethod<true, false>},
    {"rstrip", StripMethod<false, true>},
    {"upper", MapMethod<Upper>},
    {"lower", MapMethod<Lower>},
    {"title", MapMethod<Title>},
    {"capitalize", MapMethod<Capitalize>},
    {"swapcase", MapMethod<Swapcase>},
    {"casefold", MapMethod<Casefold>},
    {"replace", ReplaceMethod},
    {"join", JoinMethod},
    {"center", PadMethod<Align::kCenter>},
    {"ljust", PadMethod<Align::kLeft>},
    {"rjust", PadMethod<Align::kRight>},
    {"zfill", ZeroFill},
    {"expandtabs", ExpandTabs},
    {"encode", Encode},
    {"format", FormatMethod},
    {"format_map", FormatMapMethod},
};

bool InSet(Heap& heap, const String& set, char32_t c) {
  heap.Step(set.chars / 8);
  for (uint32_t at = 0; at < set.bytes;) {
    if (DecodeChar(set.view(), at) == c) return true;
  }
  return false;
}

}  // namespace

Native FindStringMethod(std::string_view name) {
  for (const NamedNative& row : kTextMethods) {
    if (row.name == name) return row.native;
  }
  if (const Native native = FindSearchMethod(name)) return native;
  return FindPredicate(name);
}

Value Strip(Heap& heap, const String& string, const Value& chars, bool left, bool right) {
  const String* set = nullptr;
  if (!chars.nothing() && !chars.Is(Kind::kNone)) {
    set = AsString(heap, chars, "strip arg");
    if (set == nullptr) return Value();
  }
  const auto strips = [&](char32_t c) {
    return set == nullptr ? IsSpace(c) : InSet(heap, *set, c);
  };
  const std::string_view text = string.view();
  uint32_t begin = 0;
  uint32_t end = string.bytes;
  for (uint32_t ahead = begin; left && begin < end && strips(DecodeChar(text, ahead));) {
    begin = ahead;
  }
  for (uint32_t ahead = end; right && begin < end && strips(DecodeCharBefore(text, ahead));) {
    end = ahead;
  }
  if (!heap.Work(begin + (string.bytes - end))) return Value();
  return Slice(heap, string, begin, end);
}

Value Replace(Heap& heap, const String& string, const String& old, const String& with,
              int64_t count) {
  Builder out(heap);
  uint32_t begin = 0;
  count = std::max<int64_t>(count, -1);  // all negative numbers mean no limit
  if (old.bytes > 0) {
    while (count-- != 0) {
      const auto at = Find(heap, string.view(), old.view(), begin, string.bytes);
      if (!at) break;
      if (!out.Add(string, begin, *at) || !out.Add(with)) return Value();
      begin = *at + old.bytes;
    }
    if (begin == 0 && !heap.failed()) return Value::Of(&string);
    return out.Add(string, begin, string.bytes) ? out.Finish(string.safe) : Value();
  }
  // Before every character and at the end.
  for (; count != 0; --count) {
    const uint32_t from = begin;
    if (!out.Add(with)) return Value();
    if (begin >= string.bytes) return out.Finish(string.safe);
    DecodeChar(string.view(), begin);
    if (!out.Add(string, from, begin)) return Value();
  }
  return out.Add(string, begin, string.bytes) ? out.Finish(string.safe) : Value();
}

Value Center(Heap& heap, const String& string, int64_t width, const String& fill) {
  return Pad(heap, string, width, fill, Align::kCenter);
}

Value JoinStrings(Heap& heap, const String& separator, std::span<const Value> items) {
  Builder out(heap);
  for (size_t i = 0; i < items.size(); ++i) {
    if (i > 0 && !out.Add(separator)) return Value();
    if (!out.Add(*items[i].string)) return Value();
  }
  return out.Finish(separator.safe);
}

}  // namespace tutti::text::jinja
