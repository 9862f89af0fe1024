// Python's numbers: unbounded integers, doubles that print as their shortest repr, and arithmetic
// between them. Results that would be larger than kMaxIntBits are refused (kResource).
//
// boost::multiprecision appears in jinja_number.cc only.
#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "tutti/text/jinja_value.h"

namespace tutti::text::jinja {

// Of an integer too large for 64 bits: sign and magnitude, least significant word first.
struct BigInt {
  const uint64_t* words;
  uint32_t count;
  bool negative;
};

// About 79,000 decimal digits. Products of this size take well under 10 ms.
inline constexpr uint64_t kMaxIntBits = 1u << 18;
// Python refuses to print or read longer decimal numbers (sys.set_int_max_str_digits).
inline constexpr uint32_t kMaxIntDigits = 4300;

enum class Operation : uint8_t { kAdd, kSub, kMul, kDiv, kFloorDiv, kMod, kPow };
std::string_view OperationSign(Operation operation);

// Both operands are numbers.
Value Arithmetic(Heap& heap, Operation operation, const Value& left, const Value& right);
Value Negate(Heap& heap, const Value& number);
Value Absolute(Heap& heap, const Value& number);

// -1, 0, 1; 2 where a NaN is involved. Exact, also between large integers and doubles.
int CompareNumbers(const Value& left, const Value& right);
double ToDouble(const Value& number);  // infinite where an integer is too large
uint64_t HashNumber(const Value& number);
// An integer that fits 64 bits (bool included).
std::optional<int64_t> SmallInt(const Value& value);

// Digits without sign or prefix; `base` 2..36. Nothing (and no error) if they are not digits.
Value ParseInt(Heap& heap, std::string_view digits, int base);
// int("...") with sign, underscores, white space and, for base 0 or the fitting one, a prefix.
Value IntFromText(Heap& heap, std::string_view text, int base);
// float("..."), which knows inf and nan.
std::optional<double> FloatFromText(std::string_view text);
// Digits, fraction and exponent only.
std::optional<double> ParseDouble(std::string_view text);
// int(x) towards zero; nothing and an error for inf and nan.
Value IntFromFloat(Heap& heap, double x);

// Digits of an integer in a base of 2..36, with a minus where it is negative. nullopt and an error
// for decimal numbers that are too long.
std::optional<std::string> IntDigits(Heap& heap, const Value& integer, int base = 10);
std::string FloatRepr(double x);  // repr(): "1.0", "1e+16", "inf", "nan"
// round(x, digits), to nearest even.
double RoundFloat(double x, int64_t digits);

}  // namespace tutti::text::jinja
