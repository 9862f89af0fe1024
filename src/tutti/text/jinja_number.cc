#include "tutti/text/jinja_number.h"

#include <algorithm>
#include <boost/multiprecision/cpp_int.hpp>
#include <charconv>
#include <cmath>
#include <limits>

#include "tutti/text/jinja_string.h"
#include "tutti/text/jinja_unicode.h"

namespace tutti::text::jinja {
namespace {

using Big = boost::multiprecision::cpp_int;

Big Widen(const Value& integer) {
  if (integer.Is(Kind::kBool)) return integer.boolean ? 1 : 0;
  if (integer.Is(Kind::kInt)) return integer.integer;
  const BigInt& big = *integer.big;
  Big out;
  boost::multiprecision::import_bits(out, big.words, big.words + big.count, 64, false);
  return big.negative ? Big(-out) : out;
}

uint64_t Bits(const Value& integer) {
  if (integer.Is(Kind::kBigInt)) return uint64_t{integer.big->count} * 64;
  return 64;
}

Value Narrow(Heap& heap, const Big& big) {
  if (big >= std::numeric_limits<int64_t>::min() && big <= std::numeric_limits<int64_t>::max()) {
    return Value::Int(static_cast<int64_t>(big));
  }
  const Big magnitude = abs(big);
  std::vector<uint64_t> words;
  boost::multiprecision::export_bits(magnitude, std::back_inserter(words), 64, false);
  uint64_t* copy = heap.NewArray<uint64_t>(words.size());
  if (copy == nullptr) return Value();
  std::copy(words.begin(), words.end(), copy);
  return Value::Of(heap.New(BigInt{copy, static_cast<uint32_t>(words.size()), big < 0}));
}

// Charges an operation on integers whose result has `bits` bits.
bool ChargeInt(Heap& heap, uint64_t bits, uint64_t words_product) {
  if (bits > kMaxIntBits) {
    heap.Fail(
        StatusCode::kResource,
        fmt::format("an integer would have {} bits, at most {} are possible", bits, kMaxIntBits));
    return false;
  }
  return heap.Charge(bits / 8) && heap.Step(1 + words_product / 16);
}

Value SmallArithmetic(Heap& heap, Operation operation, int64_t a, int64_t b, bool& done) {
  int64_t out = 0;
  done = true;
  switch (operation) {
    case Operation::kAdd:
      if (!__builtin_add_overflow(a, b, &out)) return Value::Int(out);
      break;
    case Operation::kSub:
      if (!__builtin_sub_overflow(a, b, &out)) return Value::Int(out);
      break;
    case Operation::kMul:
      if (!__builtin_mul_overflow(a, b, &out)) return Value::Int(out);
      break;
    case Operation::kFloorDiv:
    case Operation::kMod: {
      const bool modulo = operation == Operation::kMod;
      if (b == 0) {
        return Fail(heap, "{}",
                    modulo ? "integer modulo by zero" : "integer division or modulo by zero");
      }
      if (b == -1 && a == std::numeric_limits<int64_t>::min()) break;
      const int64_t rest = a % b;
      const bool down = rest != 0 && (rest < 0) != (b < 0);
      return Value::Int(modulo ? rest + (down ? b : 0) : a / b - (down ? 1 : 0));
    }
    default:
      break;
  }
  done = false;
  return Value();
}

Value IntPower(Heap& heap, const Value& base, const Value& exponent) {
  const Big wide = Widen(base);
  if (wide == 0 || wide == 1) return Value::Int(wide == 1 || Widen(exponent) == 0 ? 1 : 0);
  if (wide == -1) return Value::Int(Widen(exponent) % 2 == 0 ? 1 : -1);
  const std::optional<int64_t> power = SmallInt(exponent);
  const uint64_t base_bits = msb(abs(wide)) + 1;
  const uint64_t limit = kMaxIntBits + 1;
  const uint64_t bits = !power || static_cast<uint64_t>(*power) > limit / base_bits + 1
                            ? limit
                            : static_cast<uint64_t>(*power) * base_bits;
  if (!ChargeInt(heap, bits, (bits / 64) * (bits / 64))) return Value();
  return Narrow(heap, pow(wide, static_cast<unsigned>(*power)));
}

Value IntArithmetic(Heap& heap, Operation operation, const Value& left, const Value& right) {
  if (!left.Is(Kind::kBigInt) && !right.Is(Kind::kBigInt)) {
    bool done = false;
    const Value small = SmallArithmetic(heap, operation, *SmallInt(left), *SmallInt(right), done);
    if (done) return small;
  }
  if (operation == Operation::kPow) return IntPower(heap, left, right);
  const uint64_t left_bits = Bits(left);
  const uint64_t right_bits = Bits(right);
  const bool sums = operation == Operation::kAdd || operation == Operation::kSub;
  const uint64_t bits =
      operation == Operation::kMul ? left_bits + right_bits : std::max(left_bits, right_bits);
  const uint64_t work = sums ? bits / 64 : (left_bits / 64) * (right_bits / 64);
  if (!ChargeInt(heap, bits, work)) return Value();
  const Big a = Widen(left);
  const Big b = Widen(right);
  switch (operation) {
    case Operation::kAdd:
      return Narrow(heap, a + b);
    case Operation::kSub:
      return Narrow(heap, a - b);
    case Operation::kMul:
      return Narrow(heap, a * b);
    default:
      break;
  }
  if (b == 0) return Fail(heap, "integer division or modulo by zero");
  Big quotient;
  Big rest;
  divide_qr(a, b, quotient, rest);
  if (rest != 0 && (rest < 0) != (b < 0)) {
    rest += b;
    quotient -= 1;
  }
  return Narrow(heap, operation == Operation::kMod ? rest : quotient);
}

// Python's divmod of doubles.
void FloatDivMod(double a, double b, double& quotient, double& rest) {
  rest = std::fmod(a, b);
  quotient = (a - rest) / b;
  if (rest != 0) {
    if ((b < 0) != (rest < 0)) {
      rest += b;
      quotient -= 1;
    }
  } else {
    rest = std::copysign(0.0, b);
  }
  if (quotient != 0) {
    const double floor = std::floor(quotient);
    quotient = quotient - floor > 0.5 ? floor + 1 : floor;
  } else {
    quotient = std::copysign(0.0, a / b);
  }
}

Value FloatArithmetic(Heap& heap, Operation operation, double a, double b) {
  switch (operation) {
    case Operation::kAdd:
      return Value::Float(a + b);
    case Operation::kSub:
      return Value::Float(a - b);
    case Operation::kMul:
      return Value::Float(a * b);
    case Operation::kDiv:
      if (b == 0) return Fail(heap, "float division by zero");
      return Value::Float(a / b);
    case Operation::kFloorDiv:
    case Operation::kMod: {
      const bool modulo = operation == Operation::kMod;
      if (b == 0) return Fail(heap, "{}", modulo ? "float modulo" : "float floor division by zero");
      double quotient = 0;
      double rest = 0;
      FloatDivMod(a, b, quotient, rest);
      return Value::Float(modulo ? rest : quotient);
    }
    case Operation::kPow:
      break;
  }
  if (a == 0 && b < 0) return Fail(heap, "0.0 cannot be raised to a negative power");
  if (a < 0 && std::isfinite(a) && std::isfinite(b) && b != std::floor(b)) {
    return Fail(heap, "a negative number to a fractional power is complex, which is not supported");
  }
  const double power = std::pow(a, b);
  if (std::isinf(power) && std::isfinite(a) && std::isfinite(b)) {
    return Fail(heap, "(34, 'Numerical result out of range')");
  }
  return Value::Float(power);
}

// a / b of integers, correctly rounded.
Value TrueDivision(Heap& heap, const Value& left, const Value& right) {
  constexpr int64_t kExact = int64_t{1} << 53;
  const std::optional<int64_t> a = SmallInt(left);
  const std::optional<int64_t> b = SmallInt(right);
  if (b == 0) return Fail(heap, "division by zero");
  if (a && b && std::abs(*a / 2) < kExact / 2 && std::abs(*b / 2) < kExact / 2) {
    return Value::Float(static_cast<double>(*a) / static_cast<double>(*b));
  }
  if (!ChargeInt(heap, std::max(Bits(left), Bits(right)), Bits(left) / 64 * (Bits(right) / 64))) {
    return Value();
  }
  // Scale so that the quotient has at least 66 bits, keep a sticky bit, round once.
  Big x = Widen(left);
  Big y = Widen(right);
  const bool negative = (x < 0) != (y < 0);
  x = abs(x);
  y = abs(y);
  if (x == 0) return Value::Float(negative ? -0.0 : 0.0);
  const int64_t shift = static_cast<int64_t>(msb(y)) - static_cast<int64_t>(msb(x)) + 66;
  if (shift > 0) {
    x <<= static_cast<unsigned>(shift);
  } else {
    y <<= static_cast<unsigned>(-shift);
  }
  Big quotient;
  Big rest;
  divide_qr(x, y, quotient, rest);
  if (rest != 0) quotient |= 1;
  // To 64 bits with a sticky last bit; the cast to double then rounds to nearest even.
  const unsigned extra = static_cast<unsigned>(msb(quotient)) - 63;
  const bool sticky = (quotient & ((Big(1) << extra) - 1)) != 0;
  const auto top = static_cast<uint64_t>(Big(quotient >> extra)) | (sticky ? 1 : 0);
  const double result =
      std::ldexp(static_cast<double>(top), static_cast<int>(static_cast<int64_t>(extra) - shift));
  if (std::isinf(result)) return Fail(heap, "integer division result too large for a float");
  return Value::Float(negative ? -result : result);
}

}  // namespace

std::string_view OperationSign(Operation operation) {
  switch (operation) {
    case Operation::kAdd:
      return "+";
    case Operation::kSub:
      return "-";
    case Operation::kMul:
      return "*";
    case Operation::kDiv:
      return "/";
    case Operation::kFloorDiv:
      return "//";
    case Operation::kMod:
      return "%";
    case Operation::kPow:
      return "** or pow()";
  }
  return "?";
}

Value Arithmetic(Heap& heap, Operation operation, const Value& left, const Value& right) {
  if (left.IsInteger() && right.IsInteger()) {
    if (operation == Operation::kDiv) return TrueDivision(heap, left, right);
    const bool fraction = operation == Operation::kPow && CompareNumbers(right, Value::Int(0)) < 0;
    if (!fraction) return IntArithmetic(heap, operation, left, right);
  }
  for (const Value& operand : {left, right}) {
    if (operand.Is(Kind::kBigInt) && std::isinf(ToDouble(operand))) {
      return Fail(heap, "int too large to convert to float");
    }
  }
  return FloatArithmetic(heap, operation, ToDouble(left), ToDouble(right));
}

Value Negate(Heap& heap, const Value& number) {
  if (number.Is(Kind::kFloat)) return Value::Float(-number.real);
  return IntArithmetic(heap, Operation::kSub, Value::Int(0), number);
}

Value Absolute(Heap& heap, const Value& number) {
  if (number.Is(Kind::kFloat)) return Value::Float(std::fabs(number.real));
  if (CompareNumbers(number, Value::Int(0)) < 0) return Negate(heap, number);
  return number.Is(Kind::kBool) ? Value::Int(number.boolean ? 1 : 0) : number;
}

int CompareNumbers(const Value& left, const Value& right) {
  const auto sign = [](auto a, auto b) { return a < b ? -1 : a > b ? 1 : 0; };
  const std::optional<int64_t> a = SmallInt(left);
  const std::optional<int64_t> b = SmallInt(right);
  if (a && b) return sign(*a, *b);
  if (left.Is(Kind::kFloat) && right.Is(Kind::kFloat)) {
    if (std::isnan(left.real) || std::isnan(right.real)) return 2;
    return sign(left.real, right.real);
  }
  if (right.Is(Kind::kFloat)) {
    const int reversed = CompareNumbers(right, left);
    return reversed == 2 ? 2 : -reversed;
  }
  if (left.Is(Kind::kFloat)) {
    const double x = left.real;
    if (std::isnan(x)) return 2;
    if (std::isinf(x)) return x < 0 ? -1 : 1;
    const int whole = sign(Big(std::trunc(x)), Widen(right));
    if (whole != 0) return whole;
    return sign(x, std::trunc(x));
  }
  return sign(Widen(left), Widen(right));
}

double ToDouble(const Value& number) {
  switch (number.kind) {
    case Kind::kBool:
      return number.boolean ? 1 : 0;
    case Kind::kInt:
      return static_cast<double>(number.integer);
    case Kind::kFloat:
      return number.real;
    default:
      break;
  }
  // The top 64 bits with a sticky last bit round once; more than 1,024 bits are infinite.
  const BigInt& big = *number.big;
  const int top = 63 - __builtin_clzll(big.words[big.count - 1]);
  const uint64_t bits = uint64_t{big.count - 1} * 64 + static_cast<uint64_t>(top) + 1;
  double x = std::numeric_limits<double>::infinity();
  if (bits <= 1024) {
    uint64_t head = big.words[big.count - 1];
    int exponent = static_cast<int>(big.count - 1) * 64;
    bool sticky = false;
    if (top < 63 && big.count > 1) {
      const int shift = 63 - top;
      const uint64_t next = big.words[big.count - 2];
      head = head << shift | next >> (64 - shift);
      exponent -= shift;
      sticky = (next << shift) != 0;
    } else if (big.count > 1) {
      sticky = big.words[big.count - 2] != 0;
    }
    for (uint32_t i = 0; i + 2 < big.count; ++i) sticky = sticky || big.words[i] != 0;
    x = std::ldexp(static_cast<double>(head | (sticky ? 1 : 0)), exponent);
  }
  return big.negative ? -x : x;
}

uint64_t HashNumber(const Value& number) {
  // Equal numbers of different types must agree; the double decides.
  double x = ToDouble(number);
  if (x == 0) x = 0;
  uint64_t bits = 0;
  static_assert(sizeof(bits) == sizeof(x));
  __builtin_memcpy(&bits, &x, sizeof(bits));
  return (bits ^ (bits >> 32)) * 0x9e3779b97f4a7c15ull;
}

std::optional<int64_t> SmallInt(const Value& value) {
  if (value.Is(Kind::kInt)) return value.integer;
  if (value.Is(Kind::kBool)) return value.boolean ? 1 : 0;
  return std::nullopt;
}

Value ParseInt(Heap& heap, std::string_view digits, int base) {
  int64_t small = 0;
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), small, base);
  if (digits.empty() || end != digits.data() + digits.size()) return Value();
  if (error == std::errc()) return Value::Int(small);
  if (error != std::errc::result_out_of_range) return Value();
  const bool power_of_two = (base & (base - 1)) == 0;
  if (!power_of_two && digits.size() > kMaxIntDigits) {
    return Fail(heap,
                "Exceeds the limit ({} digits) for integer string conversion: value has {} "
                "digits",
                kMaxIntDigits, digits.size());
  }
  if (!ChargeInt(heap, digits.size() * 6, digits.size() * digits.size() / 64)) return Value();
  Big big = 0;
  for (const char c : digits) big = big * base + DigitValue(static_cast<unsigned char>(c));
  return Narrow(heap, big);
}

