#include "tutti/text/jinja_print.h"

#include "tutti/text/jinja_iterate.h"
#include "tutti/text/jinja_number.h"
#include "tutti/text/jinja_unicode.h"

namespace tutti::text::jinja {
namespace {

// \xe9, \u4e2d or \U0001f600
bool AddCodeEscape(Builder& out, char32_t c, bool origin) {
  const auto code = static_cast<uint32_t>(c);
  if (code < 0x100) return out.Add(fmt::format("\\x{:02x}", code), origin);
  if (code < 0x10000) return out.Add(fmt::format("\\u{:04x}", code), origin);
  return out.Add(fmt::format("\\U{:08x}", code), origin);
}

// A character inside a repr'd string with the given quote.
bool AppendReprChar(Builder& out, char32_t c, char quote, bool origin) {
  switch (c) {
    case '\n':
      return out.Add("\\n", origin);
    case '\r':
      return out.Add("\\r", origin);
    case '\t':
      return out.Add("\\t", origin);
    case '\\':
      return out.Add("\\\\", origin);
    default:
      break;
  }
  if (c == static_cast<unsigned char>(quote)) {
    const char escaped[] = {'\\', quote};
    return out.Add({escaped, 2}, origin);
  }
  if (IsPrintable(c)) return out.AddChar(c, origin);
  return AddCodeEscape(out, c, origin);
}

bool NeedsEscape(unsigned char c, char quote) {
  return c < 0x20 || c >= 0x7F || c == '\\' || c == static_cast<unsigned char>(quote);
}

bool AppendStringRepr(Builder& out, const String& string) {
  const std::string_view text = string.view();
  const char quote =
      text.find('\'') != std::string_view::npos && text.find('"') == std::string_view::npos ? '"'
                                                                                            : '\'';
  if (string.safe && !out.Add("Markup(", false)) return false;
  if (!out.Add({&quote, 1}, false)) return false;
  uint32_t plain = 0;  // start of the stretch that is copied as it is
  for (uint32_t offset = 0; offset < string.bytes;) {
    const uint32_t begin = offset;
    if (!NeedsEscape(static_cast<unsigned char>(string.data[offset]), quote)) {
      ++offset;
      continue;
    }
    const char32_t c = DecodeChar(text, offset);
    if (!out.Add(string, plain, begin)) return false;
    if (!AppendReprChar(out, c, quote, OriginAt(string, begin))) return false;
    plain = offset;
  }
  if (!out.Add(string, plain, string.bytes) || !out.Add({&quote, 1}, false)) return false;
  return !string.safe || out.Add(")", false);
}

bool AppendBytesRepr(Builder& out, const String& string) {
  const bool double_quote = string.view().find('\'') != std::string_view::npos &&
                            string.view().find('"') == std::string_view::npos;
  const char quote = double_quote ? '"' : '\'';
  if (!out.Add("b", false) || !out.Add({&quote, 1}, false)) return false;
  for (uint32_t i = 0; i < string.bytes; ++i) {
    const auto c = static_cast<unsigned char>(string.data[i]);
    const bool ok = c < 0x7F ? (c < 0x20 && c != '\n' && c != '\r' && c != '\t'
                                    ? out.Add(fmt::format("\\x{:02x}", c), false)
                                    : AppendReprChar(out, c, quote, false))
                             : out.Add(fmt::format("\\x{:02x}", c), false);
    if (!ok) return false;
  }
  return out.Add({&quote, 1}, false);
}

bool AppendItems(Builder& out, std::span<const Value> items, std::string_view open,
                 std::string_view close) {
  if (!out.Add(open, false)) return false;
  for (size_t i = 0; i < items.size(); ++i) {
    if (i > 0 && !out.Add(", ", false)) return false;
    if (!AppendRepr(out, items[i])) return false;
  }
  return out.Add(close, false);
}

bool AppendDict(Builder& out, const Dict& dict) {
  if (!out.Add("{", false)) return false;
  for (uint32_t i = 0; i < dict.count; ++i) {
    if (i > 0 && !out.Add(", ", false)) return false;
    if (!AppendRepr(out, dict.entries[i].key) || !out.Add(": ", false) ||
        !AppendRepr(out, dict.entries[i].value)) {
      return false;
    }
  }
  return out.Add("}", false);
}

bool AppendNumber(Builder& out, const Value& value) {
  switch (value.kind) {
    case Kind::kBool:
      return out.Add(value.boolean ? "True" : "False", false);
    case Kind::kFloat:
      return out.Add(FloatRepr(value.real), false);
    default:
      break;
  }
  const auto digits = IntDigits(out.heap(), value);
  return digits && out.Add(*digits, false);
}

bool AppendObject(Builder& out, const Value& value) {
  switch (value.kind) {
    case Kind::kDictView: {
      const List* items = ItemsOf(out.heap(), value);
      return items != nullptr && out.Add(TypeName(value), false) &&
             AppendItems(out, items->view(), "([", "])");
    }
    case Kind::kRange: {
      const Range& range = *value.range;
      const int64_t stop = range.stop;
      return out.Add(range.step == 1
                         ? fmt::format("range({}, {})", range.start, stop)
                         : fmt::format("range({}, {}, {})", range.start, stop, range.step),
                     false);
    }
    case Kind::kNamespace:
      return out.Add("<Namespace ", false) && AppendDict(out, *value.dict) && out.Add(">", false);
    case Kind::kFunction:
      return out.Add(fmt::format("<function {}>", value.function->name), false);
    default:
      return out.Add(fmt::format("<{}>", TypeName(value)), false);
  }
}

}  // namespace

bool AppendRepr(Builder& out, const Value& value) {
  const DepthGuard guard(out.heap());
  if (!guard.ok() || !out.heap().Step()) return false;
  switch (value.kind) {
    case Kind::kNothing:
      return false;
    case Kind::kUndefined:
      return out.Add("Undefined", false);
    case Kind::kNone:
      return out.Add("None", false);
    case Kind::kBool:
    case Kind::kInt:
    case Kind::kBigInt:
    case Kind::kFloat:
      return AppendNumber(out, value);
    case Kind::kString:
      return AppendStringRepr(out, *value.string);
    case Kind::kBytes:
      return AppendBytesRepr(out, *value.string);
    case Kind::kList:
      return AppendItems(out, value.list->view(), "[", "]");
    case Kind::kTuple:
      return AppendItems(out, value.list->view(), "(", value.list->count == 1 ? ",)" : ")");
    case Kind::kDict:
      return AppendDict(out, *value.dict);
    default:
      return AppendObject(out, value);
  }
}

bool AppendStr(Builder& out, const Value& value) {
  if (value.Is(Kind::kString)) return out.Add(*value.string);
  if (value.Is(Kind::kUndefined)) return !out.heap().failed();
  return AppendRepr(out, value);
}

Value ToStr(Heap& heap, const Value& value) {
  if (value.Is(Kind::kString) || value.nothing()) return value;
  Builder out(heap);
  return AppendStr(out, value) ? out.Finish() : Value();
}

Value PlainStr(Heap& heap, const Value& value) {
  if (!value.Is(Kind::kString) || !value.string->safe) return ToStr(heap, value);
  String plain = *value.string;
  plain.safe = false;
  return Value::Of(heap.New(plain));
}

Value ToRepr(Heap& heap, const Value& value) {
  Builder out(heap);
  return AppendRepr(out, value) ? out.Finish() : Value();
}

Value ToAscii(Heap& heap, const Value& value) {
  const Value repr = ToRepr(heap, value);
  if (repr.nothing() || repr.string->ascii()) return repr;
  const String& string = *repr.string;
  Builder out(heap);
  for (uint32_t at = 0; at < string.bytes;) {
    const uint32_t begin = at;
    const char32_t c = DecodeChar(string.view(), at);
    const bool ok =
        c < 0x80 ? out.Add(string, begin, at) : AddCodeEscape(out, c, OriginAt(string, begin));
    if (!ok) return Value();
  }
  return out.Finish();
}

std::string ShortRepr(Heap& heap, const Value& value) {
  // With a budget of its own: this is for messages, also after the main one is spent.
  TemplateBudget budget = heap.budget();
  budget.steps = 2000;
  budget.memory_bytes = 4000;
  Heap small(budget);
  Builder out(small);
  AppendRepr(out, value);
  std::string text(out.view().substr(0, 80));
  while (!text.empty() && !IsValidUtf8(text)) text.pop_back();
  return small.failed() || out.bytes() > text.size() ? text + "..." : text;
}

}  // namespace tutti::text::jinja
