#include "tutti/text/jinja_html.h"

#include <array>

#include "tutti/text/jinja_arguments.h"
#include "tutti/text/jinja_compare.h"
#include "tutti/text/jinja_interpreter.h"
#include "tutti/text/jinja_iterate.h"
#include "tutti/text/jinja_methods.h"
#include "tutti/text/jinja_operators.h"
#include "tutti/text/jinja_print.h"
#include "tutti/text/jinja_unicode.h"

namespace tutti::text::jinja {
namespace {

// Drops everything from each `open` to the next `close`.
Value Drop(Heap& heap, const String& text, std::string_view open, std::string_view close) {
  Builder out(heap);
  uint32_t begin = 0;
  while (true) {
    const auto start = Find(heap, text.view(), open, begin, text.bytes);
    if (!start) break;
    const auto end = Find(heap, text.view(), close, *start, text.bytes);
    if (!end) break;
    if (!out.Add(text, begin, *start)) return Value();
    begin = *end + static_cast<uint32_t>(close.size());
  }
  return out.Add(text, begin, text.bytes) ? out.Finish() : Value();
}

// The character an entity body ("amp", "#39", "#x27") stands for; 0 if it is not known.
char32_t EntityChar(std::string_view body) {
  struct Named {
    std::string_view name;
    char32_t c;
  };
  static constexpr Named kNamed[] = {{"amp", '&'},  {"lt", '<'},    {"gt", '>'},
                                     {"quot", '"'}, {"apos", '\''}, {"nbsp", 0xA0}};
  for (const Named& named : kNamed) {
    if (named.name == body) return named.c;
  }
  if (!body.starts_with('#') || body.size() < 2 || body.size() > 8) return 0;
  body.remove_prefix(1);
  const bool hex = body[0] == 'x' || body[0] == 'X';
  if (hex) body.remove_prefix(1);
  char32_t c = 0;
  for (const char digit : body) {
    const int value = DigitValue(static_cast<unsigned char>(digit));
    if (value >= (hex ? 16 : 10)) return 0;
    c = c * (hex ? 16 : 10) + static_cast<char32_t>(value);
  }
  return c <= 0x10FFFF && !(c >= 0xD800 && c <= 0xDFFF) ? c : 0;
}

Value Unescape(Heap& heap, const String& text) {
  constexpr uint32_t kLongest = 10;
  Builder out(heap);
  uint32_t plain = 0;
  for (uint32_t at = 0; at < text.bytes; ++at) {
    if (text.data[at] != '&') continue;
    const std::string_view rest = text.view().substr(at + 1, kLongest);
    const size_t end = rest.find(';');
    const char32_t c = end == std::string_view::npos ? 0 : EntityChar(rest.substr(0, end));
    if (c == 0) continue;
    if (!out.Add(text, plain, at) || !out.AddChar(c, OriginAt(text, at))) return Value();
    at += static_cast<uint32_t>(end) + 1;
    plain = at + 1;
  }
  return out.Add(text, plain, text.bytes) ? out.Finish() : Value();
}

bool AddQuoted(Builder& out, const Value& value, bool query) {
  Value text = ToStr(out.heap(), value);
  if (text.nothing()) return false;
  const String& string = *text.string;
  for (uint32_t at = 0; at < string.bytes; ++at) {
    const auto c = static_cast<unsigned char>(string.data[at]);
    const bool origin = OriginAt(string, at);
    const bool keeps = c < 0x80 && (IsAlnum(c) || c == '_' || c == '.' || c == '-' || c == '~' ||
                                    (c == '/' && !query));
    const bool ok = keeps               ? out.Add(string, at, at + 1)
                    : c == ' ' && query ? out.Add("+", origin)
                                        : out.Add(fmt::format("%{:02X}", c), origin);
    if (!ok) return false;
  }
  return true;
}

// One line of text, wrapped: words are put on a line while they fit.
class Wrapper {
 public:
  Wrapper(Heap& heap, uint64_t width, bool break_long, bool hyphens, const String& newline)
      : out_(heap), width_(width), break_long_(break_long), hyphens_(hyphens), newline_(newline) {}