Value IntFromText(Heap& heap, std::string_view text, int base) {
  // Digits of any script, with the white space around them gone.
  std::string plain;
  for (uint32_t i = 0; i < text.size();) {
    const char32_t c = DecodeChar(text, i);
    const int digit = DecimalValue(c);
    plain += digit >= 0   ? static_cast<char>('0' + digit)
             : IsSpace(c) ? ' '
             : c < 0x80   ? static_cast<char>(c)
                          : '?';
  }
  const size_t first = plain.find_first_not_of(' ');
  if (first == std::string::npos) return Value();
  plain = plain.substr(first, plain.find_last_not_of(' ') + 1 - first);
  const bool negative = plain[0] == '-';
  if (plain[0] == '-' || plain[0] == '+') plain.erase(0, 1);
  bool prefixed = false;
  if (plain.size() > 2 && plain[0] == '0') {
    const char mark = static_cast<char>(plain[1] | 0x20);
    const int named = mark == 'x' ? 16 : mark == 'o' ? 8 : mark == 'b' ? 2 : 0;
    if (named != 0 && (base == 0 || base == named)) {
      base = named;
      plain.erase(0, 2);
      prefixed = true;
    }
  }
  if (base == 0) base = 10;
  std::string digits;
  for (size_t i = 0; i < plain.size(); ++i) {
    if (plain[i] != '_') {
      digits += plain[i];
      continue;
    }
    const bool before = i > 0 ? plain[i - 1] != '_' : prefixed;
    if (!before || i + 1 == plain.size()) return Value();
  }
  for (const char c : digits) {
    if (DigitValue(static_cast<unsigned char>(c)) >= base) return Value();
  }
  const Value value = ParseInt(heap, digits, base);
  return value.nothing() || !negative ? value : Negate(heap, value);
}

