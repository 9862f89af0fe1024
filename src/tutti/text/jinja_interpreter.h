// Runs a Program: walks its nodes, with every step charged to the heap.
//
// Evaluation returns nothing (Value::nothing) after an error whose reason is in the heap. Lives for
// one rendering, on one thread; the Program is not changed.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "tutti/text/jinja_ast.h"
#include "tutti/text/jinja_loop.h"
#include "tutti/text/jinja_string.h"

namespace tutti::text::jinja {

struct Binding {
  NameId name;
  Value value;
};

// Variables of a loop, macro or block. The outermost ones are in Interpreter::root_.
struct Scope {
  Scope* parent;
  Binding* items = nullptr;
  uint32_t count = 0;
  uint32_t capacity = 0;
};

// A macro with the variables it was defined among.
struct Macro {
  const MacroDefinition* definition;
  Scope* scope;
};

class Interpreter {
 public:
  // `now` is the local time, "2026-01-15T12:34:56".
  Interpreter(const Program& program, Heap& heap, std::string_view now);

  void SetVariable(std::string_view name, const Value& value);
  // False after an error.
  bool Run(Builder& out);

  Heap& heap() { return heap_; }
  const Program& program() const { return program_; }
  std::string_view now() const { return now_; }
  bool autoescape() const { return autoescape_; }

  Value Call(const Value& callee, const Arguments& arguments);
  // The body of a {% block %}, for self.name().
  Value CallBlock(NameId name);

  // --- for loops (jinja_loop.cc)
  // Whether the loop's filter takes the item; true without a filter.
  bool LoopTakes(Loop& loop, const Value& item);
  // loop(items) of a recursive loop.
  Value RunLoopAsCall(Loop& outer, const Value& items);

 private:
  enum class Flow : uint8_t { kNext, kBreak, kContinue, kFail };

  // --- expressions
  Value Eval(const Expr& expr);
  Value EvalName(NameId name);
  Value EvalSequence(const SequenceExpr& expr);
  Value EvalDict(const SequenceExpr& expr);
  Value EvalAttribute(const AttributeExpr& expr);
  Value EvalItem(const ItemExpr& expr);
  Value EvalSlice(const SliceExpr& expr);
  Value EvalCall(const CallExpr& expr, const Value* caller);
  Value EvalFilter(const FilterExpr& expr);
  Value EvalBinary(const BinaryExpr& expr);
  Value EvalUnary(const UnaryExpr& expr);
  Value EvalConcat(const SequenceExpr& expr);
  Value EvalCompare(const CompareExpr& expr);
  Value CompareOnce(Comparison comparison, const Value& left, const Value& right);
  Value EvalLogic(const LogicExpr& expr);
  Value EvalCondition(const ConditionExpr& expr);
  bool EvalItems(std::span<Expr* const> items, std::vector<Value>& out);
  bool EvalArguments(const ArgumentExprs& exprs, std::vector<Value>& positional,
                     std::vector<Keyword>& named);
  bool Spread(const Value& value, std::vector<Value>& positional);
  bool SpreadNamed(const Value& value, std::vector<Keyword>& named);
  Value ApplyFilter(const Expr* filter, const Value& input);
  // The chain of a filter or set block: its innermost filter takes `input`.
  Value ApplyFilters(const Expr* filter, const Value& input);

  // --- statements
  Flow Exec(Body body);
  Flow ExecOne(const Statement& statement);
  Flow Print(const PrintStatement& statement);
  Flow ExecIf(const IfStatement& statement);
  Flow ExecFor(const ForStatement& statement);
  Flow ExecSet(const SetStatement& statement);
  Flow ExecSetBlock(const SetBlockStatement& statement);
  Flow ExecMacro(const MacroStatement& statement);
  Flow ExecCallBlock(const CallBlockStatement& statement);
  Flow ExecFilterBlock(const FilterBlockStatement& statement);
  Flow ExecGeneration(const GenerationStatement& statement);
  Flow ExecScope(const ScopeStatement& statement);
  Flow ExecAutoescape(const AutoescapeStatement& statement);
  Flow ExecBlock(const BlockStatement& statement);
  Loop* NewLoop(const ForStatement& statement, const Value& iterable);
  Flow RunLoop(Loop& loop);
  bool Emit(const Value& value);
  // Runs a body into a string of its own.
  Value Capture(Body body, Flow& flow);

  // --- calls
  Value CallMacro(const Value& callee, const Arguments& arguments);
  bool BindParameters(const Macro& macro, const Arguments& arguments, Scope& scope);
  bool BindSpecial(const Macro& macro, const Arguments& arguments, std::vector<Keyword>& unused,
                   Scope& scope);
  Value CallLoop(const Value& callee, const Arguments& arguments);
  Value CallJoiner(const Value& callee, const Arguments& arguments);

  // --- variables
  Scope* NewScope(Scope* parent);
  bool Bind(Scope* scope, NameId name, const Value& value);  // nullptr: the root
  bool Assign(Scope* scope, const Target& target, const Value& value);
  bool AssignAttribute(const Target& target, const Value& value);

  const Program& program_;
  Heap& heap_;
  std::string now_;
  std::vector<Value> root_;  // [names]
  Scope* scope_ = nullptr;
  Builder* out_ = nullptr;
  Builder* root_out_ = nullptr;
  bool autoescape_ = false;
};

}  // namespace tutti::text::jinja