  bool Line(const String& line) {
    if (started_ && !out_.Add(newline_)) return false;
    started_ = true;
    text_ = &line;
    used_ = 0;
    space_begin_ = space_end_ = 0;
    first_ = true;
    for (uint32_t at = 0; at < line.bytes;) {
      const uint32_t begin = at;
      const bool space = IsBlank(line.data[at]);
      while (at < line.bytes && IsBlank(line.data[at]) == space) {
        ++at;
        if (!space && BreaksBehind(line.view(), begin, at)) break;
      }
      if (space) {
        space_begin_ = begin;
        space_end_ = at;
      } else if (!Word(begin, at)) {
        return false;
      }
    }
    return true;
  }
  Builder& out() { return out_; }

 private:
  static bool IsBlank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
  // Behind a hyphen that joins two words of at least two letters.
  bool BreaksBehind(std::string_view line, uint32_t begin, uint32_t at) const {
    const auto letter = [&](size_t i) {
      return i < line.size() && IsAlpha(static_cast<unsigned char>(line[i]) & 0x7Fu);
    };
    return hyphens_ && at >= begin + 3 && line[at - 1] == '-' && letter(at - 2) && letter(at - 3) &&
           letter(at) && letter(at + 1);
  }
  uint32_t Width(uint32_t begin, uint32_t end) const {
    return CountChars(text_->view().substr(begin, end - begin));
  }
  bool Word(uint32_t begin, uint32_t end) {
    uint64_t width = Width(begin, end);
    const uint64_t space = Width(space_begin_, space_end_);
    const bool keeps_space = !first_ || used_ == 0;
    if (used_ + space + width <= width_ && (used_ > 0 || keeps_space || space == 0)) {
      if (!out_.Add(*text_, space_begin_, space_end_) || !out_.Add(*text_, begin, end)) {
        return false;
      }
      used_ += space + width;
    } else {
      if (break_long_ && width > width_ && used_ + space < width_ && used_ > 0) {
        // A long word starts on this line.
        const uint32_t cut = Cut(begin, end, width_ - used_ - space);
        if (!out_.Add(*text_, space_begin_, space_end_) || !out_.Add(*text_, begin, cut)) {
          return false;
        }
        begin = cut;
        width = Width(begin, end);
        used_ = width_;
      }
      if (used_ > 0 && !NewLine()) return false;
      while (break_long_ && width > width_) {
        const uint32_t cut = Cut(begin, end, width_);
        if (!out_.Add(*text_, begin, cut) || !NewLine()) return false;
        begin = cut;
        width = Width(begin, end);
      }
      if (!out_.Add(*text_, begin, end)) return false;
      used_ = width;
    }
    space_begin_ = space_end_ = 0;
    first_ = false;
    return true;
  }
  uint32_t Cut(uint32_t begin, uint32_t end, uint64_t chars) const {
    for (; chars > 0 && begin < end; --chars) DecodeChar(text_->view(), begin);
    return begin;
  }
  bool NewLine() {
    used_ = 0;
    return out_.Add(newline_);
  }