std::optional<double> ParseDouble(std::string_view text) {
  double x = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), x);
  if (end != text.data() + text.size() || text.empty()) return std::nullopt;
  if (error == std::errc::result_out_of_range) {
    // Too large or too small: from_chars does not say which. The exponent does.
    const size_t e = text.find_first_of("eE");
    if (e != std::string_view::npos && e + 1 < text.size() && text[e + 1] == '-') return 0.0;
    return text.find_first_not_of("0.", text[0] == '-') == std::string_view::npos ||
                   text.starts_with("0.")
               ? 0.0
               : std::numeric_limits<double>::infinity();
  }
  return x;
}

std::optional<double> FloatFromText(std::string_view text) {
  std::string plain;
  for (uint32_t i = 0; i < text.size();) {
    const char32_t c = DecodeChar(text, i);
    const int digit = DecimalValue(c);
    if (c == '_') {  // only between digits
      if (plain.empty() || DigitValue(static_cast<unsigned char>(plain.back())) > 9 ||
          i >= text.size() || DigitValue(static_cast<unsigned char>(text[i])) > 9) {
        return std::nullopt;
      }
      continue;
    }
    plain += digit >= 0   ? static_cast<char>('0' + digit)
             : IsSpace(c) ? ' '
             : c < 0x80   ? static_cast<char>(ToLower(c).chars[0])
                          : '?';
  }
  const size_t first = plain.find_first_not_of(' ');
  if (first == std::string::npos) return std::nullopt;
  plain = plain.substr(first, plain.find_last_not_of(' ') + 1 - first);
  const bool negative = plain[0] == '-';
  if (plain[0] == '-' || plain[0] == '+') plain.erase(0, 1);
  double x = 0;
  if (plain == "inf" || plain == "infinity") {
    x = std::numeric_limits<double>::infinity();
  } else if (plain == "nan") {
    x = std::numeric_limits<double>::quiet_NaN();
  } else {
    if (plain.empty() || (plain[0] != '.' && (plain[0] < '0' || plain[0] > '9'))) {
      return std::nullopt;
    }
    const auto parsed = ParseDouble(plain);
    if (!parsed) return std::nullopt;
    x = *parsed;
  }
  return negative ? -x : x;
}

