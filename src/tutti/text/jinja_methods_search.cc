// String methods that search, cut and test.
#include <algorithm>
#include <array>

#include "tutti/text/jinja_arguments.h"
#include "tutti/text/jinja_interpreter.h"
#include "tutti/text/jinja_iterate.h"
#include "tutti/text/jinja_methods_string.h"
#include "tutti/text/jinja_string.h"
#include "tutti/text/jinja_unicode.h"

namespace tutti::text::jinja {
namespace {

// The optional start and end of find, count, startswith as byte offsets. False where the start lies
// behind the string (nothing is found there) or after an error.
bool Window(Heap& heap, const String& string, const Value& start, const Value& end, uint32_t& from,
            uint32_t& to) {
  const auto bound = [&](const Value& value, int64_t fallback, int64_t& out) {
    if (value.nothing() || value.Is(Kind::kNone)) {
      out = fallback;
      return true;
    }
    if (!AsIndex(heap, value, fallback, out)) return false;
    if (out < 0) out = std::max<int64_t>(0, out + string.chars);
    return true;
  };
  int64_t first = 0;
  int64_t last = 0;
  if (!bound(start, 0, first) || !bound(end, string.chars, last)) return false;
  if (first > string.chars || first > last) return false;
  last = std::min<int64_t>(last, string.chars);
  from = OffsetOfChar(heap, string, static_cast<uint32_t>(first));
  to = OffsetOfChar(heap, string, static_cast<uint32_t>(last));
  return !heap.failed();
}

// find, rfind, index, rindex and count share their arguments.
enum class Search { kFind, kFindLast, kIndex, kIndexLast, kCount };

Value CountOf(Heap& heap, const String& string, const String& needle, uint32_t from, uint32_t to) {
  if (needle.bytes == 0) {
    return Value::Int(int64_t{CountChars(string.view().substr(from, to - from))} + 1);
  }
  int64_t count = 0;
  for (auto at = Find(heap, string.view(), needle.view(), from, to); at;
       at = Find(heap, string.view(), needle.view(), *at + needle.bytes, to)) {
    ++count;
  }
  return heap.failed() ? Value() : Value::Int(count);
}

template <Search kSearch>
Value SearchMethod(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  Heap& heap = interpreter.heap();
  std::array<Value, 3> given;
  if (!BindPositional(heap, "find", arguments, 1, given)) return Value();
  const String* needle = AsString(heap, given[0], "the text to find");
  if (needle == nullptr) return Value();
  const String& string = *self.string;
  uint32_t from = 0;
  uint32_t to = 0;
  const bool any = Window(heap, string, given[1], given[2], from, to);
  if (heap.failed()) return Value();
  if (kSearch == Search::kCount) {
    return any ? CountOf(heap, string, *needle, from, to) : Value::Int(0);
  }
  std::optional<uint32_t> found;
  if (any) {
    const bool last = kSearch == Search::kFindLast || kSearch == Search::kIndexLast;
    found = last ? FindLast(heap, string.view(), needle->view(), from, to)
                 : Find(heap, string.view(), needle->view(), from, to);
  }
  if (heap.failed()) return Value();
  if (found) return Value::Int(CountChars(string.view().substr(0, *found)));
  if (kSearch == Search::kIndex || kSearch == Search::kIndexLast) {
    return Fail(heap, "substring not found");
  }
  return Value::Int(-1);
}

bool HasAffix(std::string_view text, std::string_view affix, bool at_end) {
  return at_end ? text.ends_with(affix) : text.starts_with(affix);
}

template <bool kAtEnd>
Value AffixMethod(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  Heap& heap = interpreter.heap();
  constexpr std::string_view kName = kAtEnd ? "endswith" : "startswith";
  std::array<Value, 3> given;
  if (!BindPositional(heap, kName, arguments, 1, given)) return Value();
  const bool several = given[0].Is(Kind::kTuple);
  if (!several && !given[0].Is(Kind::kString)) {
    if (given[0].Is(Kind::kUndefined)) return FailUndefined(heap, given[0]);
    return Fail(heap, "{} first arg must be str or a tuple of str, not {}", kName,
                TypeName(given[0]));
  }
  uint32_t from = 0;
  uint32_t to = 0;
  const bool any = Window(heap, *self.string, given[1], given[2], from, to);
  if (heap.failed()) return Value();
  const std::string_view text = self.string->view().substr(from, to - from);
  const std::span<const Value> affixes =
      several ? given[0].list->view() : std::span<const Value>(given.data(), 1);
  for (const Value& affix : affixes) {
    if (!affix.Is(Kind::kString)) {
      return Fail(heap, "tuple for {} must only contain str, not {}", kName, TypeName(affix));
    }
    if (!heap.Work(affix.string->bytes)) return Value();
    if (any && HasAffix(text, affix.string->view(), kAtEnd)) return Value::Bool(true);
  }
  return Value::Bool(false);
}

template <bool kAtEnd>
Value RemoveAffix(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  Heap& heap = interpreter.heap();
  std::array<Value, 1> given;
  if (!BindPositional(heap, kAtEnd ? "removesuffix" : "removeprefix", arguments, 1, given)) {
    return Value();
  }
  const String* affix = AsString(heap, given[0], "the affix");
  if (affix == nullptr || !heap.Work(affix->bytes)) return Value();
  const String& string = *self.string;
  if (!HasAffix(string.view(), affix->view(), kAtEnd)) return self;
  return kAtEnd ? Slice(heap, string, 0, string.bytes - affix->bytes)
                : Slice(heap, string, affix->bytes, string.bytes);
}

template <bool kFromEnd>
Value Partition(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  Heap& heap = interpreter.heap();
  std::array<Value, 1> given;
  if (!BindPositional(heap, "partition", arguments, 1, given)) return Value();
  const String* separator = AsString(heap, given[0], "the separator");
  if (separator == nullptr) return Value();
  if (separator->bytes == 0) return Fail(heap, "empty separator");
  const String& string = *self.string;
  const auto at = kFromEnd ? FindLast(heap, string.view(), separator->view(), 0, string.bytes)
                           : Find(heap, string.view(), separator->view(), 0, string.bytes);
  if (heap.failed()) return Value();
  const Value empty = Slice(heap, string, 0, 0);
  std::array<Value, 3> parts = {self, empty, empty};
  if (kFromEnd) parts = {empty, empty, self};
  if (at) {
    // The separator as it stands in the string: its origin counts, not the argument's.
    const uint32_t end = *at + separator->bytes;
    parts = {Slice(heap, string, 0, *at), Slice(heap, string, *at, end),
             Slice(heap, string, end, string.bytes)};
  }
  for (const Value& part : parts) {
    if (part.nothing()) return Value();
  }
  return MakeTuple(heap, parts);
}

Value SplitAt(Heap& heap, const String& string, const String& separator, int64_t limit) {
  std::vector<Value> parts;
  uint32_t begin = 0;
  while (limit-- != 0) {
    const auto at = Find(heap, string.view(), separator.view(), begin, string.bytes);
    if (!at) break;
    parts.push_back(Slice(heap, string, begin, *at));
    if (parts.back().nothing()) return Value();
    begin = *at + separator.bytes;
  }
  parts.push_back(Slice(heap, string, begin, string.bytes));
  return heap.failed() ? Value() : Value::Of(MakeList(heap, parts));
}

// From the end: searched in the reversed bytes, which are made once.
Value SplitAtFromEnd(Heap& heap, const String& string, const String& separator, int64_t limit) {
  if (!heap.Work(string.bytes)) return Value();
  const std::string reversed(string.view().rbegin(), string.view().rend());
  const std::string needle(separator.view().rbegin(), separator.view().rend());
  std::vector<Value> parts;
  uint32_t begin = 0;  // in the reversed text
  while (limit-- != 0) {
    const auto at = Find(heap, reversed, needle, begin, string.bytes);
    if (!at) break;
    parts.push_back(Slice(heap, string, string.bytes - *at, string.bytes - begin));
    if (parts.back().nothing()) return Value();
    begin = *at + separator.bytes;
  }
  parts.push_back(Slice(heap, string, 0, string.bytes - begin));
  if (heap.failed()) return Value();
  std::reverse(parts.begin(), parts.end());
  return Value::Of(MakeList(heap, parts));
}

template <bool kFromEnd>
Value Split(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  Heap& heap = interpreter.heap();
  std::array<Value, 2> given;
  if (!BindArguments(heap, "split", arguments, {"sep", "maxsplit"}, 0, given)) return Value();
  int64_t limit = -1;
  if (!AsIndex(heap, given[1], -1, limit)) return Value();
  limit = std::max<int64_t>(limit, -1);  // all negative numbers mean no limit
  if (given[0].nothing() || given[0].Is(Kind::kNone)) {
    return SplitWords(heap, *self.string, limit, kFromEnd);
  }
  const String* separator = AsString(heap, given[0], "the separator");
  if (separator == nullptr) return Value();
  if (separator->bytes == 0) return Fail(heap, "empty separator");
  return kFromEnd ? SplitAtFromEnd(heap, *self.string, *separator, limit)
                  : SplitAt(heap, *self.string, *separator, limit);
}

Value SplitLinesMethod(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  std::array<Value, 1> given;
  if (!BindArguments(interpreter.heap(), "splitlines", arguments, {"keepends"}, 0, given)) {
    return Value();
  }
  return SplitLines(interpreter.heap(), *self.string, Truth(given[0]));
}

// --- tests of characters

bool IsDecimalChar(char32_t c) { return IsDecimal(c); }
bool IsAsciiChar(char32_t c) { return c < 0x80; }

template <bool (*kIs)(char32_t), bool kEmpty = false>
Value AllChars(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  Heap& heap = interpreter.heap();
  if (!BindPositional(heap, "is", arguments, 0, {}) || !heap.Step(self.string->chars)) {
    return Value();
  }
  const std::string_view text = self.string->view();
  for (uint32_t at = 0; at < text.size();) {
    if (!kIs(DecodeChar(text, at))) return Value::Bool(false);
  }
  return Value::Bool(kEmpty || !text.empty());
}

// isupper: cased letters are there and all of them are upper; islower alike.
template <bool (*kIs)(char32_t)>
Value AllCased(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  Heap& heap = interpreter.heap();
  if (!BindPositional(heap, "is", arguments, 0, {}) || !heap.Step(self.string->chars)) {
    return Value();
  }
  const std::string_view text = self.string->view();
  bool any = false;
  for (uint32_t at = 0; at < text.size();) {
    const char32_t c = DecodeChar(text, at);
    if (IsCased(c) && !kIs(c)) return Value::Bool(false);
    any = any || kIs(c);
  }
  return Value::Bool(any);
}

Value IsTitleText(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  Heap& heap = interpreter.heap();
  if (!BindPositional(heap, "istitle", arguments, 0, {}) || !heap.Step(self.string->chars)) {
    return Value();
  }
  const std::string_view text = self.string->view();
  bool any = false;
  bool inside = false;
  for (uint32_t at = 0; at < text.size();) {
    const char32_t c = DecodeChar(text, at);
    const bool starts = IsUpper(c) || IsTitle(c);
    if (starts ? inside : IsLower(c) && !inside) return Value::Bool(false);
    inside = IsCased(c);
    any = any || inside;
  }
  return Value::Bool(any);
}

Value IsIdentifier(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  Heap& heap = interpreter.heap();
  if (!BindPositional(heap, "isidentifier", arguments, 0, {}) || !heap.Step(self.string->chars)) {
    return Value();
  }
  const std::string_view text = self.string->view();
  for (uint32_t at = 0; at < text.size();) {
    const bool first = at == 0;
    const char32_t c = DecodeChar(text, at);
    if (c != '_' && !(first ? IsAlpha(c) : IsAlnum(c))) return Value::Bool(false);
  }
  return Value::Bool(!text.empty());
}

constexpr NamedNative kSearchMethods[] = {
    {"find", SearchMethod<Search::kFind>},
    {"rfind", SearchMethod<Search::kFindLast>},
    {"index", SearchMethod<Search::kIndex>},
    {"rindex", SearchMethod<Search::kIndexLast>},
    {"count", SearchMethod<Search::kCount>},
    {"startswith", AffixMethod<false>},
    {"endswith", AffixMethod<true>},
    {"removeprefix", RemoveAffix<false>},
    {"removesuffix", RemoveAffix<true>},
    {"partition", Partition<false>},
    {"rpartition", Partition<true>},
    {"split", Split<false>},
    {"rsplit", Split<true>},
    {"splitlines", SplitLinesMethod},
};

constexpr NamedNative kPredicates[] = {
    {"isalpha", AllChars<IsAlpha>},
    {"isalnum", AllChars<IsAlnum>},
    {"isdigit", AllChars<IsDigitChar>},
    {"isdecimal", AllChars<IsDecimalChar>},
    {"isnumeric", AllChars<IsNumeric>},
    {"isspace", AllChars<IsSpace>},
    {"isprintable", AllChars<IsPrintable, true>},
    {"isascii", AllChars<IsAsciiChar, true>},
    {"isupper", AllCased<IsUpper>},
    {"islower", AllCased<IsLower>},
    {"istitle", IsTitleText},
    {"isidentifier", IsIdentifier},
};

bool IsLineEnd(char32_t c) {
  return (c >= '\n' && c <= '\r') || (c >= 0x1C && c <= 0x1E) || c == 0x85 || c == 0x2028 ||
         c == 0x2029;
}

template <size_t kCount>
Native FindIn(const NamedNative (&rows)[kCount], std::string_view name) {
  for (const NamedNative& row : rows) {
    if (row.name == name) return row.native;
  }
  return nullptr;
}

}  // namespace

Native FindSearchMethod(std::string_view name) { return FindIn(kSearchMethods, name); }
Native FindPredicate(std::string_view name) { return FindIn(kPredicates, name); }

Value SplitLines(Heap& heap, const String& string, bool keep_ends) {
  if (!heap.Step(string.chars)) return Value();
  const std::string_view text = string.view();
  std::vector<Value> lines;
  uint32_t begin = 0;
  for (uint32_t at = 0; at < text.size();) {
    const uint32_t end = at;
    const char32_t c = DecodeChar(text, at);
    if (!IsLineEnd(c)) continue;
    if (c == '\r' && at < text.size() && text[at] == '\n') ++at;
    lines.push_back(Slice(heap, string, begin, keep_ends ? at : end));
    if (lines.back().nothing()) return Value();
    begin = at;
  }
  if (begin < text.size()) lines.push_back(Slice(heap, string, begin, string.bytes));
  return heap.failed() ? Value() : Value::Of(MakeList(heap, lines));
}

Value SplitWords(Heap& heap, const String& string, int64_t limit, bool from_end) {
  if (!heap.Step(string.chars)) return Value();
  const std::string_view text = string.view();
  const auto size = static_cast<uint32_t>(text.size());
  // One character forwards from `at` or, from the end, backwards.
  const auto next = [&](uint32_t& at) {
    return from_end ? DecodeCharBefore(text, at) : DecodeChar(text, at);
  };
  const auto done = [&](uint32_t at) { return from_end ? at == 0 : at >= size; };
  std::vector<Value> words;
  uint32_t at = from_end ? size : 0;
  while (true) {
    for (uint32_t ahead = at; !done(ahead) && IsSpace(next(ahead));) at = ahead;
    if (done(at)) break;
    const uint32_t start = at;
    if (limit-- == 0) {  // the rest, with the space at its far end
      words.push_back(from_end ? Slice(heap, string, 0, start) : Slice(heap, string, start, size));
      break;
    }
    for (uint32_t ahead = at; !done(ahead) && !IsSpace(next(ahead));) at = ahead;
    words.push_back(from_end ? Slice(heap, string, at, start) : Slice(heap, string, start, at));
    if (words.back().nothing()) return Value();
  }
  if (heap.failed()) return Value();
  if (from_end) std::reverse(words.begin(), words.end());
  return Value::Of(MakeList(heap, words));
}

}  // namespace tutti::text::jinja
