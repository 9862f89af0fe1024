// JSON text -> values. Own code because numbers must come out as Python reads them: integers of any
// size, doubles correctly rounded.
#include "tutti/text/jinja_compare.h"
#include "tutti/text/jinja_json.h"
#include "tutti/text/jinja_number.h"
#include "tutti/text/jinja_unicode.h"

namespace tutti::text::jinja {
namespace {

class JsonParser {
 public:
  JsonParser(Heap& heap, std::string_view text, bool origin)
      : heap_(heap), text_(text), origin_(origin) {}

  Value Document() {
    const Value value = Parse();
    SkipSpace();
    if (!value.nothing() && at_ != text_.size()) return Bad("the end");
    return value;
  }

 private:
  Value Bad(std::string_view expected) {
    if (at_ >= text_.size()) return Fail(heap_, "JSON ends where {} is expected", expected);
    return Fail(heap_, "JSON has an unexpected character at byte {} where {} is expected", at_,
                expected);
  }
  char Peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  void SkipSpace() {
    while (Peek() == ' ' || Peek() == '\n' || Peek() == '\t' || Peek() == '\r') ++at_;
  }
  bool Skip(char c) {
    SkipSpace();
    const bool is = at_ < text_.size() && text_[at_] == c;
    at_ += is ? 1 : 0;
    return is;
  }
  Value Word(std::string_view word, Value value) {
    if (text_.substr(at_, word.size()) != word) return Bad("a value");
    at_ += word.size();
    return value;
  }

  Value Parse() {
    const DepthGuard guard(heap_);
    if (!guard.ok() || !heap_.Step()) return Value();
    SkipSpace();
    switch (Peek()) {
      case '{':
        return ParseDict();
      case '[':
        return ParseList();
      case '"':
        return ParseText();
      case 't':
        return Word("true", Value::Bool(true));
      case 'f':
        return Word("false", Value::Bool(false));
      case 'n':
        return Word("null", Value::None());
      default:
        return ParseNumber();
    }
  }

  Value ParseList() {
    ++at_;
    std::vector<Value> items;
    if (Skip(']')) return Value::Of(MakeList(heap_, items));
    do {
      items.push_back(Parse());
      if (items.back().nothing()) return Value();
    } while (Skip(','));
    return Skip(']') ? Value::Of(MakeList(heap_, items)) : Bad("',' or ']'");
  }

  Value ParseDict() {
    ++at_;
    Dict* dict = NewDict(heap_);
    if (dict == nullptr || Skip('}')) return Value::Of(dict);
    do {
      SkipSpace();
      if (Peek() != '"') return Bad("a key");
      const Value key = ParseText();
      if (key.nothing()) return Value();
      if (!Skip(':')) return Bad("':'");
      const Value value = Parse();
      if (value.nothing() || !DictSet(heap_, *dict, key, value)) return Value();
    } while (Skip(','));
    return Skip('}') ? Value::Of(dict) : Bad("',' or '}'");
  }

  Value ParseNumber() {
    const size_t begin = at_;
    if (Peek() == '-') ++at_;
    const size_t digits = at_;
    while (IsDecimalDigit()) ++at_;
    if (at_ == digits || (text_[digits] == '0' && at_ > digits + 1)) {
      at_ = begin;
      return Bad("a value");
    }
    const size_t whole = at_;
    if (Peek() == '.') {
      const size_t point = at_++;
      while (IsDecimalDigit()) ++at_;
      if (at_ == point + 1) return Bad("a digit");
    }
    if (Peek() == 'e' || Peek() == 'E') {
      ++at_;
      if (Peek() == '+' || Peek() == '-') ++at_;
      const size_t exponent = at_;
      while (IsDecimalDigit()) ++at_;
      if (at_ == exponent) return Bad("a digit");
    }
    if (at_ == whole) {
      const Value value = ParseInt(heap_, text_.substr(digits, whole - digits), 10);
      if (value.nothing()) return heap_.failed() ? value : Bad("a number");
      return digits > begin ? Negate(heap_, value) : value;
    }
    const auto value = ParseDouble(text_.substr(begin, at_ - begin));
    return value ? Value::Float(*value) : Bad("a number");
  }
  bool IsDecimalDigit() const { return Peek() >= '0' && Peek() <= '9'; }

  bool Hex4(char32_t& code) {
    code = 0;
    for (int i = 0; i < 4; ++i, ++at_) {
      const int digit = DigitValue(static_cast<unsigned char>(Peek()));
      if (digit >= 16) return false;
      code = code * 16 + static_cast<char32_t>(digit);
    }
    return true;
  }

  bool Unicode(std::string& out) {
    char32_t code = 0;
    if (!Hex4(code)) return false;
    if (code >= 0xD800 && code <= 0xDBFF && text_.substr(at_, 2) == "\\u") {
      at_ += 2;
      char32_t low = 0;
      if (!Hex4(low) || low < 0xDC00 || low > 0xDFFF) return false;
      code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    }
    if (code >= 0xD800 && code <= 0xDFFF) return false;
    EncodeChar(code, out);
    return true;
  }

  bool EscapeSequence(std::string& out) {
    const char c = Peek();
    ++at_;
    switch (c) {
      case '"':
      case '\\':
      case '/':
        out += c;
        return true;
      case 'b':
        out += '\b';
        return true;
      case 'f':
        out += '\f';
        return true;
      case 'n':
        out += '\n';
        return true;
      case 'r':
        out += '\r';
        return true;
      case 't':
        out += '\t';
        return true;
      case 'u':
        return Unicode(out);
      default:
        return false;
    }
  }

  Value ParseText() {
    const size_t begin = ++at_;
    size_t plain = begin;
    std::string text;
    while (true) {
      const size_t stop = text_.find_first_of("\"\\", plain);
      if (stop == std::string_view::npos) {
        at_ = text_.size();
        return Bad("the end of a string");
      }
      const std::string_view piece = text_.substr(plain, stop - plain);
      for (const char c : piece) {
        if (static_cast<unsigned char>(c) < 0x20) {
          return Fail(heap_, "JSON has a control character inside a string near byte {}", plain);
        }
      }
      at_ = stop + 1;
      if (text_[stop] == '"') {
        if (plain == begin) return MakeString(heap_, piece, origin_);
        text += piece;
        return MakeString(heap_, text, origin_);
      }
      text += piece;
      if (!EscapeSequence(text)) {
        return Fail(heap_, "JSON has a bad escape or half a surrogate pair at byte {}", stop);
      }
      plain = at_;
    }
  }

  Heap& heap_;
  std::string_view text_;
  bool origin_;
  size_t at_ = 0;
};

}  // namespace

Value ParseJson(Heap& heap, std::string_view text, bool from_template) {
  if (!IsValidUtf8(text)) return Fail(heap, "JSON is not valid UTF-8");
  return JsonParser(heap, text, from_template).Document();
}

}  // namespace tutti::text::jinja
