#include "tutti/text/jinja_lexer.h"

#include <array>
#include <charconv>

#include "tutti/text/jinja_number.h"
#include "tutti/text/jinja_string.h"
#include "tutti/text/jinja_unicode.h"

namespace tutti::text::jinja {
namespace {

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

class Lexer {
 public:
  Lexer(Heap& heap, std::string_view source) : heap_(heap), source_(source) {}

  std::vector<Token> Run() {
    while (position_ < source_.size() && !heap_.failed()) Root();
    if (heap_.failed()) return {};
    Push(TokenType::kEnd, position_, {});
    return std::move(tokens_);
  }

 private:
  char At(size_t offset) const { return offset < source_.size() ? source_[offset] : '\0'; }
  bool StartsWith(size_t offset, std::string_view what) const {
    return source_.substr(std::min(offset, source_.size())).starts_with(what);
  }
  void Push(TokenType type, size_t position, std::string_view text, Value value = {}) {
    if (!heap_.Step()) return;
    tokens_.push_back({type, static_cast<uint32_t>(position), text, value});
  }
  void Fail(size_t position, std::string message) {
    heap_.set_position(static_cast<uint32_t>(position));
    heap_.Fail(StatusCode::kData, std::move(message));
  }

  size_t SkipSpace(size_t offset) const {
    while (offset < source_.size()) {
      auto next = static_cast<uint32_t>(offset);
      if (!IsSpace(DecodeChar(source_, next))) break;
      offset = next;
    }
    return offset;
  }

  void Root();
  void Text(size_t begin, size_t end, char sign, bool may_lstrip);
  size_t RawBegin(size_t offset) const;
  void Raw(size_t begin, size_t text);
  void Comment(size_t begin);
  void Tag(TokenType end_type);
  bool TagEnd(TokenType end_type);
  void TagToken();
  void Number();
  bool Exponent(size_t& offset) const;
  size_t Digits(size_t offset) const;
  void Name();
  void StringLiteral();
  void Operator();

