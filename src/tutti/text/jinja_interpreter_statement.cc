#include <algorithm>

#include "tutti/text/jinja_globals.h"
#include "tutti/text/jinja_interpreter.h"
#include "tutti/text/jinja_iterate.h"
#include "tutti/text/jinja_operators.h"
#include "tutti/text/jinja_print.h"

namespace tutti::text::jinja {
namespace {

// Sets a member for the lifetime of the object.
template <typename T>
class Temporarily {
 public:
  Temporarily(T& member, T value) : member_(member), before_(member) { member_ = value; }
  ~Temporarily() { member_ = before_; }
  Temporarily(const Temporarily&) = delete;
  Temporarily& operator=(const Temporarily&) = delete;

 private:
  T& member_;
  T before_;
};

}  // namespace

Interpreter::Interpreter(const Program& program, Heap& heap, std::string_view now)
    : program_(program), heap_(heap), now_(now), root_(program.names.size()) {
  for (size_t i = 0; i < program.names.size(); ++i) {
    root_[i] = FindGlobal(heap_, program.names[i]);
  }
  root_[program.known.self] = Value::Self();
}

void Interpreter::SetVariable(std::string_view name, const Value& value) {
  for (size_t i = 0; i < program_.names.size(); ++i) {
    if (program_.names[i] == name) root_[i] = value;
  }
}

bool Interpreter::Run(Builder& out) {
  out_ = root_out_ = &out;
  return Exec(program_.body) != Flow::kFail && !heap_.failed();
}

Interpreter::Flow Interpreter::Exec(Body body) {
  const DepthGuard guard(heap_);
  if (!guard.ok()) return Flow::kFail;
  for (const Statement* statement : body) {
    const Flow flow = ExecOne(*statement);
    if (flow != Flow::kNext) return flow;
  }
  return Flow::kNext;
}

Interpreter::Flow Interpreter::ExecOne(const Statement& statement) {
  heap_.set_position(statement.position);
  if (!heap_.Step()) return Flow::kFail;
  switch (statement.kind) {
    case StatementKind::kText: {
      const String& text = *static_cast<const TextStatement&>(statement).text;
      if (out_ == root_out_ && !heap_.Output(text.bytes)) return Flow::kFail;
      return out_->Add(text) ? Flow::kNext : Flow::kFail;
    }
    case StatementKind::kPrint:
      return Print(static_cast<const PrintStatement&>(statement));
    case StatementKind::kIf:
      return ExecIf(static_cast<const IfStatement&>(statement));
    case StatementKind::kFor:
      return ExecFor(static_cast<const ForStatement&>(statement));
    case StatementKind::kSet:
      return ExecSet(static_cast<const SetStatement&>(statement));
    case StatementKind::kSetBlock:
      return ExecSetBlock(static_cast<const SetBlockStatement&>(statement));
    case StatementKind::kMacro:
      return ExecMacro(static_cast<const MacroStatement&>(statement));
    case StatementKind::kCallBlock:
      return ExecCallBlock(static_cast<const CallBlockStatement&>(statement));
    case StatementKind::kFilterBlock:
      return ExecFilterBlock(static_cast<const FilterBlockStatement&>(statement));
    case StatementKind::kGeneration:
      return ExecGeneration(static_cast<const GenerationStatement&>(statement));
    case StatementKind::kScope:
      return ExecScope(static_cast<const ScopeStatement&>(statement));
    case StatementKind::kAutoescape:
      return ExecAutoescape(static_cast<const AutoescapeStatement&>(statement));
    case StatementKind::kBlock:
      return ExecBlock(static_cast<const BlockStatement&>(statement));
    case StatementKind::kBreak:
      return Flow::kBreak;
    case StatementKind::kContinue:
      return Flow::kContinue;
    case StatementKind::kLoad:
      break;
  }
  Fail(heap_, "a chat template cannot {} other templates",
       static_cast<const LoadStatement&>(statement).tag);
  return Flow::kFail;
}

bool Interpreter::Emit(const Value& value) {
  if (value.nothing()) return false;
  const uint32_t before = out_->bytes();
  // Strings are the common case and are charged before they are copied.
  if (out_ == root_out_ && value.Is(Kind::kString) && !heap_.Output(value.string->bytes)) {
    return false;
  }
  if (!AppendStr(*out_, value)) return false;
  return out_ != root_out_ || value.Is(Kind::kString) || heap_.Output(out_->bytes() - before);
}

Interpreter::Flow Interpreter::Print(const PrintStatement& statement) {
  Value value = Eval(*statement.expr);
  if (!value.nothing() && autoescape_) value = Escape(heap_, value);
  return Emit(value) ? Flow::kNext : Flow::kFail;
}

Interpreter::Flow Interpreter::ExecIf(const IfStatement& statement) {
  for (const IfStatement::Branch& branch : statement.branches) {
    if (branch.test != nullptr) {
      const Value test = Eval(*branch.test);
      if (test.nothing()) return Flow::kFail;
      if (!Truth(test)) continue;
    }
    return Exec(branch.body);
  }
  return Flow::kNext;
}

Interpreter::Flow Interpreter::ExecSet(const SetStatement& statement) {
  const Value value = Eval(*statement.value);
  if (value.nothing()) return Flow::kFail;
  heap_.set_position(statement.position);
  return Assign(scope_, *statement.target, value) ? Flow::kNext : Flow::kFail;
}

Value Interpreter::Capture(Body body, Flow& flow) {
  Builder text(heap_);
  {
    const Temporarily<Builder*> to(out_, &text);
    flow = Exec(body);
  }
  return flow == Flow::kFail ? Value() : text.Finish(autoescape_);
}

Interpreter::Flow Interpreter::ExecSetBlock(const SetBlockStatement& statement) {
  Scope* const outer = scope_;
  Scope* inner = NewScope(outer);
  if (inner == nullptr) return Flow::kFail;
  Flow flow = Flow::kNext;
  Value value;
  {
    const Temporarily<Scope*> scope(scope_, inner);
    value = Capture(statement.body, flow);
    if (flow != Flow::kNext) return flow;
    if (statement.filter != nullptr) value = ApplyFilters(statement.filter, value);
  }
  if (value.nothing()) return Flow::kFail;
  return Assign(outer, *statement.target, value) ? Flow::kNext : Flow::kFail;
}

Value Interpreter::ApplyFilters(const Expr* filter, const Value& input) {
  const DepthGuard guard(heap_);
  if (!guard.ok()) return Value();
  const auto& expr = static_cast<const FilterExpr&>(*filter);
  const Value inner = expr.input == nullptr ? input : ApplyFilters(expr.input, input);
  return inner.nothing() ? Value() : ApplyFilter(filter, inner);
}

Interpreter::Flow Interpreter::ExecFilterBlock(const FilterBlockStatement& statement) {
  Scope* inner = NewScope(scope_);
  if (inner == nullptr) return Flow::kFail;
  const Temporarily<Scope*> scope(scope_, inner);
  Flow flow = Flow::kNext;
  const Value text = Capture(statement.body, flow);
  if (flow != Flow::kNext) return flow;
  const Value filtered = ApplyFilters(statement.filter, text);
  if (!filtered.nothing() && !filtered.Is(Kind::kString)) {
    Fail(heap_, "a filter block must give text, not {}", TypeName(filtered));
    return Flow::kFail;
  }
  return Emit(filtered) ? Flow::kNext : Flow::kFail;
}

Interpreter::Flow Interpreter::ExecMacro(const MacroStatement& statement) {
  const Macro* macro = heap_.New(Macro{&statement.macro, scope_});
  if (macro == nullptr) return Flow::kFail;
  return Bind(scope_, statement.name, Value::Of(macro)) ? Flow::kNext : Flow::kFail;
}

Interpreter::Flow Interpreter::ExecCallBlock(const CallBlockStatement& statement) {
  const Macro* body = heap_.New(Macro{&statement.body, scope_});
  if (body == nullptr) return Flow::kFail;
  const Value caller = Value::Of(body);
  Value text = EvalCall(*statement.call, &caller);
  if (!text.nothing() && autoescape_) text = Escape(heap_, text);
  return Emit(text) ? Flow::kNext : Flow::kFail;
}

Interpreter::Flow Interpreter::ExecGeneration(const GenerationStatement& statement) {
  const Macro* body = heap_.New(Macro{&statement.body, scope_});
  if (body == nullptr) return Flow::kFail;
  return Emit(CallMacro(Value::Of(body), {})) ? Flow::kNext : Flow::kFail;
}

Interpreter::Flow Interpreter::ExecScope(const ScopeStatement& statement) {
  Scope* inner = NewScope(scope_);
  if (inner == nullptr) return Flow::kFail;
  // The values do not see the new names.
  for (size_t i = 0; i < statement.targets.size(); ++i) {
    const Value value = Eval(*statement.values[i]);
    if (value.nothing() || !Assign(inner, *statement.targets[i], value)) return Flow::kFail;
  }
  const Temporarily<Scope*> scope(scope_, inner);
  return Exec(statement.body);
}

Interpreter::Flow Interpreter::ExecAutoescape(const AutoescapeStatement& statement) {
  const Value value = Eval(*statement.value);
  Scope* inner = NewScope(scope_);
  if (value.nothing() || inner == nullptr) return Flow::kFail;
  const Temporarily<Scope*> scope(scope_, inner);
  const Temporarily<bool> escape(autoescape_, Truth(value));
  return Exec(statement.body);
}

// A block sees the outermost variables only.
Interpreter::Flow Interpreter::ExecBlock(const BlockStatement& statement) {
  Scope* inner = NewScope(nullptr);
  if (inner == nullptr) return Flow::kFail;
  const Temporarily<Scope*> scope(scope_, inner);
  return Exec(statement.body);
}

Value Interpreter::CallBlock(NameId name) {
  for (const BlockStatement* block : program_.blocks) {
    if (block->name != name) continue;
    Builder text(heap_);
    const Temporarily<Builder*> to(out_, &text);
    return ExecBlock(*block) == Flow::kFail ? Value() : text.Finish(autoescape_);
  }
  return Fail(heap_, "the template has no such block");
}

Scope* Interpreter::NewScope(Scope* parent) { return heap_.New(Scope{parent}); }

bool Interpreter::Bind(Scope* scope, NameId name, const Value& value) {
  if (scope == nullptr) {
    root_[name] = value;
    return true;
  }
  for (uint32_t i = 0; i < scope->count; ++i) {
    if (scope->items[i].name == name) {
      scope->items[i].value = value;
      return true;
    }
  }
  if (scope->count == scope->capacity) {
    const uint32_t capacity = scope->capacity == 0 ? 4 : scope->capacity * 2;
    Binding* items = heap_.NewArray<Binding>(capacity);
    if (items == nullptr || !heap_.Step(scope->count)) return false;
    std::copy_n(scope->items, scope->count, items);
    scope->items = items;
    scope->capacity = capacity;
  }
  scope->items[scope->count++] = {name, value};
  return true;
}

bool Interpreter::AssignAttribute(const Target& target, const Value& value) {
  const Value object = EvalName(target.name);
  if (object.nothing()) return false;
  if (!object.Is(Kind::kNamespace)) {
    Fail(heap_, "cannot assign attribute on non-namespace object");
    return false;
  }
  return CheckNamespaceName(heap_, target.attribute) &&
         DictSet(heap_, *object.dict, target.attribute, value);
}

bool Interpreter::Assign(Scope* scope, const Target& target, const Value& value) {
  const DepthGuard guard(heap_);
  if (!guard.ok()) return false;
  if (!target.attribute.nothing()) return AssignAttribute(target, value);
  if (!target.is_tuple) return Bind(scope, target.name, value);
  const List* items = ItemsOf(heap_, value);
  if (items == nullptr) return false;
  if (items->count != target.items.size()) {
    if (items->count > target.items.size()) {
      Fail(heap_, "too many values to unpack (expected {})", target.items.size());
    } else {
      Fail(heap_, "not enough values to unpack (expected {}, got {})", target.items.size(),
           items->count);
    }
    return false;
  }
  for (size_t i = 0; i < target.items.size(); ++i) {
    if (!Assign(scope, *target.items[i], items->items[i])) return false;
  }
  return true;
}

}  // namespace tutti::text::jinja
