// Filters that work on numbers.
#include <array>
#include <cmath>

#include "tutti/text/jinja_arguments.h"
#include "tutti/text/jinja_filters.h"
#include "tutti/text/jinja_interpreter.h"
#include "tutti/text/jinja_number.h"
#include "tutti/text/jinja_print.h"

namespace tutti::text::jinja {
namespace {

Value Abs(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  Heap& heap = interpreter.heap();
  if (!BindPositional(heap, "abs", arguments, 0, {})) return Value();
  if (self.IsNumber()) return Absolute(heap, self);
  return Fail(heap, "bad operand type for abs(): '{}'", TypeName(self));
}

// int(value), then int(float(value)), then the default.
Value IntFilter(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  Heap& heap = interpreter.heap();
  std::array<Value, 2> given;
  int64_t base = 10;
  if (!BindArguments(heap, "int", arguments, {"default", "base"}, 0, given) ||
      !AsIndex(heap, given[1], 10, base)) {
    return Value();
  }
  const Value fallback = given[0].nothing() ? Value::Int(0) : given[0];
  if (self.Is(Kind::kUndefined)) return FailUndefined(heap, self);
  if (self.IsInteger()) return self.Is(Kind::kBool) ? Value::Int(self.boolean ? 1 : 0) : self;
  double x = 0;
  if (self.Is(Kind::kFloat)) {
    x = self.real;
    // int(nan) is a ValueError and float again fails; int(inf) is an OverflowError at once.
    if (std::isinf(x)) return Fail(heap, "cannot convert float infinity to integer");
  } else if (self.Is(Kind::kString)) {
    const std::string_view text = self.string->view();
    if (!heap.Work(text.size()) || !heap.Step(text.size())) return Value();
    if ((base >= 2 && base <= 36) || base == 0) {
      const Value value = IntFromText(heap, text, static_cast<int>(base));
      if (!value.nothing() || heap.failed()) return value;
    }
    const auto parsed = FloatFromText(text);
    if (!parsed) return fallback;
    x = *parsed;
  } else {
    return fallback;
  }
  return std::isfinite(x) ? IntFromFloat(heap, x) : fallback;
}

Value FloatFilter(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  Heap& heap = interpreter.heap();
  std::array<Value, 1> given;
  if (!BindArguments(heap, "float", arguments, {"default"}, 0, given)) return Value();
  if (self.Is(Kind::kUndefined)) return FailUndefined(heap, self);
  if (self.IsNumber()) {
    const double x = ToDouble(self);
    if (self.IsInteger() && std::isinf(x)) return Fail(heap, "int too large to convert to float");
    return Value::Float(x);
  }
  if (self.Is(Kind::kString)) {
    if (!heap.Step(self.string->bytes)) return Value();
    if (const auto x = FloatFromText(self.string->view())) return Value::Float(*x);
  }
  return given[0].nothing() ? Value::Float(0) : given[0];
}

// func(value * 10**precision) / 10**precision
Value RoundTo(Heap& heap, const Value& value, int64_t precision, bool up) {
  const Value scale = Arithmetic(heap, Operation::kPow, Value::Int(10), Value::Int(precision));
  if (scale.nothing()) return Value();
  Value scaled = Arithmetic(heap, Operation::kMul, value, scale);
  if (scaled.nothing()) return Value();
  if (scaled.Is(Kind::kFloat)) {
    scaled = IntFromFloat(heap, up ? std::ceil(scaled.real) : std::floor(scaled.real));
    if (scaled.nothing()) return Value();
  }
  return Arithmetic(heap, Operation::kDiv, scaled, scale);
}

Value RoundInteger(Heap& heap, const Value& value, int64_t precision) {
  if (precision >= 0) return value;
  if (precision < -100000) return Value::Int(0);
  // To a multiple of 10**-precision, ties to the even one.
  const Value unit = Arithmetic(heap, Operation::kPow, Value::Int(10), Value::Int(-precision));
  if (unit.nothing()) return Value();
  const Value rest = Arithmetic(heap, Operation::kMod, value, unit);
  const Value quotient = Arithmetic(heap, Operation::kFloorDiv, value, unit);
  if (rest.nothing() || quotient.nothing()) return Value();
  const Value twice = Arithmetic(heap, Operation::kMul, rest, Value::Int(2));
  const Value odd = Arithmetic(heap, Operation::kMod, quotient, Value::Int(2));
  if (twice.nothing() || odd.nothing()) return Value();
  const int half = CompareNumbers(twice, unit);
  const bool up = half > 0 || (half == 0 && Truth(odd));
  const Value down = Arithmetic(heap, Operation::kSub, value, rest);
  return up && !down.nothing() ? Arithmetic(heap, Operation::kAdd, down, unit) : down;
}

Value Round(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  Heap& heap = interpreter.heap();
  std::array<Value, 2> given;
  int64_t precision = 0;
  if (!BindArguments(heap, "round", arguments, {"precision", "method"}, 0, given) ||
      !AsIndex(heap, given[0], 0, precision)) {
    return Value();
  }
  const std::string_view method =
      given[1].Is(Kind::kString) ? given[1].string->view() : std::string_view("common");
  const bool known = method == "common" || method == "ceil" || method == "floor";
  if (!known || (!given[1].nothing() && !given[1].Is(Kind::kString))) {
    return Fail(heap, "method must be common, ceil or floor");
  }
  if (self.Is(Kind::kUndefined)) return FailUndefined(heap, self);
  if (!self.IsNumber()) {
    return Fail(heap, "type {} doesn't define __round__ method", TypeName(self));
  }
  if (method != "common") return RoundTo(heap, self, precision, method == "ceil");
  if (self.Is(Kind::kFloat)) return Value::Float(RoundFloat(self.real, precision));
  const Value integer = self.Is(Kind::kBool) ? Value::Int(self.boolean ? 1 : 0) : self;
  return RoundInteger(heap, integer, precision);
}

Value FileSize(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  Heap& heap = interpreter.heap();
  std::array<Value, 1> given;
  if (!BindArguments(heap, "filesizeformat", arguments, {"binary"}, 0, given)) return Value();
  std::optional<double> bytes;
  if (self.IsNumber()) bytes = ToDouble(self);
  if (self.Is(Kind::kString)) bytes = FloatFromText(self.string->view());
  if (self.Is(Kind::kUndefined)) return FailUndefined(heap, self);
  if (!bytes || !std::isfinite(*bytes)) {
    return Fail(heap, "could not convert {} to a number of bytes", ShortRepr(heap, self));
  }
  const bool binary = Truth(given[0]);
  const double base = binary ? 1024 : 1000;
  if (*bytes == 1) return MakeString(heap, "1 Byte", false);
  if (*bytes < base) {
    return MakeString(heap, fmt::format("{:.0f} Bytes", std::trunc(*bytes) + 0.0), false);
  }
  constexpr std::string_view kPrefixes = "kMGTPEZY";
  double unit = base;
  for (const char prefix : kPrefixes) {
    unit *= base;
    if (*bytes >= unit && prefix != kPrefixes.back()) continue;
    const std::string name =
        binary ? fmt::format("{}iB", prefix == 'k' ? 'K' : prefix) : fmt::format("{}B", prefix);
    return MakeString(heap, fmt::format("{:.1f} {}", base * *bytes / unit, name), false);
  }
  return Value();
}

constexpr NamedNative kFilters[] = {
    {"abs", Abs},     {"int", IntFilter},           {"float", FloatFilter},
    {"round", Round}, {"filesizeformat", FileSize},
};

}  // namespace

Native FindNumberFilter(std::string_view name) {
  for (const NamedNative& row : kFilters) {
    if (row.name == name) return row.native;
  }
  return nullptr;
}

}  // namespace tutti::text::jinja
