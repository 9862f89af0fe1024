// A parsed template: plain nodes, immutable, owned by the Program's heap.
//
// `position` is the byte offset in the source, for error messages. Names of variables are numbers
// into Program::names.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tutti/text/jinja_compare.h"
#include "tutti/text/jinja_number.h"
#include "tutti/text/jinja_value.h"

namespace tutti::text::jinja {

using NameId = uint32_t;

enum class ExprKind : uint8_t {
  kConst,
  kName,
  kTuple,
  kList,
  kDict,
  kAttribute,
  kItem,
  kSlice,
  kCall,
  kFilter,
  kTest,
  kBinary,
  kUnary,
  kConcat,
  kCompare,
  kLogic,
  kCondition,
};

struct Expr {
  ExprKind kind;
  uint32_t position;
};

struct ConstExpr : Expr {
  Value value;
};
struct NameExpr : Expr {
  NameId name;
};
struct SequenceExpr : Expr {  // tuple, list, concatenation by ~; for a dict: key, value, key, ...
  std::span<Expr* const> items;
};
struct AttributeExpr : Expr {
  Expr* object;
  Value name;  // a string
};
struct ItemExpr : Expr {
  Expr* object;
  Expr* index;
};
struct SliceExpr : Expr {
  Expr* object;
  Expr* start;  // nullptr where it is left out, also below
  Expr* stop;
  Expr* step;
};
struct NamedArgument {
  std::string_view name;
  Expr* value;
};
struct ArgumentExprs {
  std::span<Expr* const> positional;
  std::span<const NamedArgument> named;
  Expr* spread = nullptr;        // *expr
  Expr* spread_named = nullptr;  // **expr
};
struct CallExpr : Expr {
  Expr* callee;
  ArgumentExprs arguments;
};
struct FilterExpr : Expr {  // filter or test
  Expr* input;              // nullptr: the body of a filter block
  std::string_view name;
  Native native;  // nullptr: unknown, an error when it is reached
  ArgumentExprs arguments;
};
struct BinaryExpr : Expr {
  Operation operation;
  Expr* left;
  Expr* right;
};
enum class UnaryOperation : uint8_t { kNot, kMinus, kPlus };
struct UnaryExpr : Expr {
  UnaryOperation operation;
  Expr* operand;
};
enum class Comparison : uint8_t {
  kEqual,
  kNotEqual,
  kLess,
  kLessEqual,
  kGreater,
  kGreaterEqual,
  kIn,
  kNotIn,
};
struct CompareExpr : Expr {  // left op[0] right[0] op[1] right[1] ...
  Expr* left;
  std::span<const Comparison> comparisons;
  std::span<Expr* const> rights;
};
struct LogicExpr : Expr {
  bool is_and;
  Expr* left;
  Expr* right;
};
struct ConditionExpr : Expr {  // then if test else otherwise
  Expr* test;
  Expr* then;
  Expr* otherwise;  // nullptr: undefined
};

// What is assigned to: a name, namespace.attribute, or a tuple of targets.
struct Target {
  uint32_t position;
  NameId name = 0;
  Value attribute;  // nothing for a plain name
  std::span<Target* const> items;
  bool is_tuple = false;
};

enum class StatementKind : uint8_t {
  kText,
  kPrint,
  kIf,
  kFor,
  kSet,
  kSetBlock,
  kMacro,
  kCallBlock,
  kFilterBlock,
  kGeneration,
  kScope,
  kAutoescape,
  kBlock,
  kBreak,
  kContinue,
  kLoad,
};

struct Statement {
  StatementKind kind;
  uint32_t position;
};
using Body = std::span<Statement* const>;

struct TextStatement : Statement {
  const String* text;
};
struct PrintStatement : Statement {
  Expr* expr;
};
struct IfStatement : Statement {
  struct Branch {
    Expr* test;  // nullptr: else
    Body body;
  };
  std::span<const Branch> branches;
};
struct ForStatement : Statement {
  Target* target;
  Expr* iterable;
  Expr* filter;  // nullptr: none
  bool recursive;
  bool keeps_scope;  // a macro is defined inside and may outlive an iteration
  Body body;
  Body otherwise;
};
struct SetStatement : Statement {
  Target* target;
  Expr* value;
};
struct SetBlockStatement : Statement {
  Target* target;
  Expr* filter;  // nullptr: none; its innermost input is the body
  Body body;
};
// A macro, or the body of a call block, which is a macro named "caller".
struct MacroDefinition {
  std::string_view name;
  std::span<const NameId> parameters;
  std::span<const std::string_view> parameter_names;
  std::span<Expr* const> defaults;  // of the last parameters
  bool uses_caller = false;
  bool uses_kwargs = false;
  bool uses_varargs = false;
  Body body;
};
struct MacroStatement : Statement {
  NameId name;
  MacroDefinition macro;
};
struct CallBlockStatement : Statement {
  CallExpr* call;
  MacroDefinition body;
};
struct FilterBlockStatement : Statement {
  Expr* filter;
  Body body;
};
// {% generation %} marks what a model is trained on. Jinja runs its body like that of a call block.
struct GenerationStatement : Statement {
  MacroDefinition body;
};
struct ScopeStatement : Statement {  // with
  std::span<Target* const> targets;
  std::span<Expr* const> values;
  Body body;
};
struct AutoescapeStatement : Statement {
  Expr* value;
  Body body;
};
struct BlockStatement : Statement {
  NameId name;
  Body body;
};
struct LoadStatement : Statement {  // include, import, from, extends: always refused
  std::string_view tag;
};

// Names the renderer itself knows.
struct KnownNames {
  NameId loop, caller, varargs, kwargs, self;
};

// Larger sources are refused; published templates have less than 100 KB.
inline constexpr size_t kMaxSourceBytes = 4u << 20;

struct Program {
  explicit Program(const TemplateBudget& budget) : heap(budget), render_budget(budget) {}
  Heap heap;
  TemplateBudget render_budget;
  std::string source;  // normalised; texts and names point into it
  std::vector<std::string_view> names;
  KnownNames known{};
  Body body;
  std::vector<const BlockStatement*> blocks;
};

}  // namespace tutti::text::jinja