  Builder out_;
  uint64_t width_;
  bool break_long_;
  bool hyphens_;
  const String& newline_;
  const String* text_ = nullptr;
  bool started_ = false;
  bool first_ = true;
  uint64_t used_ = 0;
  uint32_t space_begin_ = 0;
  uint32_t space_end_ = 0;
};

}  // namespace

Value StripTags(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  Heap& heap = interpreter.heap();
  if (!BindPositional(heap, "striptags", arguments, 0, {})) return Value();
  Value text = PlainStr(heap, self);
  if (!text.nothing()) text = Drop(heap, *text.string, "<!--", "-->");
  if (!text.nothing()) text = Drop(heap, *text.string, "<", ">");
  if (!text.nothing()) text = SplitWords(heap, *text.string, -1, false);
  if (text.nothing()) return Value();
  const Value space = MakeString(heap, " ", false);
  if (space.nothing()) return Value();
  text = JoinStrings(heap, *space.string, text.list->view());
  return text.nothing() ? Value() : Unescape(heap, *text.string);
}

Value UrlEncode(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  Heap& heap = interpreter.heap();
  if (!BindPositional(heap, "urlencode", arguments, 0, {})) return Value();
  Builder out(heap);
  if (self.Is(Kind::kString) || !IsIterable(self)) {
    return AddQuoted(out, self, false) ? out.Finish() : Value();
  }
  std::vector<Value> pairs;
  if (self.Is(Kind::kDict)) {
    for (const DictEntry& entry : self.dict->view()) pairs.push_back(PairOf(heap, entry));
  } else {
    const List* items = ItemsOf(heap, self);
    if (items == nullptr) return Value();
    pairs.assign(items->items, items->items + items->count);
  }
  for (size_t i = 0; i < pairs.size(); ++i) {
    const List* pair = ItemsOf(heap, pairs[i]);
    if (pair == nullptr) return Value();
    if (pair->count != 2) return Fail(heap, "urlencode() wants pairs of key and value");
    if ((i > 0 && !out.Add("&", false)) || !AddQuoted(out, pair->items[0], true) ||
        !out.Add("=", false) || !AddQuoted(out, pair->items[1], true)) {
      return Value();
    }
  }
  return out.Finish();
}

Value XmlAttributes(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  Heap& heap = interpreter.heap();
  std::array<Value, 1> given;
  if (!BindArguments(heap, "xmlattr", arguments, {"autospace"}, 0, given)) return Value();
  if (!self.Is(Kind::kDict)) return Fail(heap, "xmlattr() wants a dict, not {}", TypeName(self));
  const bool spaced = given[0].nothing() || Truth(given[0]);
  Builder out(heap);
  for (const DictEntry& entry : self.dict->view()) {
    if (entry.value.Is(Kind::kNone) || entry.value.Is(Kind::kUndefined)) continue;
    const Value key = Escape(heap, entry.key);
    const Value value = Escape(heap, entry.value);
    if (key.nothing() || value.nothing()) return Value();
    const Value plain = ToStr(heap, entry.key);
    if (plain.string->view().find_first_of(" \t\n\v\f\r/>=") != std::string_view::npos) {
      return Fail(heap, "Invalid character in attribute name: {}", ShortRepr(heap, entry.key));
    }
    if (((spaced || out.bytes() > 0) && !out.Add(" ", false)) || !out.Add(*key.string) ||
        !out.Add("=\"", false) || !out.Add(*value.string) || !out.Add("\"", false)) {
      return Value();
    }
  }
  return out.Finish(interpreter.autoescape());
}

Value WordWrap(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  Heap& heap = interpreter.heap();
  std::array<Value, 4> given;
  if (!BindArguments(heap, "wordwrap", arguments,
                     {"width", "break_long_words", "wrapstring", "break_on_hyphens"}, 0, given)) {
    return Value();
  }
  const String* text = AsString(heap, self, "wordwrap() input");
  int64_t width = 79;
  if (text == nullptr || !AsIndex(heap, given[0], 79, width)) return Value();
  if (width <= 0) return Fail(heap, "invalid width {} (must be > 0)", width);
  Value newline = given[2];
  if (newline.nothing() || newline.Is(Kind::kNone)) newline = MakeString(heap, "\n", false);
  if (newline.nothing() || AsString(heap, newline, "wrapstring") == nullptr) return Value();
  const Value lines = SplitLines(heap, *text, false);
  if (lines.nothing()) return Value();
  Wrapper wrapper(heap, static_cast<uint64_t>(width), given[1].nothing() || Truth(given[1]),
                  given[3].nothing() || Truth(given[3]), *newline.string);
  for (const Value& line : lines.list->view()) {
    if (!wrapper.Line(*line.string)) return Value();
  }
  return wrapper.out().Finish();
}

}  // namespace tutti::text::jinja
