// Filters that work on text.
#include <algorithm>
#include <array>

#include "tutti/text/jinja_arguments.h"
#include "tutti/text/jinja_filters.h"
#include "tutti/text/jinja_format.h"
#include "tutti/text/jinja_html.h"
#include "tutti/text/jinja_interpreter.h"
#include "tutti/text/jinja_iterate.h"
#include "tutti/text/jinja_json.h"
#include "tutti/text/jinja_methods_string.h"
#include "tutti/text/jinja_operators.h"
#include "tutti/text/jinja_print.h"
#include "tutti/text/jinja_unicode.h"

namespace tutti::text::jinja {
namespace {

bool NoArguments(Interpreter& interpreter, std::string_view name, const Arguments& arguments) {
  return BindPositional(interpreter.heap(), name, arguments, 0, {});
}

template <Value (*kMap)(Heap&, const String&)>
Value MapText(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  if (!NoArguments(interpreter, "this filter", arguments)) return Value();
  const Value text = ToStr(interpreter.heap(), self);
  return text.nothing() ? Value() : kMap(interpreter.heap(), *text.string);
}

Value Trim(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  Heap& heap = interpreter.heap();
  std::array<Value, 1> given;
  if (!BindArguments(heap, "trim", arguments, {"chars"}, 0, given)) return Value();
  const Value text = ToStr(heap, self);
  return text.nothing() ? Value() : Strip(heap, *text.string, given[0], true, true);
}

Value StringFilter(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  if (!NoArguments(interpreter, "string", arguments)) return Value();
  return ToStr(interpreter.heap(), self);
}

Value ReplaceFilter(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  Heap& heap = interpreter.heap();
  std::array<Value, 3> given;
  if (!BindArguments(heap, "replace", arguments, {"old", "new", "count"}, 2, given)) {
    return Value();
  }
  int64_t count = -1;
  if (given[2].Is(Kind::kNone)) given[2] = Value();
  if (!AsIndex(heap, given[2], -1, count)) return Value();
  const auto safe = [](const Value& value) {
    return value.Is(Kind::kString) && value.string->safe;
  };
  const bool escapes = interpreter.autoescape();
  Value text = escapes ? ToStr(heap, self) : PlainStr(heap, self);
  if (escapes && (safe(given[0]) || (safe(given[1]) && !safe(self)))) text = Escape(heap, self);
  if (text.nothing()) return Value();
  const Value old = escapes ? ToStr(heap, given[0]) : PlainStr(heap, given[0]);
  Value with = escapes ? ToStr(heap, given[1]) : PlainStr(heap, given[1]);
  if (!with.nothing() && text.string->safe) with = Escape(heap, with);
  if (old.nothing() || with.nothing()) return Value();
  return Replace(heap, *text.string, *old.string, *with.string, count);
}

Value CenterFilter(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  Heap& heap = interpreter.heap();
  std::array<Value, 1> given;
  int64_t width = 80;
  if (!BindArguments(heap, "center", arguments, {"width"}, 0, given) ||
      !AsIndex(heap, given[0], 80, width)) {
    return Value();
  }
  const Value text = ToStr(heap, self);
  String space;
  space.data = " ";
  space.bytes = space.chars = 1;
  return text.nothing() ? Value() : Center(heap, *text.string, width, space);
}

Value FormatFilter(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  Heap& heap = interpreter.heap();
  if (!arguments.positional.empty() && !arguments.named.empty()) {
    return Fail(heap, "can't handle positional and keyword arguments at the same time");
  }
  const Value text = ToStr(heap, self);
  if (text.nothing()) return Value();
  if (arguments.named.empty()) {
    const Value tuple = MakeTuple(heap, arguments.positional);
    return tuple.nothing() ? Value() : FormatPercent(heap, *text.string, tuple);
  }
  Dict* dict = NewDict(heap);
  for (const Keyword& keyword : arguments.named) {
    const Value name = MakeString(heap, keyword.name, false);
    if (dict == nullptr || name.nothing() || !DictSet(heap, *dict, name, keyword.value)) {
      return Value();
    }
  }
  return FormatPercent(heap, *text.string, Value::Of(dict));
}

Value Indent(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  Heap& heap = interpreter.heap();
  std::array<Value, 3> given;
  if (!BindArguments(heap, "indent", arguments, {"width", "first", "blank"}, 0, given)) {
    return Value();
  }
  const String* text = AsString(heap, self, "indent() input");
  if (text == nullptr) return Value();
  Value indent = given[0];
  if (!indent.Is(Kind::kString)) {
    int64_t width = 0;
    if (!AsIndex(heap, indent, 4, width)) return Value();
    Builder spaces(heap);
    if (!spaces.AddSpaces(static_cast<uint64_t>(std::max<int64_t>(0, width)))) return Value();
    indent = spaces.Finish();
  } else if (text->safe) {
    indent = Escape(heap, indent);
  }
  const Value split = SplitLines(heap, *text, false);
  if (indent.nothing() || split.nothing()) return Value();
  std::vector<Value> lines(split.list->items, split.list->items + split.list->count);
  // As if a line break were added at the end before splitting.
  if (lines.empty() || text->view().ends_with('\n')) lines.push_back(Slice(heap, *text, 0, 0));
  Builder out(heap);
  for (size_t i = 0; i < lines.size(); ++i) {
    if (lines[i].nothing() || (i > 0 && !out.Add("\n", false))) return Value();
    const bool indents = i == 0 ? Truth(given[1]) : lines[i].string->bytes > 0 || Truth(given[2]);
    if (indents && !out.Add(*indent.string)) return Value();
    if (!out.Add(*lines[i].string)) return Value();
  }
  return out.Finish(text->safe);
}

Value Truncate(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  Heap& heap = interpreter.heap();
  std::array<Value, 4> given;
  if (!BindArguments(heap, "truncate", arguments, {"length", "killwords", "end", "leeway"}, 0,
                     given)) {
    return Value();
  }
  int64_t length = 255;
  int64_t leeway = 5;
  if (given[3].Is(Kind::kNone)) given[3] = Value();
  if (!AsIndex(heap, given[0], 255, length) || !AsIndex(heap, given[3], 5, leeway)) {
    return Value();
  }
  const Value end = given[2].nothing() ? MakeString(heap, "...", true) : given[2];
  if (end.nothing() || AsString(heap, end, "truncate() end") == nullptr) return Value();
  if (length < end.string->chars) {
    return Fail(heap, "expected length >= {}, got {}", end.string->chars, length);
  }
  if (leeway < 0) return Fail(heap, "expected leeway >= 0, got {}", leeway);
  const Value size = LengthOf(heap, self);
  if (size.nothing() || size.integer - length <= leeway) return size.nothing() ? size : self;
  const String* text = AsString(heap, self, "truncate() input");
  if (text == nullptr) return Value();
  uint32_t cut = OffsetOfChar(heap, *text, static_cast<uint32_t>(length - end.string->chars));
  if (!Truth(given[1])) {
    const auto space = FindLast(heap, text->view(), " ", 0, cut);
    if (space) cut = *space;
  }
  const Value head = Slice(heap, *text, 0, cut);
  return head.nothing() ? Value() : Concatenate(heap, head, end);
}

Value Reverse(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  Heap& heap = interpreter.heap();
  if (!NoArguments(interpreter, "reverse", arguments)) return Value();
  if (self.Is(Kind::kString)) {
    return GetSlice(heap, self, Value::None(), Value::None(), Value::Int(-1));
  }
  if (!IsIterable(self)) {
    return Fail(heap, "argument must be iterable");
  }
  const List* list = ItemsOf(heap, self);
  if (list == nullptr) return Value();
  std::vector<Value> items(list->items, list->items + list->count);
  std::reverse(items.begin(), items.end());
  // What has no order to reverse becomes a list.
  if (self.Is(Kind::kIterator)) return Value::Of(MakeList(heap, items));
  return MakeIterator(heap, items, self.Is(Kind::kList) ? "list_reverseiterator" : "reversed");
}

Value WordCount(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  Heap& heap = interpreter.heap();
  if (!NoArguments(interpreter, "wordcount", arguments)) return Value();
  const Value text = ToStr(heap, self);
  if (text.nothing() || !heap.Step(text.string->chars)) return Value();
  int64_t words = 0;
  bool inside = false;
  for (uint32_t at = 0; at < text.string->bytes;) {
    const char32_t c = DecodeChar(text.string->view(), at);
    const bool word = c == '_' || IsAlnum(c);
    words += word && !inside ? 1 : 0;
    inside = word;
  }
  return Value::Int(words);
}

Value ToJson(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  Heap& heap = interpreter.heap();
  std::array<Value, 4> given;
  if (!BindArguments(heap, "tojson", arguments,
                     {"ensure_ascii", "indent", "separators", "sort_keys"}, 0, given)) {
    return Value();
  }
  JsonStyle style;
  style.ensure_ascii = Truth(given[0]);
  style.sort_keys = Truth(given[3]);
  style.indented = !given[1].nothing() && !given[1].Is(Kind::kNone);
  if (style.indented) {
    Value indent = given[1];
    if (!indent.Is(Kind::kString)) {
      int64_t width = 0;
      if (!AsIndex(heap, indent, 0, width)) return Value();
      Builder spaces(heap);
      if (!spaces.AddSpaces(static_cast<uint64_t>(std::max<int64_t>(0, width)))) return Value();
      indent = spaces.Finish();
      if (indent.nothing()) return Value();
    }
    style.indent = *indent.string;
  }
  Value item = MakeString(heap, style.indented ? "," : ", ", false);
  Value key = MakeString(heap, ": ", false);
  if (!given[2].nothing() && !given[2].Is(Kind::kNone)) {
    const List* pair = ItemsOf(heap, given[2]);
    if (pair == nullptr) return Value();
    if (pair->count != 2 || !pair->items[0].Is(Kind::kString) ||
        !pair->items[1].Is(Kind::kString)) {
      return Fail(heap, "tojson(): separators must be two strings");
    }
    item = pair->items[0];
    key = pair->items[1];
  }
  if (item.nothing() || key.nothing()) return Value();
  style.item_separator = *item.string;
  style.key_separator = *key.string;
  Builder out(heap);
  return AppendJson(out, self, style) ? out.Finish() : Value();
}

Value EscapeFilter(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  if (!NoArguments(interpreter, "escape", arguments)) return Value();
  return Escape(interpreter.heap(), self);
}

Value ForceEscape(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  if (!NoArguments(interpreter, "forceescape", arguments)) return Value();
  const Value plain = PlainStr(interpreter.heap(), self);
  return plain.nothing() ? Value() : Escape(interpreter.heap(), plain);
}

Value Safe(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  Heap& heap = interpreter.heap();
  if (!NoArguments(interpreter, "safe", arguments)) return Value();
  const Value text = ToStr(heap, self);
  if (text.nothing()) return Value();
  String marked = *text.string;
  marked.safe = true;
  return Value::Of(heap.New(marked));
}

constexpr NamedNative kFilters[] = {
    {"upper", MapText<Upper>},
    {"lower", MapText<Lower>},
    {"title", MapText<TitleWords>},
    {"capitalize", MapText<Capitalize>},
    {"trim", Trim},
    {"string", StringFilter},
    {"replace", ReplaceFilter},
    {"center", CenterFilter},
    {"format", FormatFilter},
    {"indent", Indent},
    {"truncate", Truncate},
    {"reverse", Reverse},
    {"wordcount", WordCount},
    {"tojson", ToJson},
    {"escape", EscapeFilter},
    {"e", EscapeFilter},
    {"forceescape", ForceEscape},
    {"safe", Safe},
    {"striptags", StripTags},
    {"urlencode", UrlEncode},
    {"wordwrap", WordWrap},
    {"xmlattr", XmlAttributes},
};

}  // namespace

Native FindTextFilter(std::string_view name) {
  for (const NamedNative& row : kFilters) {
    if (row.name == name) return row.native;
  }
  return nullptr;
}

}  // namespace tutti::text::jinja
