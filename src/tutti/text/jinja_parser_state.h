// What the two halves of the parser (expressions, statements) share: the token stream, nesting,
// names and node allocation. Internal to jinja_parser_*.cc.
#pragma once
#include <string>
#include <unordered_map>
#include <vector>

#include "tutti/text/jinja_ast.h"
#include "tutti/text/jinja_lexer.h"

namespace tutti::text::jinja {

class Parser {
 public:
  Parser(Program& program, std::vector<Token> tokens);

  Body ParseTemplate();

  NameId Name(std::string_view name);

 private:
  // --- tokens
  const Token& Current() const { return tokens_[at_]; }
  const Token& Ahead() const { return tokens_[at_ + 1 < tokens_.size() ? at_ + 1 : at_]; }
  Token Take();
  bool IsOperator(std::string_view text) const;
  bool IsName(std::string_view text) const;
  bool SkipOperator(std::string_view text);
  bool SkipName(std::string_view text);
  // Takes the token or records "expected token 'x', got 'y'".
  Token ExpectOperator(std::string_view text);
  Token ExpectName(std::string_view text);
  Token ExpectType(TokenType type, std::string_view described);
  bool failed() const { return heap_.failed(); }
  void Fail(uint32_t position, std::string message);

  // --- nodes
  template <typename T>
  T* Node(T node) {
    return heap_.New(std::move(node));
  }
  template <typename T>
  std::span<const T> Keep(const std::vector<T>& items) {
    T* copy = heap_.NewArray<T>(items.size());
    if (copy == nullptr) return {};
    std::copy(items.begin(), items.end(), copy);
    return {copy, items.size()};
  }
  std::span<Expr* const> KeepExprs(const std::vector<Expr*>& items) { return Keep(items); }

  // --- expressions (jinja_parser_expression.cc); nullptr after an error
  Expr* ParseExpression(bool with_condition = true);
  Expr* ParseBinary(int level);
  Expr* ParseOperand(int level);
  Expr* ParseCompareRest(Expr* left, uint32_t position);
  bool AtComparison() const;
  Comparison TakeComparison();
  Expr* ParseUnary(bool with_filter);
  Expr* ParsePrimary();
  Expr* ParseNameOrConstant();
  Expr* ParseStrings();
  Expr* ParsePostfix(Expr* node);
  Expr* ParseFilters(Expr* node);
  Expr* ParseSubscript(Expr* node);
  Expr* ParseSlice(Expr* object, Expr* start, uint32_t position);
  Expr* ParseCall(Expr* callee);
  Expr* ParseFilter(Expr* input);  // the name and its arguments, behind the |
  Expr* ParseTest(Expr* input);
  ArgumentExprs ParseArguments();
  Expr* ParseTuple(bool with_condition, bool parenthesised, std::string_view end_name = {});
  bool AtTupleEnd(std::string_view end_name) const;
  Expr* ParseList();
  Expr* ParseDict();

  // --- statements (jinja_parser_statement.cc)
  Body ParseBody(std::initializer_list<std::string_view> ends);
  Body ParseStatements(std::initializer_list<std::string_view> ends, bool take_end);
  Statement* ParseStatement();
  Statement* ParseLoopControl(const Token& tag);
  Statement* ParseFor();
  Statement* ParseIf();
  Statement* ParseSet();
  Statement* ParseWith();
  Statement* ParseAutoescape();
  Statement* ParseBlock();
  Statement* ParseMacro();
  Statement* ParseCallBlock();
  Statement* ParseFilterBlock();
  Statement* ParseGeneration();
  Statement* ParsePrint();
  Statement* ParseLoad();
  void ParseSignature(MacroDefinition& macro);
  Target* ParseTarget(bool with_namespace, std::string_view end_name = {});
  Target* ParseOneTarget(bool with_namespace);
  Token ParseName(std::string_view what);
  void FailUnknownTag(const Token& tag);
  void FailEnd();
  Body MacroBody(std::initializer_list<std::string_view> ends, MacroDefinition& macro);

  Program& program_;
  Heap& heap_;
  std::vector<Token> tokens_;
  size_t at_ = 0;
  std::unordered_map<std::string_view, NameId> ids_;
  std::vector<std::initializer_list<std::string_view>> ends_;  // what each open block waits for
  std::vector<std::string_view> tags_;                         // open blocks, innermost last
  // Unknown filters and tests are an error of the template, except in branches that may never be
  // taken; there they fail when they are reached.
  struct Unknown {
    uint32_t position;
    std::string message;
  };
  std::vector<Unknown> unknown_;
  bool conditional_ = false;
  uint32_t loops_ = 0;       // loops around this point, within the same macro
  uint64_t macros_ = 0;      // macros and call blocks seen so far
  bool saw_caller_ = false;  // names the current macro's body reads
  bool saw_kwargs_ = false;
  bool saw_varargs_ = false;
};

}  // namespace tutti::text::jinja