Value IntFromFloat(Heap& heap, double x) {
  if (std::isnan(x)) return Fail(heap, "cannot convert float NaN to integer");
  if (std::isinf(x)) return Fail(heap, "cannot convert float infinity to integer");
  if (std::fabs(x) < 9e18) return Value::Int(static_cast<int64_t>(x));
  return Narrow(heap, Big(std::trunc(x)));
}

std::optional<std::string> IntDigits(Heap& heap, const Value& integer, int base) {
  if (const auto small = SmallInt(integer)) {
    char digits[66];
    const auto [end, error] = std::to_chars(digits, digits + sizeof(digits), *small, base);
    return std::string(digits, end);
  }
  const uint64_t bits = Bits(integer);
  if (base == 10) {
    // 0.30103 = log10(2); exact enough to refuse, the string's length decides in between.
    if (static_cast<double>(bits - 64) * 0.30102 > kMaxIntDigits) {
      Fail(heap, "Exceeds the limit ({} digits) for integer string conversion", kMaxIntDigits);
      return std::nullopt;
    }
    if (!heap.Step(bits)) return std::nullopt;
    std::string digits = Widen(integer).str();
    if (digits.size() - (digits[0] == '-' ? 1 : 0) > kMaxIntDigits) {
      Fail(heap, "Exceeds the limit ({} digits) for integer string conversion", kMaxIntDigits);
      return std::nullopt;
    }
    return digits;
  }
  // 2, 8, 16: bit by bit groups.
  const unsigned width = base == 16 ? 4 : base == 8 ? 3 : 1;
  if (!heap.Charge(bits) || !heap.Step(bits)) return std::nullopt;
  std::vector<unsigned char> groups;
  boost::multiprecision::export_bits(Big(abs(Widen(integer))), std::back_inserter(groups), width);
  std::string digits = integer.big->negative ? "-" : "";
  for (const unsigned char group : groups) digits += "0123456789abcdef"[group & 15];
  return digits;
}

