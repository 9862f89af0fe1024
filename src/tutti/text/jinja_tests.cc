// Jinja's tests: what may stand behind `is`.
#include <array>

#include "tutti/text/jinja_arguments.h"
#include "tutti/text/jinja_compare.h"
#include "tutti/text/jinja_filters.h"
#include "tutti/text/jinja_interpreter.h"
#include "tutti/text/jinja_iterate.h"
#include "tutti/text/jinja_methods.h"
#include "tutti/text/jinja_number.h"
#include "tutti/text/jinja_operators.h"
#include "tutti/text/jinja_print.h"

namespace tutti::text::jinja {
namespace {

// Tests of the value alone.
template <bool (*kIs)(const Value&)>
Value Plain(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  if (!BindPositional(interpreter.heap(), "this test", arguments, 0, {})) return Value();
  return Value::Bool(kIs(self));
}

bool IsDefined(const Value& v) { return !v.Is(Kind::kUndefined); }
bool IsUndefined(const Value& v) { return v.Is(Kind::kUndefined); }
bool IsNone(const Value& v) { return v.Is(Kind::kNone); }
bool IsBoolean(const Value& v) { return v.Is(Kind::kBool); }
bool IsTrue(const Value& v) { return v.Is(Kind::kBool) && v.boolean; }
bool IsFalse(const Value& v) { return v.Is(Kind::kBool) && !v.boolean; }
bool IsIntegerValue(const Value& v) { return v.IsInteger() && !v.Is(Kind::kBool); }
bool IsFloat(const Value& v) { return v.Is(Kind::kFloat); }
bool IsNumberValue(const Value& v) { return v.IsNumber(); }
bool IsString(const Value& v) { return v.Is(Kind::kString); }
bool IsMapping(const Value& v) { return v.Is(Kind::kDict); }
bool IsIterableValue(const Value& v) { return IsIterable(v); }
bool IsEscaped(const Value& v) { return v.Is(Kind::kString) && v.string->safe; }
bool IsCallable(const Value& v) {
  return v.Is(Kind::kFunction) || v.Is(Kind::kMacro) || v.Is(Kind::kLoop) || v.Is(Kind::kJoiner) ||
         v.Is(Kind::kUndefined);
}
// What has a length and can be indexed.
bool IsSequence(const Value& v) {
  return HasLength(v) && !v.Is(Kind::kDictView) && !v.Is(Kind::kLoop);
}

// value % 2 == rest, with Python's meaning of % for strings.
Value Modulo(Interpreter& interpreter, const Value& self, const Value& by, int64_t rest) {
  const Value modulo = Operate(interpreter, Operation::kMod, self, by);
  if (modulo.nothing()) return Value();
  const auto equal = Equal(interpreter.heap(), modulo, Value::Int(rest));
  return equal ? Value::Bool(*equal) : Value();
}

template <int kRest>
Value Parity(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  if (!BindPositional(interpreter.heap(), "this test", arguments, 0, {})) return Value();
  return Modulo(interpreter, self, Value::Int(2), kRest);
}

Value DivisibleBy(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  std::array<Value, 1> given;
  if (!BindArguments(interpreter.heap(), "divisibleby", arguments, {"num"}, 1, given)) {
    return Value();
  }
  return Modulo(interpreter, self, given[0], 0);
}

template <bool kUpper>
Value CaseTest(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  const Value text = PlainStr(interpreter.heap(), self);
  if (text.nothing()) return Value();
  return FindStringMethod(kUpper ? "isupper" : "islower")(interpreter, text, arguments);
}

Value SameAs(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  std::array<Value, 1> given;
  if (!BindArguments(interpreter.heap(), "sameas", arguments, {"other"}, 1, given)) {
    return Value();
  }
  return Value::Bool(Same(self, given[0]));
}

Value InTest(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  std::array<Value, 1> given;
  if (!BindArguments(interpreter.heap(), "in", arguments, {"seq"}, 1, given)) return Value();
  const auto found = Contains(interpreter.heap(), given[0], self);
  return found && !interpreter.heap().failed() ? Value::Bool(*found) : Value();
}

template <bool kEqual>
Value EqualTest(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  std::array<Value, 1> given;
  if (!BindPositional(interpreter.heap(), "this test", arguments, 1, given)) return Value();
  const auto equal = Equal(interpreter.heap(), self, given[0]);
  return equal ? Value::Bool(*equal == kEqual) : Value();
}

template <Order kOrder>
Value OrderTest(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  std::array<Value, 1> given;
  if (!BindPositional(interpreter.heap(), "this test", arguments, 1, given)) return Value();
  const auto result = Compare(interpreter.heap(), kOrder, self, given[0]);
  return result ? Value::Bool(*result) : Value();
}

template <Native (*kFind)(std::string_view)>
Value NameTest(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  if (!BindPositional(interpreter.heap(), "this test", arguments, 0, {})) return Value();
  if (!Hash(interpreter.heap(), self)) return Value();  // looked up in a dict by Jinja
  return Value::Bool(self.Is(Kind::kString) && kFind(self.string->view()) != nullptr);
}

constexpr NamedNative kTests[] = {
    {"defined", Plain<IsDefined>},
    {"undefined", Plain<IsUndefined>},
    {"none", Plain<IsNone>},
    {"boolean", Plain<IsBoolean>},
    {"true", Plain<IsTrue>},
    {"false", Plain<IsFalse>},
    {"integer", Plain<IsIntegerValue>},
    {"float", Plain<IsFloat>},
    {"number", Plain<IsNumberValue>},
    {"string", Plain<IsString>},
    {"mapping", Plain<IsMapping>},
    {"iterable", Plain<IsIterableValue>},
    {"sequence", Plain<IsSequence>},
    {"callable", Plain<IsCallable>},
    {"escaped", Plain<IsEscaped>},
    {"odd", Parity<1>},
    {"even", Parity<0>},
    {"divisibleby", DivisibleBy},
    {"upper", CaseTest<true>},
    {"lower", CaseTest<false>},
    {"sameas", SameAs},
    {"in", InTest},
    {"filter", NameTest<FindFilter>},
    {"test", NameTest<FindTest>},
    {"==", EqualTest<true>},
    {"eq", EqualTest<true>},
    {"equalto", EqualTest<true>},
    {"!=", EqualTest<false>},
    {"ne", EqualTest<false>},
    {"<", OrderTest<Order::kLess>},
    {"lt", OrderTest<Order::kLess>},
    {"lessthan", OrderTest<Order::kLess>},
    {"<=", OrderTest<Order::kLessEqual>},
    {"le", OrderTest<Order::kLessEqual>},
    {">", OrderTest<Order::kGreater>},
    {"gt", OrderTest<Order::kGreater>},
    {"greaterthan", OrderTest<Order::kGreater>},
    {">=", OrderTest<Order::kGreaterEqual>},
    {"ge", OrderTest<Order::kGreaterEqual>},
};

}  // namespace

Native FindTest(std::string_view name) {
  for (const NamedNative& row : kTests) {
    if (row.name == name) return row.native;
  }
  return nullptr;
}

}  // namespace tutti::text::jinja