  Heap& heap_;
  std::string_view source_;
  size_t position_ = 0;
  bool line_starting_ = true;
  std::vector<char> closing_;  // brackets that are open, innermost last
  std::vector<Token> tokens_;
};

// Emits the text before a tag, stripped as the tag's sign and lstrip_blocks ask.
void Lexer::Text(size_t begin, size_t end, char sign, bool may_lstrip) {
  std::string_view text = source_.substr(begin, end - begin);
  if (sign == '-') {
    auto stop = static_cast<uint32_t>(text.size());
    while (stop > 0) {
      uint32_t before = stop;
      if (!IsSpace(DecodeCharBefore(text, before))) break;
      stop = before;
    }
    text = text.substr(0, stop);
  } else if (sign != '+' && may_lstrip) {
    const size_t newline = text.rfind('\n');
    const size_t line = newline == std::string_view::npos ? 0 : newline + 1;
    if ((line > 0 || line_starting_) && SkipSpace(begin + line) >= end) text = text.substr(0, line);
  }
  if (!text.empty()) Push(TokenType::kText, begin, text);
}

void Lexer::Root() {
  const size_t begin = position_;
  size_t tag = begin;
  while (true) {
    tag = source_.find('{', tag);
    if (tag == std::string_view::npos || tag + 1 >= source_.size()) {
      Push(TokenType::kText, begin, source_.substr(begin));
      position_ = source_.size();
      return;
    }
    const char kind = source_[tag + 1];
    if (kind == '%' || kind == '{' || kind == '#') break;
    ++tag;
  }
  const char kind = source_[tag + 1];
  const char sign = At(tag + 2) == '-' || At(tag + 2) == '+' ? At(tag + 2) : '\0';
  const size_t inside = tag + 2 + (sign != '\0' ? 1 : 0);
  Text(begin, tag, sign, kind != '{');
  line_starting_ = false;
  if (kind == '%') {
    if (const size_t raw = RawBegin(inside); raw != 0) {
      Raw(tag, raw);
      return;
    }
  }
  if (kind == '#') {
    Comment(inside);
    return;
  }
  Push(kind == '{' ? TokenType::kVariableBegin : TokenType::kBlockBegin, tag, {});
  position_ = inside;
  Tag(kind == '{' ? TokenType::kVariableEnd : TokenType::kBlockEnd);
}

// Where the text of a raw block starts, if "raw %}" stands at `offset`; else 0.
size_t Lexer::RawBegin(size_t offset) const {
  offset = SkipSpace(offset);
  if (!StartsWith(offset, "raw")) return 0;
  offset = SkipSpace(offset + 3);
  if (StartsWith(offset, "-%}")) return SkipSpace(offset + 3);
  return StartsWith(offset, "%}") ? offset + 2 : 0;
}

void Lexer::Raw(size_t begin, size_t text) {
  line_starting_ = At(text - 1) == '\n';
  position_ = text;
  if (text == source_.size()) return;  // as for comments
  for (size_t tag = source_.find("{%", text); tag != std::string_view::npos;
       tag = source_.find("{%", tag + 1)) {
    size_t inside = tag + 2;
    const char sign = At(inside) == '-' || At(inside) == '+' ? At(inside) : '\0';
    if (sign != '\0') ++inside;
    inside = SkipSpace(inside);
    if (!StartsWith(inside, "endraw")) continue;
    inside = SkipSpace(inside + 6);
    if (StartsWith(inside, "-%}")) {
      position_ = SkipSpace(inside + 3);
    } else if (StartsWith(inside, "+%}")) {
      position_ = inside + 3;
    } else if (StartsWith(inside, "%}")) {
      position_ = inside + 2 + (At(inside + 2) == '\n' ? 1 : 0);
    } else {
      continue;
    }
    Text(text, tag, sign, true);
    line_starting_ = At(position_ - 1) == '\n';
    return;
  }
  Fail(begin, "Missing end of raw directive");
}

void Lexer::Comment(size_t begin) {
  position_ = begin;
  if (begin == source_.size()) return;  // nothing behind the opening: Jinja does not mind
  const size_t end = source_.find("#}", begin);
  if (end == std::string_view::npos) return Fail(begin - 2, "Missing end of comment tag");
  position_ = end + 2;
  const char sign = end > begin ? source_[end - 1] : '\0';
  if (sign == '-') {
    position_ = SkipSpace(position_);
  } else if (sign != '+' && At(position_) == '\n') {
    ++position_;
  }
  line_starting_ = At(position_ - 1) == '\n';
}

// The inside of {{ }} or {% %}, up to and with its end.
void Lexer::Tag(TokenType end_type) {
  closing_.clear();
  while (!heap_.failed()) {
    if (closing_.empty() && TagEnd(end_type)) return;
    if (position_ >= source_.size()) return;  // the parser names what is missing
    TagToken();
  }
}

bool Lexer::TagEnd(TokenType end_type) {
  const std::string_view mark = end_type == TokenType::kBlockEnd ? "%}" : "}}";
  const size_t start = position_;
  if (StartsWith(start, mark)) {
    position_ += 2;
    if (end_type == TokenType::kBlockEnd && At(position_) == '\n') ++position_;
  } else if (At(start) == '-' && StartsWith(start + 1, mark)) {
    position_ = SkipSpace(start + 3);
  } else if (At(start) == '+' && StartsWith(start + 1, mark) && end_type == TokenType::kBlockEnd) {
    position_ += 3;
  } else {
    return false;
  }
  Push(end_type, start, {});
  line_starting_ = At(position_ - 1) == '\n';
  return true;
}

void Lexer::TagToken() {
  const char c = source_[position_];
  auto next = static_cast<uint32_t>(position_);
  const char32_t wide = DecodeChar(source_, next);
  if (IsSpace(wide)) {
    position_ = SkipSpace(position_);
  } else if (IsDigit(c)) {
    Number();
  } else if (c == '_' || IsAlpha(wide)) {
    Name();
  } else if (c == '\'' || c == '"') {
    StringLiteral();
  } else {
    Operator();
  }
}

void Lexer::Name() {
  const size_t start = position_;
  auto end = static_cast<uint32_t>(start);
  while (end < source_.size()) {
    uint32_t next = end;
    const char32_t c = DecodeChar(source_, next);
    if (c != '_' && !IsAlnum(c)) break;
    end = next;
  }
  position_ = end;
  Push(TokenType::kName, start, source_.substr(start, end - start));
}

// End of a run of digits with single underscores between them.
size_t Lexer::Digits(size_t offset) const {
  while (IsDigit(At(offset)) || (At(offset) == '_' && IsDigit(At(offset + 1)))) ++offset;
  return offset;
}

bool Lexer::Exponent(size_t& offset) const {
  if (At(offset) != 'e' && At(offset) != 'E') return false;
  const size_t digits = offset + 1 + (At(offset + 1) == '+' || At(offset + 1) == '-' ? 1 : 0);
  if (!IsDigit(At(digits))) return false;
  offset = Digits(digits);
  return true;
}

void Lexer::Number() {
  const size_t start = position_;
  const auto literal = [&](size_t end) {
    std::string digits;
    for (const char c : source_.substr(start, end - start)) {
      if (c != '_') digits += c;
    }
    position_ = end;
    return digits;
  };
  // A float, unless a dot stands before it (x.1.5 are two subscripts).
  if (start == 0 || source_[start - 1] != '.') {
    size_t end = Digits(start);
    bool is_float = false;
    if (At(end) == '.' && IsDigit(At(end + 1))) {
      is_float = true;
      end = Digits(end + 1);
    }
    is_float = Exponent(end) || is_float;
    if (is_float) {
      const Value value = Value::Float(ParseDouble(literal(end)).value_or(0));
      return Push(TokenType::kFloat, start, source_.substr(start, end - start), value);
    }
  }
  size_t end = start;
  int base = 10;
  if (At(start) == '0') {
    const char mark = static_cast<char>(At(start + 1) | 0x20);
    base = mark == 'x' ? 16 : mark == 'o' ? 8 : mark == 'b' ? 2 : 10;
    const auto is_digit = [base](char c) {
      return base == 10 ? c == '0' : DigitValue(static_cast<unsigned char>(c)) < base;
    };
    end = start + (base == 10 ? 1 : 2);
    const size_t digits = end;
    while (is_digit(At(end)) || (At(end) == '_' && is_digit(At(end + 1)))) ++end;
    if (base != 10 && end == digits) {  // "0x" alone is a zero and a name
      base = 10;
      end = start + 1;
    }
  } else {
    end = Digits(start);
  }
  std::string digits = literal(end);
  if (base != 10) digits.erase(0, 2);
  const Value value = ParseInt(heap_, digits, base);
  if (value.nothing()) return Fail(start, "bad number");
  Push(TokenType::kInteger, start, source_.substr(start, end - start), value);
}

void Lexer::StringLiteral() {
  const size_t start = position_;
  const char quote = source_[start];
  size_t end = start + 1;
  while (end < source_.size() && source_[end] != quote) end += source_[end] == '\\' ? 2 : 1;
  if (end >= source_.size()) {
    return Fail(start, fmt::format("unexpected char {} at {}", quote == '"' ? "'\"'" : "\"'\"",
                                   CountChars(source_.substr(0, start))));
  }
  std::string text;
  if (!Unescape(source_.substr(start + 1, end - start - 1), text)) {
    return Fail(start, "the string has a malformed escape or one that is no character");
  }
  position_ = end + 1;
  Push(TokenType::kString, start, source_.substr(start, end + 1 - start),
       MakeString(heap_, text, true));
}

void Lexer::Operator() {
  static constexpr std::array<std::string_view, 6> kLong = {"//", "**", "==", "!=", ">=", "<="};
  static constexpr std::string_view kShort = "+-/*%~[](){}><=.:|,;";
  const size_t start = position_;
  size_t length = 0;
  for (const std::string_view op : kLong) {
    if (StartsWith(start, op)) length = 2;
  }
  if (length == 0 && kShort.find(source_[start]) != std::string_view::npos) length = 1;
  if (length == 0) {
    auto next = static_cast<uint32_t>(start);
    DecodeChar(source_, next);
    return Fail(start,
                fmt::format("unexpected char '{}' at {}", source_.substr(start, next - start),
                            CountChars(source_.substr(0, start))));
  }
  const char c = source_[start];
  if (c == '(' || c == '[' || c == '{') closing_.push_back(c == '(' ? ')' : c == '[' ? ']' : '}');
  if (c == ')' || c == ']' || c == '}') {
    if (closing_.empty()) return Fail(start, fmt::format("unexpected '{}'", c));
    const char expected = closing_.back();
    closing_.pop_back();
    if (expected != c)
      return Fail(start, fmt::format("unexpected '{}', expected '{}'", c, expected));
  }
  position_ += length;
  Push(TokenType::kOperator, start, source_.substr(start, length));
}

// Reads `digits` hex digits at `offset`.
bool HexEscape(std::string_view body, size_t offset, size_t digits, char32_t& c) {
  c = 0;
  if (offset + digits > body.size()) return false;
  for (size_t i = 0; i < digits; ++i) {
    const int digit = DigitValue(static_cast<unsigned char>(body[offset + i]));
    if (digit >= 16) return false;
    c = c * 16 + static_cast<char32_t>(digit);
  }
  return true;
}

char SimpleEscape(char c) {
  switch (c) {
    case 'a':
      return '\a';
    case 'b':
      return '\b';
    case 'f':
      return '\f';
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    case 'v':
      return '\v';
    case '\\':
    case '\'':
    case '"':
      return c;
    default:
      return '\0';
  }
}

}  // namespace

std::string NormalizeSource(std::string_view source) {
  std::string out;
  out.reserve(source.size());
  for (size_t i = 0; i < source.size(); ++i) {
    if (source[i] == '\r') {
      out += '\n';
      if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
    } else {
      out += source[i];
    }
  }
  if (!out.empty() && out.back() == '\n') out.pop_back();
  return out;
}

std::vector<Token> Tokenize(Heap& heap, std::string_view source) {
  return Lexer(heap, source).Run();
}

std::string_view Describe(const Token& token) {
  switch (token.type) {
    case TokenType::kEnd:
      return "end of template";
    case TokenType::kText:
      return "template data / text";
    case TokenType::kVariableBegin:
      return "begin of print statement";
    case TokenType::kVariableEnd:
      return "end of print statement";
    case TokenType::kBlockBegin:
      return "begin of statement block";
    case TokenType::kBlockEnd:
      return "end of statement block";
    case TokenType::kString:
      return "string";
    case TokenType::kInteger:
      return "integer";
    case TokenType::kFloat:
      return "float";
    default:
      return token.text;
  }
}

bool Unescape(std::string_view body, std::string& out) {
  for (size_t i = 0; i < body.size();) {
    const char c = body[i++];
    if (c != '\\' || i >= body.size()) {
      out += c;
      continue;
    }
    const char escape = body[i++];
    char32_t code = 0;
    if (const char simple = SimpleEscape(escape); simple != '\0') {
      out += simple;
    } else if (escape == '\n') {
      // A line continued.
    } else if (escape == 'x' || escape == 'u' || escape == 'U') {
      const size_t digits = escape == 'x' ? 2 : escape == 'u' ? 4 : 8;
      if (!HexEscape(body, i, digits, code)) return false;
      // Half a surrogate pair is no text.
      if (code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) return false;
      EncodeChar(code, out);
      i += digits;
    } else if (escape >= '0' && escape <= '7') {
      code = static_cast<char32_t>(escape - '0');
      for (int k = 0; k < 2 && i < body.size() && body[i] >= '0' && body[i] <= '7'; ++k) {
        code = code * 8 + static_cast<char32_t>(body[i++] - '0');
      }
      EncodeChar(code, out);
    } else if (escape == 'N') {
      return false;  // names of characters are not known here
    } else if (static_cast<unsigned char>(escape) < 0x80) {
      out += '\\';
      out += escape;
    } else {
      // Jinja turns the character into an escape of its own first, and the backslash before it
      // then escapes that backslash.
      auto next = static_cast<uint32_t>(i - 1);
      code = DecodeChar(body, next);
      i = next;
      out += code < 0x100     ? fmt::format("\\x{:02x}", static_cast<uint32_t>(code))
             : code < 0x10000 ? fmt::format("\\u{:04x}", static_cast<uint32_t>(code))
                              : fmt::format("\\U{:08x}", static_cast<uint32_t>(code));
    }
  }
  return true;
}

}  // namespace tutti::text::jinja