std::string FloatRepr(double x) {
  if (std::isnan(x)) return "nan";
  if (std::isinf(x)) return x < 0 ? "-inf" : "inf";
  char buffer[64];
  const auto [end, error] =
      std::to_chars(buffer, buffer + sizeof(buffer), x, std::chars_format::scientific);
  const std::string_view text(buffer, static_cast<size_t>(end - buffer));
  const size_t e = text.find('e');
  int exponent = 0;
  const size_t digits_at = e + (text[e + 1] == '+' ? 2 : 1);
  std::from_chars(text.data() + digits_at, text.data() + text.size(), exponent);
  std::string digits;
  for (const char c : text.substr(0, e)) {
    if (c >= '0' && c <= '9') digits += c;
  }
  std::string out = text[0] == '-' ? "-" : "";
  if (exponent < -4 || exponent >= 16) {
    out += digits[0];
    if (digits.size() > 1) out += "." + digits.substr(1);
    return out + fmt::format("e{}{:02}", exponent < 0 ? '-' : '+', std::abs(exponent));
  }
  if (exponent < 0)
    return out + "0." + std::string(static_cast<size_t>(-exponent) - 1, '0') + digits;
  const auto whole = static_cast<size_t>(exponent) + 1;
  if (digits.size() <= whole) return out + digits + std::string(whole - digits.size(), '0') + ".0";
  return out + digits.substr(0, whole) + "." + digits.substr(whole);
}

