#include <algorithm>

#include "tutti/text/jinja_filters.h"
#include "tutti/text/jinja_interpreter.h"
#include "tutti/text/jinja_iterate.h"
#include "tutti/text/jinja_operators.h"
#include "tutti/text/jinja_print.h"

namespace tutti::text::jinja {

Value Interpreter::Eval(const Expr& expr) {
  heap_.set_position(expr.position);
  if (!heap_.Step()) return Value();
  if (expr.kind == ExprKind::kConst) return static_cast<const ConstExpr&>(expr).value;
  if (expr.kind == ExprKind::kName) return EvalName(static_cast<const NameExpr&>(expr).name);
  const DepthGuard guard(heap_);
  if (!guard.ok()) return Value();
  switch (expr.kind) {
    case ExprKind::kTuple:
    case ExprKind::kList:
      return EvalSequence(static_cast<const SequenceExpr&>(expr));
    case ExprKind::kDict:
      return EvalDict(static_cast<const SequenceExpr&>(expr));
    case ExprKind::kAttribute:
      return EvalAttribute(static_cast<const AttributeExpr&>(expr));
    case ExprKind::kItem:
      return EvalItem(static_cast<const ItemExpr&>(expr));
    case ExprKind::kSlice:
      return EvalSlice(static_cast<const SliceExpr&>(expr));
    case ExprKind::kCall:
      return EvalCall(static_cast<const CallExpr&>(expr), nullptr);
    case ExprKind::kFilter:
    case ExprKind::kTest:
      return EvalFilter(static_cast<const FilterExpr&>(expr));
    case ExprKind::kBinary:
      return EvalBinary(static_cast<const BinaryExpr&>(expr));
    case ExprKind::kUnary:
      return EvalUnary(static_cast<const UnaryExpr&>(expr));
    case ExprKind::kConcat:
      return EvalConcat(static_cast<const SequenceExpr&>(expr));
    case ExprKind::kCompare:
      return EvalCompare(static_cast<const CompareExpr&>(expr));
    case ExprKind::kLogic:
      return EvalLogic(static_cast<const LogicExpr&>(expr));
    case ExprKind::kCondition:
      return EvalCondition(static_cast<const ConditionExpr&>(expr));
    default:
      return Value();
  }
}

Value Interpreter::EvalName(NameId name) {
  for (const Scope* scope = scope_; scope != nullptr; scope = scope->parent) {
    for (uint32_t i = 0; i < scope->count; ++i) {
      if (scope->items[i].name == name) return scope->items[i].value;
    }
  }
  if (!root_[name].nothing()) return root_[name];
  return MakeUndefinedName(heap_, program_.names[name]);
}

bool Interpreter::EvalItems(std::span<Expr* const> items, std::vector<Value>& out) {
  out.reserve(items.size());
  for (const Expr* item : items) {
    out.push_back(Eval(*item));
    if (out.back().nothing()) return false;
  }
  return true;
}

Value Interpreter::EvalSequence(const SequenceExpr& expr) {
  std::vector<Value> items;
  if (!EvalItems(expr.items, items)) return Value();
  const List* list = MakeList(heap_, items);
  return expr.kind == ExprKind::kList ? Value::Of(list) : Value::Tuple(list);
}

Value Interpreter::EvalDict(const SequenceExpr& expr) {
  Dict* dict = NewDict(heap_, static_cast<uint32_t>(expr.items.size() / 2));
  if (dict == nullptr) return Value();
  for (size_t i = 0; i + 1 < expr.items.size(); i += 2) {
    const Value key = Eval(*expr.items[i]);
    if (key.nothing()) return Value();
    const Value value = Eval(*expr.items[i + 1]);
    if (value.nothing() || !DictSet(heap_, *dict, key, value)) return Value();
  }
  return Value::Of(dict);
}

Value Interpreter::EvalAttribute(const AttributeExpr& expr) {
  const Value object = Eval(*expr.object);
  if (object.nothing()) return Value();
  heap_.set_position(expr.position);
  return GetAttribute(*this, object, expr.name);
}

Value Interpreter::EvalItem(const ItemExpr& expr) {
  const Value object = Eval(*expr.object);
  if (object.nothing()) return Value();
  const Value index = Eval(*expr.index);
  if (index.nothing()) return Value();
  heap_.set_position(expr.position);
  return GetItem(*this, object, index);
}

Value Interpreter::EvalSlice(const SliceExpr& expr) {
  const Value object = Eval(*expr.object);
  if (object.nothing()) return Value();
  Value bounds[3];
  const Expr* const parts[3] = {expr.start, expr.stop, expr.step};
  for (int i = 0; i < 3; ++i) {
    bounds[i] = parts[i] == nullptr ? Value::None() : Eval(*parts[i]);
    if (bounds[i].nothing()) return Value();
  }
  heap_.set_position(expr.position);
  return GetSlice(heap_, object, bounds[0], bounds[1], bounds[2]);
}

bool Interpreter::Spread(const Value& value, std::vector<Value>& positional) {
  const List* items = ItemsOf(heap_, value);
  if (items == nullptr || !heap_.Charge(items->count * sizeof(Value))) return false;
  positional.insert(positional.end(), items->items, items->items + items->count);
  return true;
}

bool Interpreter::SpreadNamed(const Value& value, std::vector<Keyword>& named) {
  if (!value.Is(Kind::kDict)) {
    Fail(heap_, "argument after ** must be a mapping, not {}", TypeName(value));
    return false;
  }
  if (!heap_.Charge(value.dict->count * sizeof(Keyword))) return false;
  for (const DictEntry& entry : value.dict->view()) {
    if (!entry.key.Is(Kind::kString)) {
      Fail(heap_, "keywords must be strings");
      return false;
    }
    const std::string_view name = entry.key.string->view();
    for (const Keyword& other : named) {
      if (!heap_.Step()) return false;
      if (other.name == name) {
        Fail(heap_, "got multiple values for keyword argument '{}'", name);
        return false;
      }
    }
    named.push_back({name, entry.value});
  }
  return true;
}

bool Interpreter::EvalArguments(const ArgumentExprs& exprs, std::vector<Value>& positional,
                                std::vector<Keyword>& named) {
  if (!EvalItems(exprs.positional, positional)) return false;
  if (exprs.spread != nullptr) {
    const Value more = Eval(*exprs.spread);
    if (more.nothing() || !Spread(more, positional)) return false;
  }
  for (const NamedArgument& argument : exprs.named) {
    const Value value = Eval(*argument.value);
    if (value.nothing()) return false;
    named.push_back({argument.name, value});
  }
  if (exprs.spread_named == nullptr) return true;
  const Value more = Eval(*exprs.spread_named);
  return !more.nothing() && SpreadNamed(more, named);
}

// `caller`: the body of a call block, passed as the keyword of that name.
Value Interpreter::EvalCall(const CallExpr& expr, const Value* caller) {
  const Value callee = Eval(*expr.callee);
  if (callee.nothing()) return Value();
  std::vector<Value> positional;
  std::vector<Keyword> named;
  if (!EvalArguments(expr.arguments, positional, named)) return Value();
  if (caller != nullptr) named.push_back({"caller", *caller});
  heap_.set_position(expr.position);
  return Call(callee, {positional, named});
}

Value Interpreter::EvalFilter(const FilterExpr& expr) {
  const Value input = Eval(*expr.input);
  return input.nothing() ? Value() : ApplyFilter(&expr, input);
}

Value Interpreter::ApplyFilter(const Expr* filter, const Value& input) {
  const auto& expr = static_cast<const FilterExpr&>(*filter);
  if (expr.native == nullptr) {
    heap_.set_position(expr.position);
    return Fail(heap_, "No {} named '{}'.", expr.kind == ExprKind::kTest ? "test" : "filter",
                expr.name);
  }
  std::vector<Value> positional;
  std::vector<Keyword> named;
  if (!EvalArguments(expr.arguments, positional, named)) return Value();
  heap_.set_position(expr.position);
  return expr.native(*this, input, {positional, named});
}

Value Interpreter::EvalBinary(const BinaryExpr& expr) {
  const Value left = Eval(*expr.left);
  if (left.nothing()) return Value();
  const Value right = Eval(*expr.right);
  if (right.nothing()) return Value();
  heap_.set_position(expr.position);
  return Operate(*this, expr.operation, left, right);
}

Value Interpreter::EvalUnary(const UnaryExpr& expr) {
  const Value operand = Eval(*expr.operand);
  if (operand.nothing()) return Value();
  if (expr.operation == UnaryOperation::kNot) return Value::Bool(!Truth(operand));
  heap_.set_position(expr.position);
  if (operand.Is(Kind::kUndefined)) return FailUndefined(heap_, operand);
  const bool minus = expr.operation == UnaryOperation::kMinus;
  if (!operand.IsNumber()) {
    return Fail(heap_, "bad operand type for unary {}: '{}'", minus ? '-' : '+', TypeName(operand));
  }
  if (minus) return Negate(heap_, operand);
  return operand.Is(Kind::kBool) ? Value::Int(operand.boolean ? 1 : 0) : operand;
}

Value Interpreter::EvalConcat(const SequenceExpr& expr) {
  std::vector<Value> parts;
  if (!EvalItems(expr.items, parts)) return Value();
  const bool escapes =
      autoescape_ && std::any_of(parts.begin(), parts.end(), [](const Value& part) {
        return part.Is(Kind::kString) && part.string->safe;
      });
  if (!escapes && parts[0].Is(Kind::kString) && parts[0].string->bytes >= kGrowsFrom) {
    // Text that is put together piece by piece: x = x ~ y.
    Value whole = parts[0];
    for (size_t i = 1; i < parts.size() && !whole.nothing(); ++i) {
      const Value text = ToStr(heap_, parts[i]);
      whole = text.nothing() ? text : Append(heap_, *whole.string, *text.string);
    }
    return whole;
  }
  Builder out(heap_);
  for (const Value& part : parts) {
    const Value text = escapes ? Escape(heap_, part) : part;
    if (text.nothing() || !AppendStr(out, text)) return Value();
  }
  return out.Finish(escapes);
}

Value Interpreter::CompareOnce(Comparison comparison, const Value& left, const Value& right) {
  std::optional<bool> result;
  switch (comparison) {
    case Comparison::kEqual:
    case Comparison::kNotEqual:
      result = Equal(heap_, left, right);
      break;
    case Comparison::kLess:
      result = Compare(heap_, Order::kLess, left, right);
      break;
    case Comparison::kLessEqual:
      result = Compare(heap_, Order::kLessEqual, left, right);
      break;
    case Comparison::kGreater:
      result = Compare(heap_, Order::kGreater, left, right);
      break;
    case Comparison::kGreaterEqual:
      result = Compare(heap_, Order::kGreaterEqual, left, right);
      break;
    case Comparison::kIn:
    case Comparison::kNotIn:
      result = Contains(heap_, right, left);
      break;
  }
  if (!result || heap_.failed()) return Value();
  const bool negate = comparison == Comparison::kNotEqual || comparison == Comparison::kNotIn;
  return Value::Bool(*result != negate);
}

Value Interpreter::EvalCompare(const CompareExpr& expr) {
  Value left = Eval(*expr.left);
  if (left.nothing()) return Value();
  Value result;
  for (size_t i = 0; i < expr.comparisons.size(); ++i) {
    const Value right = Eval(*expr.rights[i]);
    if (right.nothing()) return Value();
    heap_.set_position(expr.position);
    result = CompareOnce(expr.comparisons[i], left, right);
    if (result.nothing() || !result.boolean) return result;
    left = right;
  }
  return result;
}

Value Interpreter::EvalLogic(const LogicExpr& expr) {
  const Value left = Eval(*expr.left);
  if (left.nothing() || Truth(left) != expr.is_and) return left;
  return Eval(*expr.right);
}

Value Interpreter::EvalCondition(const ConditionExpr& expr) {
  const Value test = Eval(*expr.test);
  if (test.nothing()) return Value();
  if (Truth(test)) return Eval(*expr.then);
  if (expr.otherwise != nullptr) return Eval(*expr.otherwise);
  return MakeUndefined(
      heap_, "the inline if-expression evaluated to false and no else section was defined.");
}

}  // namespace tutti::text::jinja
