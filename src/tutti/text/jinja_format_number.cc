#include "tutti/text/jinja_format_number.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "tutti/text/jinja_number.h"
#include "tutti/text/jinja_unicode.h"

namespace tutti::text::jinja {
namespace {

constexpr int64_t kFar = 1'000'000'000'000'000'000;

bool IsAlign(char c) { return c == '<' || c == '>' || c == '^' || c == '='; }

void MakeUpper(std::string& text) {
  for (char& c : text) c = static_cast<char>(ToUpper(static_cast<unsigned char>(c)).chars[0]);
}

// Separators between groups of digits of the integer part that starts at `begin`.
void Group(std::string& text, size_t begin, char separator, size_t size) {
  size_t end = begin;
  while (end < text.size() && DigitValue(static_cast<unsigned char>(text[end])) < 16) ++end;
  for (size_t at = end; at > begin + size;) {
    at -= size;
    text.insert(at, 1, separator);
  }
}

std::string SignOf(bool negative, const FormatSpec& spec) {
  if (negative) return "-";
  return spec.sign == '-' ? "" : std::string(1, spec.sign);
}

// The digits of |x|; `type` is e, f, g or r.
std::string FloatDigits(double x, char type, int precision) {
  if (std::isnan(x)) return "nan";
  if (std::isinf(x)) return "inf";
  std::string text(static_cast<size_t>(precision) + 350, '\0');
  const auto style = type == 'e'   ? std::chars_format::scientific
                     : type == 'f' ? std::chars_format::fixed
                                   : std::chars_format::general;
  const auto [end, error] =
      std::to_chars(text.data(), text.data() + text.size(), x, style, precision);
  text.resize(static_cast<size_t>(end - text.data()));
  return text;
}

}  // namespace

int64_t ReadCount(std::string_view text, size_t& at) {
  int64_t count = 0;
  for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at) {
    // Beyond kFar every count is as good as kFar, and ten times it would not fit.
    count = count >= kFar / 10 ? kFar : count * 10 + (text[at] - '0');
  }
  return count;
}

bool ParseFormatSpec(std::string_view text, FormatSpec& spec) {
  size_t at = 0;
  const auto peek = [&](size_t ahead = 0) {
    return at + ahead < text.size() ? text[at + ahead] : '\0';
  };
  uint32_t next = 0;
  const char32_t first = text.empty() ? 0 : DecodeChar(text, next);
  if (!text.empty() && next < text.size() && IsAlign(text[next])) {
    spec.fill = first;
    spec.align = text[next];
    at = next + 1;
  } else if (IsAlign(peek())) {
    spec.align = peek();
    ++at;
  }
  if (peek() == '+' || peek() == '-' || peek() == ' ') spec.sign = text[at++];
  if (peek() == '#') {
    spec.alternate = true;
    ++at;
  }
  if (peek() == '0') {
    if (spec.align == '\0') {
      spec.fill = '0';
      spec.align = '0';  // '=' for numbers, nothing special for text
    }
    ++at;
  }
  spec.width = ReadCount(text, at);
  if (peek() == ',' || peek() == '_') spec.grouping = text[at++];
  if (peek() == '.') {
    ++at;
    if (peek() < '0' || peek() > '9') return false;
    spec.precision = ReadCount(text, at);
  }
  if (at < text.size()) spec.type = text[at++];
  return at == text.size();
}