double RoundFloat(double x, int64_t digits) {
  if (!std::isfinite(x) || x == 0) return x;
  // Beyond these, rounding changes nothing or gives zero: doubles have 17 digits of 10^-324..308.
  if (digits > 323) return x;
  if (digits < -308) return std::copysign(0.0, x);
  char buffer[800];
  if (digits >= 0) {
    const auto [end, error] = std::to_chars(buffer, buffer + sizeof(buffer), x,
                                            std::chars_format::fixed, static_cast<int>(digits));
    double rounded = x;
    std::from_chars(buffer, end, rounded);
    return rounded;
  }
  const auto text = std::to_chars(buffer, buffer + sizeof(buffer), x, std::chars_format::fixed, 1);
  const std::string whole(buffer, static_cast<size_t>(text.ptr - buffer));
  const size_t point = whole.find('.');
  const size_t start = whole[0] == '-' ? 1 : 0;
  const int64_t kept = static_cast<int64_t>(point - start) + digits;
  if (kept < 0) return std::copysign(0.0, x);
  const double unit = std::pow(10.0, static_cast<double>(-digits));
  if (kept == 0) {
    return std::fabs(x) > unit / 2 ? std::copysign(unit, x) : std::copysign(0.0, x);
  }
  const auto cut = std::to_chars(buffer, buffer + sizeof(buffer), x, std::chars_format::scientific,
                                 static_cast<int>(kept - 1));
  double rounded = x;
  std::from_chars(buffer, cut.ptr, rounded);
  return rounded;
}

}  // namespace tutti::text::jinja
