// Expressions, by precedence climbing: one stack frame per operator level that is really there.
#include <array>

#include "tutti/text/jinja_filters.h"
#include "tutti/text/jinja_parser_state.h"
#include "tutti/text/jinja_string.h"

namespace tutti::text::jinja {
namespace {

// From weak to strong. "not" and comparisons have their own code.
enum Level { kOr, kAnd, kNot, kComparison, kSum, kConcat, kProduct, kPower, kNoOperator };

struct OperatorRow {
  std::string_view sign;
  Level level;
  Operation operation;
};
constexpr std::array<OperatorRow, 7> kOperators = {{
    {"+", kSum, Operation::kAdd},
    {"-", kSum, Operation::kSub},
    {"*", kProduct, Operation::kMul},
    {"/", kProduct, Operation::kDiv},
    {"//", kProduct, Operation::kFloorDiv},
    {"%", kProduct, Operation::kMod},
    {"**", kPower, Operation::kPow},
}};

const OperatorRow* FindOperator(const Token& token) {
  if (token.type != TokenType::kOperator) return nullptr;
  for (const OperatorRow& row : kOperators) {
    if (row.sign == token.text) return &row;
  }
  return nullptr;
}

}  // namespace

Expr* Parser::ParseExpression(bool with_condition) {
  heap_.set_position(Current().position);
  const DepthGuard guard(heap_);
  if (!guard.ok()) return nullptr;
  const uint32_t position = Current().position;
  const size_t unknown = unknown_.size();
  Expr* expr = ParseBinary(kOr);
  if (!with_condition) return expr;
  while (!failed() && SkipName("if")) {
    // The first part turns out to be conditional too.
    unknown_.resize(unknown);
    const bool outer = conditional_;
    conditional_ = true;
    Expr* test = ParseBinary(kOr);
    Expr* otherwise = nullptr;
    if (!failed() && SkipName("else")) otherwise = ParseExpression();
    conditional_ = outer;
    expr = Node(ConditionExpr{{ExprKind::kCondition, position}, test, expr, otherwise});
  }
  return failed() ? nullptr : expr;
}

// Everything that binds at least as tightly as `level`.
Expr* Parser::ParseBinary(int level) {
  const uint32_t position = Current().position;
  Expr* left = ParseOperand(level);
  while (!failed()) {
    const Token token = Current();
    const bool is_or = IsName("or");
    if (is_or || IsName("and")) {
      if ((is_or ? kOr : kAnd) < level) break;
      Take();
      Expr* right = ParseBinary(is_or ? kAnd : kNot);
      left = Node(LogicExpr{{ExprKind::kLogic, position}, !is_or, left, right});
    } else if (level <= kComparison && AtComparison()) {
      left = ParseCompareRest(left, position);
    } else if (level <= kConcat && IsOperator("~")) {
      std::vector<Expr*> items = {left};
      while (!failed() && SkipOperator("~")) items.push_back(ParseBinary(kProduct));
      left = Node(SequenceExpr{{ExprKind::kConcat, position}, KeepExprs(items)});
    } else if (const OperatorRow* row = FindOperator(token); row && row->level >= level) {
      Take();
      Expr* right = ParseBinary(row->level + 1);
      left = Node(BinaryExpr{{ExprKind::kBinary, token.position}, row->operation, left, right});
    } else {
      break;
    }
  }
  return failed() ? nullptr : left;
}

Expr* Parser::ParseOperand(int level) {
  if (level > kNot || !IsName("not")) return ParseUnary(true);
  heap_.set_position(Current().position);
  const DepthGuard guard(heap_);
  if (!guard.ok()) return nullptr;
  const uint32_t position = Take().position;
  Expr* operand = ParseBinary(kNot);
  return Node(UnaryExpr{{ExprKind::kUnary, position}, UnaryOperation::kNot, operand});
}

bool Parser::AtComparison() const {
  if (Current().type == TokenType::kName) {
    return IsName("in") ||
           (IsName("not") && Ahead().type == TokenType::kName && Ahead().text == "in");
  }
  if (Current().type != TokenType::kOperator) return false;
  const std::string_view sign = Current().text;
  return sign == "==" || sign == "!=" || sign == "<" || sign == "<=" || sign == ">" || sign == ">=";
}

Comparison Parser::TakeComparison() {
  const std::string_view sign = Take().text;
  if (sign == "not") {
    Take();
    return Comparison::kNotIn;
  }
  if (sign == "in") return Comparison::kIn;
  if (sign == "==") return Comparison::kEqual;
  if (sign == "!=") return Comparison::kNotEqual;
  if (sign == "<") return Comparison::kLess;
  if (sign == "<=") return Comparison::kLessEqual;
  return sign == ">" ? Comparison::kGreater : Comparison::kGreaterEqual;
}

Expr* Parser::ParseCompareRest(Expr* left, uint32_t position) {
  std::vector<Comparison> comparisons;
  std::vector<Expr*> rights;
  while (!failed() && AtComparison()) {
    comparisons.push_back(TakeComparison());
    rights.push_back(ParseBinary(kSum));
  }
  return Node(CompareExpr{{ExprKind::kCompare, position}, left, Keep(comparisons), Keep(rights)});
}

Expr* Parser::ParseUnary(bool with_filter) {
  Expr* node = nullptr;
  const Token token = Current();
  if (IsOperator("-") || IsOperator("+")) {
    heap_.set_position(token.position);
    const DepthGuard guard(heap_);
    if (!guard.ok()) return nullptr;
    Take();
    const auto operation = token.text == "-" ? UnaryOperation::kMinus : UnaryOperation::kPlus;
    Expr* operand = ParseUnary(false);
    node = Node(UnaryExpr{{ExprKind::kUnary, token.position}, operation, operand});
  } else {
    node = ParsePrimary();
  }
  node = ParsePostfix(node);
  return with_filter ? ParseFilters(node) : node;
}

Expr* Parser::ParsePrimary() {
  const Token token = Current();
  switch (token.type) {
    case TokenType::kName:
      return ParseNameOrConstant();
    case TokenType::kString:
      return ParseStrings();
    case TokenType::kInteger:
    case TokenType::kFloat:
      Take();
      return Node(ConstExpr{{ExprKind::kConst, token.position}, token.value});
    default:
      break;
  }
  if (SkipOperator("(")) {
    Expr* inner = ParseTuple(true, true);
    ExpectOperator(")");
    return failed() ? nullptr : inner;
  }
  if (IsOperator("[")) return ParseList();
  if (IsOperator("{")) return ParseDict();
  Fail(token.position, fmt::format("unexpected '{}'", Describe(token)));
  return nullptr;
}

Expr* Parser::ParseNameOrConstant() {
  const Token token = Take();
  Value constant;
  if (token.text == "true" || token.text == "True") constant = Value::Bool(true);
  if (token.text == "false" || token.text == "False") constant = Value::Bool(false);
  if (token.text == "none" || token.text == "None") constant = Value::None();
  if (!constant.nothing()) {
    return Node(ConstExpr{{ExprKind::kConst, token.position}, constant});
  }
  saw_caller_ = saw_caller_ || token.text == "caller";
  saw_kwargs_ = saw_kwargs_ || token.text == "kwargs";
  saw_varargs_ = saw_varargs_ || token.text == "varargs";
  return Node(NameExpr{{ExprKind::kName, token.position}, Name(token.text)});
}

// Adjacent literals are one string.
Expr* Parser::ParseStrings() {
  const Token first = Take();
  Value value = first.value;
  if (Current().type == TokenType::kString) {
    std::string text(value.string->view());
    while (Current().type == TokenType::kString) text += Take().value.string->view();
    value = MakeString(heap_, text, true);
  }
  return Node(ConstExpr{{ExprKind::kConst, first.position}, value});
}

Expr* Parser::ParsePostfix(Expr* node) {
  while (!failed()) {
    if (IsOperator(".") || IsOperator("[")) {
      node = ParseSubscript(node);
    } else if (IsOperator("(")) {
      node = ParseCall(node);
    } else {
      break;
    }
  }
  return node;
}

Expr* Parser::ParseFilters(Expr* node) {
  while (!failed()) {
    if (SkipOperator("|")) {
      node = ParseFilter(node);
    } else if (IsName("is")) {
      node = ParseTest(node);
    } else if (IsOperator("(")) {
      node = ParseCall(node);
    } else {
      break;
    }
  }
  return node;
}

Expr* Parser::ParseSubscript(Expr* node) {
  const uint32_t position = Current().position;
  if (SkipOperator(".")) {
    const Token token = Take();
    if (token.type == TokenType::kName) {
      const Value name = MakeString(heap_, token.text, true);
      return Node(AttributeExpr{{ExprKind::kAttribute, position}, node, name});
    }
    if (token.type != TokenType::kInteger) {
      Fail(token.position, "expected name or number");
      return nullptr;
    }
    Expr* index = Node(ConstExpr{{ExprKind::kConst, token.position}, token.value});
    return Node(ItemExpr{{ExprKind::kItem, position}, node, index});
  }
  Take();  // [
  std::vector<Expr*> indices;
  bool has_slice = false;
  while (!failed() && !IsOperator("]")) {
    if (!indices.empty() || has_slice) ExpectOperator(",");
    if (has_slice || failed()) {
      Fail(Current().position, "slices of several dimensions are not supported");
      return nullptr;
    }
    Expr* start = IsOperator(":") ? nullptr : ParseExpression();
    if (!failed() && IsOperator(":")) {
      if (!indices.empty()) {
        Fail(Current().position, "slices of several dimensions are not supported");
        return nullptr;
      }
      node = ParseSlice(node, start, position);
      has_slice = true;
    } else {
      indices.push_back(start);
    }
  }
  ExpectOperator("]");
  if (failed() || has_slice) return failed() ? nullptr : node;
  Expr* index = indices.size() == 1
                    ? indices[0]
                    : Node(SequenceExpr{{ExprKind::kTuple, position}, KeepExprs(indices)});
  return Node(ItemExpr{{ExprKind::kItem, position}, node, index});
}

// Behind the start: ":stop:step", each part optional.
Expr* Parser::ParseSlice(Expr* object, Expr* start, uint32_t position) {
  const auto at_end = [this] { return IsOperator("]") || IsOperator(","); };
  ExpectOperator(":");
  Expr* stop = IsOperator(":") || at_end() ? nullptr : ParseExpression();
  Expr* step = nullptr;
  if (!failed() && SkipOperator(":") && !at_end()) step = ParseExpression();
  return Node(SliceExpr{{ExprKind::kSlice, position}, object, start, stop, step});
}

Expr* Parser::ParseCall(Expr* callee) {
  const uint32_t position = Current().position;
  const ArgumentExprs arguments = ParseArguments();
  return failed() ? nullptr : Node(CallExpr{{ExprKind::kCall, position}, callee, arguments});
}

ArgumentExprs Parser::ParseArguments() {
  const uint32_t position = ExpectOperator("(").position;
  std::vector<Expr*> positional;
  std::vector<NamedArgument> named;
  ArgumentExprs out;
  bool first = true;
  const auto ensure = [&](bool condition) {
    if (!condition) Fail(position, "invalid syntax for function call expression");
  };
  while (!failed() && !IsOperator(")")) {
    if (!first) {
      ExpectOperator(",");
      if (IsOperator(")")) break;
    }
    first = false;
    if (SkipOperator("*")) {
      ensure(out.spread == nullptr && out.spread_named == nullptr);
      out.spread = ParseExpression();
    } else if (SkipOperator("**")) {
      ensure(out.spread_named == nullptr);
      out.spread_named = ParseExpression();
    } else if (Current().type == TokenType::kName && Ahead().type == TokenType::kOperator &&
               Ahead().text == "=") {
      ensure(out.spread_named == nullptr);
      const std::string_view name = Take().text;
      Take();
      for (const NamedArgument& other : named) {
        if (other.name == name) {
          Fail(position, fmt::format("keyword argument repeated: {}", name));
        }
      }
      named.push_back({name, ParseExpression()});
    } else {
      ensure(out.spread == nullptr && out.spread_named == nullptr && named.empty());
      positional.push_back(ParseExpression());
    }
  }
  ExpectOperator(")");
  out.positional = KeepExprs(positional);
  out.named = Keep(named);
  return out;
}

Expr* Parser::ParseFilter(Expr* input) {
  const Token token = ParseName("name");
  std::string_view name = token.text;
  while (!failed() && SkipOperator(".")) {
    const Token part = ParseName("name");
    name = std::string_view(name.data(), static_cast<size_t>(part.text.end() - name.begin()));
  }
  if (failed()) return nullptr;
  ArgumentExprs arguments;
  if (IsOperator("(")) arguments = ParseArguments();
  if (failed()) return nullptr;
  const Native native = FindFilter(name);
  if (native == nullptr && !conditional_) {
    unknown_.push_back({token.position, fmt::format("No filter named '{}'.", name)});
  }
  return Node(FilterExpr{{ExprKind::kFilter, token.position}, input, name, native, arguments});
}

Expr* Parser::ParseTest(Expr* input) {
  const uint32_t position = Take().position;  // is
  const bool negated = SkipName("not");
  const Token token = ParseName("name");
  if (failed()) return nullptr;
  std::string_view name = token.text;
  while (!failed() && SkipOperator(".")) {
    const Token part = ParseName("name");
    name = std::string_view(name.data(), static_cast<size_t>(part.text.end() - name.begin()));
  }
  ArgumentExprs arguments;
  const Token next = Current();
  const bool literal = next.type == TokenType::kName || next.type == TokenType::kString ||
                       next.type == TokenType::kInteger || next.type == TokenType::kFloat ||
                       IsOperator("[") || IsOperator("{");
  if (IsOperator("(")) {
    arguments = ParseArguments();
  } else if (literal && !IsName("else") && !IsName("or") && !IsName("and")) {
    if (IsName("is")) {
      Fail(next.position, "You cannot chain multiple tests with is");
      return nullptr;
    }
    Expr* argument = ParsePostfix(ParsePrimary());
    arguments.positional = KeepExprs({argument});
  }
  if (failed()) return nullptr;
  const Native native = FindTest(name);
  if (native == nullptr && !conditional_) {
    unknown_.push_back({token.position, fmt::format("No test named '{}'.", name)});
  }
  Expr* test = Node(FilterExpr{{ExprKind::kTest, position}, input, name, native, arguments});
  if (!negated) return test;
  return Node(UnaryExpr{{ExprKind::kUnary, position}, UnaryOperation::kNot, test});
}

bool Parser::AtTupleEnd(std::string_view end_name) const {
  return Current().type == TokenType::kVariableEnd || Current().type == TokenType::kBlockEnd ||
         IsOperator(")") || (!end_name.empty() && IsName(end_name));
}

// One expression, or a tuple where commas follow. `end_name` also ends it ("recursive").
Expr* Parser::ParseTuple(bool with_condition, bool parenthesised, std::string_view end_name) {
  const uint32_t position = Current().position;
  std::vector<Expr*> items;
  bool is_tuple = false;
  while (!failed()) {
    if (!items.empty()) ExpectOperator(",");
    if (AtTupleEnd(end_name)) break;
    items.push_back(ParseExpression(with_condition));
    if (!IsOperator(",")) break;
    is_tuple = true;
  }
  if (failed()) return nullptr;
  if (!is_tuple && !items.empty()) return items[0];
  if (!is_tuple && !parenthesised) {
    Fail(Current().position, fmt::format("Expected an expression, got '{}'", Describe(Current())));
    return nullptr;
  }
  return Node(SequenceExpr{{ExprKind::kTuple, position}, KeepExprs(items)});
}

Expr* Parser::ParseList() {
  const uint32_t position = Take().position;
  std::vector<Expr*> items;
  while (!failed() && !IsOperator("]")) {
    if (!items.empty()) ExpectOperator(",");
    if (failed() || IsOperator("]")) break;
    items.push_back(ParseExpression());
  }
  ExpectOperator("]");
  if (failed()) return nullptr;
  return Node(SequenceExpr{{ExprKind::kList, position}, KeepExprs(items)});
}

Expr* Parser::ParseDict() {
  const uint32_t position = Take().position;
  std::vector<Expr*> items;
  while (!failed() && !IsOperator("}")) {
    if (!items.empty()) ExpectOperator(",");
    if (failed() || IsOperator("}")) break;
    items.push_back(ParseExpression());
    ExpectOperator(":");
    if (!failed()) items.push_back(ParseExpression());
  }
  ExpectOperator("}");
  if (failed()) return nullptr;
  return Node(SequenceExpr{{ExprKind::kDict, position}, KeepExprs(items)});
}

}  // namespace tutti::text::jinja
