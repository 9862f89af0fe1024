// Calls: macros with their arguments, recursive loops, joiners; and running loops.
#include <algorithm>

#include "tutti/text/jinja_interpreter.h"
#include "tutti/text/jinja_iterate.h"
#include "tutti/text/jinja_operators.h"

namespace tutti::text::jinja {
namespace {

Value TakeNamed(std::vector<Keyword>& named, std::string_view name) {
  for (auto it = named.begin(); it != named.end(); ++it) {
    if (it->name != name) continue;
    const Value value = it->value;
    named.erase(it);
    return value;
  }
  return Value();
}

}  // namespace

Value Interpreter::Call(const Value& callee, const Arguments& arguments) {
  const DepthGuard guard(heap_);
  if (!guard.ok() || !heap_.Step()) return Value();
  switch (callee.kind) {
    case Kind::kFunction:
      return callee.function->call(*this, callee.function->self, arguments);
    case Kind::kMacro:
      return CallMacro(callee, arguments);
    case Kind::kLoop:
      return CallLoop(callee, arguments);
    case Kind::kJoiner:
      return CallJoiner(callee, arguments);
    case Kind::kUndefined:
      return FailUndefined(heap_, callee);
    default:
      return Fail(heap_, "'{}' object is not callable", TypeName(callee));
  }
}

Value Interpreter::CallMacro(const Value& callee, const Arguments& arguments) {
  const Macro& macro = *callee.macro;
  Scope* inner = NewScope(macro.scope);
  if (inner == nullptr) return Value();
  Scope* const scope = scope_;
  scope_ = inner;
  Value text;
  if (BindParameters(macro, arguments, *inner)) {
    Flow flow = Flow::kNext;
    text = Capture(macro.definition->body, flow);
  }
  scope_ = scope;
  return text;
}

bool Interpreter::BindParameters(const Macro& macro, const Arguments& arguments, Scope& scope) {
  const MacroDefinition& definition = *macro.definition;
  const size_t count = definition.parameters.size();
  std::vector<Keyword> named(arguments.named.begin(), arguments.named.end());
  if (!heap_.Step(named.size() * (count + 1))) return false;
  std::vector<Value> values(count);
  bool found_caller = false;
  for (size_t i = 0; i < count; ++i) {
    const bool given = i < arguments.positional.size();
    found_caller = found_caller || definition.parameter_names[i] == "caller";
    values[i] = given ? arguments.positional[i] : TakeNamed(named, definition.parameter_names[i]);
  }
  if (definition.uses_caller && !found_caller) {
    Value caller = TakeNamed(named, "caller");
    if (caller.nothing()) caller = MakeUndefined(heap_, "No caller defined");
    if (caller.nothing() || !Bind(&scope, program_.known.caller, caller)) return false;
  }
  if (!BindSpecial(macro, arguments, named, scope)) return false;
  // Defaults see the parameters before them.
  const size_t first_default = count - definition.defaults.size();
  for (size_t i = 0; i < count; ++i) {
    Value value = values[i];
    if (value.nothing()) {
      value = i >= first_default ? Eval(*definition.defaults[i - first_default])
                                 : MakeUndefinedName(heap_, definition.parameter_names[i]);
    }
    if (value.nothing() || !Bind(&scope, definition.parameters[i], value)) return false;
  }
  return true;
}

// kwargs and varargs, or the error that there are arguments nobody takes.
bool Interpreter::BindSpecial(const Macro& macro, const Arguments& arguments,
                              std::vector<Keyword>& unused, Scope& scope) {
  const MacroDefinition& definition = *macro.definition;
  const size_t count = definition.parameters.size();
  if (definition.uses_kwargs) {
    Dict* kwargs = NewDict(heap_, static_cast<uint32_t>(unused.size()));
    if (kwargs == nullptr) return false;
    for (const Keyword& keyword : unused) {
      const Value name = MakeString(heap_, keyword.name, false);
      if (name.nothing() || !DictSet(heap_, *kwargs, name, keyword.value)) return false;
    }
    if (!Bind(&scope, program_.known.kwargs, Value::Of(kwargs))) return false;
  } else if (!unused.empty()) {
    if (unused[0].name == "caller") {
      Fail(heap_,
           "macro '{}' was invoked with two values for the special caller argument. This is "
           "most likely a bug.",
           definition.name);
    } else {
      Fail(heap_, "macro '{}' takes no keyword argument '{}'", definition.name, unused[0].name);
    }
    return false;
  }
  const size_t given = arguments.positional.size();
  if (definition.uses_varargs) {
    const Value rest = MakeTuple(heap_, arguments.positional.subspan(std::min(count, given)));
    return !rest.nothing() && Bind(&scope, program_.known.varargs, rest);
  }
  if (given > count) {
    Fail(heap_, "macro '{}' takes not more than {} argument(s)", definition.name, count);
    return false;
  }
  return true;
}

Value Interpreter::CallLoop(const Value& callee, const Arguments& arguments) {
  if (!callee.loop->statement->recursive) {
    return Fail(heap_, "The loop must have the 'recursive' marker to be called recursively.");
  }
  if (arguments.positional.size() != 1 || !arguments.named.empty()) {
    return Fail(heap_, "loop() takes exactly one argument");
  }
  return RunLoopAsCall(*callee.loop, arguments.positional[0]);
}

Value Interpreter::CallJoiner(const Value& callee, const Arguments& arguments) {
  if (!arguments.positional.empty() || !arguments.named.empty()) {
    return Fail(heap_, "a joiner takes no arguments");
  }
  JoinState& joiner = *callee.joiner;
  if (joiner.used) return joiner.separator;
  joiner.used = true;
  return MakeString(heap_, "", true);
}

Loop* Interpreter::NewLoop(const ForStatement& statement, const Value& iterable) {
  Loop loop{};
  loop.interpreter = this;
  loop.statement = &statement;
  if (iterable.Is(Kind::kIterator)) {
    loop.iterator = iterable.iterator;
  } else {
    loop.source = ItemsOf(heap_, iterable);
    if (loop.source == nullptr) return nullptr;
  }
  return heap_.New(loop);
}

Interpreter::Flow Interpreter::ExecFor(const ForStatement& statement) {
  const Value iterable = Eval(*statement.iterable);
  if (iterable.nothing()) return Flow::kFail;
  heap_.set_position(statement.position);
  Loop* loop = NewLoop(statement, iterable);
  if (loop == nullptr) return Flow::kFail;
  loop->outer = scope_;
  return RunLoop(*loop);
}

Interpreter::Flow Interpreter::RunLoop(Loop& loop) {
  const ForStatement& statement = *loop.statement;
  Scope* const outer = scope_;
  if (statement.filter == nullptr && loop.source != nullptr) loop.length = loop.source->count;
  Scope* inner = NewScope(loop.outer);
  Flow flow = Flow::kNext;
  bool finished = false;
  while (inner != nullptr && LoopAdvance(loop)) {
    // A macro defined in the body keeps the variables of its iteration.
    if (statement.keeps_scope && loop.index0 > 0) inner = NewScope(loop.outer);
    if (inner == nullptr) break;
    inner->count = 0;
    scope_ = inner;
    const bool bound = Assign(inner, *statement.target, loop.current) &&
                       Bind(inner, program_.known.loop, Value::Of(&loop));
    flow = bound ? Exec(statement.body) : Flow::kFail;
    scope_ = outer;
    if (flow == Flow::kBreak) break;
    if (flow == Flow::kFail) return flow;
    finished = finished || flow == Flow::kNext;
  }
  if (heap_.failed()) return Flow::kFail;
  // Jinja's own meaning of else: no iteration came to its end.
  if (finished || statement.otherwise.empty()) return Flow::kNext;
  scope_ = NewScope(loop.outer);
  flow = scope_ == nullptr ? Flow::kFail : Exec(statement.otherwise);
  scope_ = outer;
  return flow;
}

Value Interpreter::RunLoopAsCall(Loop& outer, const Value& items) {
  Loop* loop = NewLoop(*outer.statement, items);
  if (loop == nullptr) return Value();
  loop->outer = outer.outer;
  loop->depth0 = outer.depth0 + 1;
  Builder text(heap_);
  Builder* const out = out_;
  out_ = &text;
  const Flow flow = RunLoop(*loop);
  out_ = out;
  return flow == Flow::kFail ? Value() : text.Finish(autoescape_);
}

bool Interpreter::LoopTakes(Loop& loop, const Value& item) {
  const ForStatement& statement = *loop.statement;
  if (statement.filter == nullptr || loop.prefiltered) return true;
  Scope* inner = NewScope(loop.outer);
  if (inner == nullptr || !Assign(inner, *statement.target, item)) return false;
  Scope* const scope = scope_;
  scope_ = inner;
  const Value taken = Eval(*statement.filter);
  scope_ = scope;
  return !taken.nothing() && Truth(taken);
}

}  // namespace tutti::text::jinja