std::optional<std::string> FormatInteger(Heap& heap, const Value& integer, const FormatSpec& spec) {
  switch (spec.type) {
    case '\0':
    case 'd':
    case 'n':
    case 'b':
    case 'o':
    case 'x':
    case 'X':
      break;
    case 'e':
    case 'E':
    case 'f':
    case 'F':
    case 'g':
    case 'G':
    case '%':
      return FormatFloat(heap, ToDouble(integer), spec);
    default:
      Fail(heap, "Unknown format code '{}' for object of type 'int'", spec.type);
      return std::nullopt;
  }
  if (spec.precision >= 0) {
    Fail(heap, "Precision not allowed in integer format specifier");
    return std::nullopt;
  }
  const char type = spec.type == 'X' ? 'x' : spec.type;
  const int base = type == 'b' ? 2 : type == 'o' ? 8 : type == 'x' ? 16 : 10;
  std::optional<std::string> digits = IntDigits(heap, integer, base);
  if (!digits) return std::nullopt;
  const bool negative = digits->starts_with('-');
  if (negative) digits->erase(0, 1);
  if (spec.grouping != '\0') Group(*digits, 0, spec.grouping, base == 10 ? 3 : 4);
  if (spec.alternate && base != 10) digits->insert(0, std::string("0") + type);
  if (spec.type == 'X') MakeUpper(*digits);
  return SignOf(negative, spec) + *digits;
}

std::optional<std::string> FormatFloat(Heap& heap, double x, const FormatSpec& spec) {
  const char type = spec.type == 'n' ? 'g' : static_cast<char>(spec.type | 0x20);
  const bool shortest = spec.type == '\0';
  const bool percent = spec.type == '%';
  if (!shortest && !percent && type != 'e' && type != 'f' && type != 'g') {
    Fail(heap, "Unknown format code '{}' for object of type 'float'", spec.type);
    return std::nullopt;
  }
  const int64_t wanted = spec.precision >= 0 ? spec.precision : 6;
  if (!heap.Charge(static_cast<uint64_t>(wanted)) || !heap.Work(static_cast<uint64_t>(wanted))) {
    return std::nullopt;
  }
  const bool negative = std::signbit(x) && !std::isnan(x);
  double magnitude = std::fabs(x);
  if (percent) magnitude *= 100;
  auto precision = static_cast<int>(wanted);
  std::string digits;
  if (shortest && spec.precision < 0) {
    digits = FloatRepr(magnitude);
  } else {
    if ((shortest || type == 'g') && precision == 0) precision = 1;
    digits = FloatDigits(magnitude, shortest ? 'g' : percent ? 'f' : type, precision);
    if (shortest && std::isfinite(x) && digits.find_first_of(".e") == std::string::npos) {
      digits += ".0";
    }
  }
  if (spec.grouping != '\0') Group(digits, 0, spec.grouping, 3);
  if (percent) digits += "%";
  if (spec.type == 'E' || spec.type == 'F' || spec.type == 'G') MakeUpper(digits);
  return SignOf(negative, spec) + digits;
}

bool AddPadded(Builder& out, const String& shown, const FormatSpec& spec, char default_align) {
  String text = shown;
  if (spec.users) {
    text.marks = nullptr;
    text.from_template = false;
  }
  if (spec.width <= text.chars) return out.Add(text);
  const uint64_t missing = static_cast<uint64_t>(spec.width) - text.chars;
  char align = spec.align;
  if (align == '0') align = default_align == '<' ? '<' : '=';
  if (align == '\0') align = default_align;
  std::string fill;
  EncodeChar(spec.fill, fill);
  String one;
  one.data = fill.data();
  one.bytes = static_cast<uint32_t>(fill.size());
  one.chars = 1;
  uint32_t sign = 0;
  if (align == '=') {
    const std::string_view view = text.view();
    sign = view.starts_with('-') || view.starts_with('+') || view.starts_with(' ') ? 1 : 0;
    const std::string_view rest = view.substr(sign);
    if (rest.starts_with("0x") || rest.starts_with("0X") || rest.starts_with("0o") ||
        rest.starts_with("0b")) {
      sign += 2;
    }
  }
  const uint64_t left = align == '<' ? 0 : align == '^' ? missing / 2 : missing;
  return out.Add(text, 0, sign) && out.AddRepeated(one, left) && out.Add(text, sign, text.bytes) &&
         out.AddRepeated(one, missing - left);
}

}  // namespace tutti::text::jinja
