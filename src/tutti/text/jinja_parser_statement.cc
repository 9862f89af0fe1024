// Statements, the token stream and the entry of the parser.
#include <algorithm>

#include "tutti/text/jinja_filters.h"
#include "tutti/text/jinja_parser.h"
#include "tutti/text/jinja_parser_state.h"
#include "tutti/text/jinja_string.h"

namespace tutti::text::jinja {

Parser::Parser(Program& program, std::vector<Token> tokens)
    : program_(program), heap_(program.heap), tokens_(std::move(tokens)) {
  program_.known = {Name("loop"), Name("caller"), Name("varargs"), Name("kwargs"), Name("self")};
}

NameId Parser::Name(std::string_view name) {
  const auto [found, added] = ids_.try_emplace(name, static_cast<NameId>(program_.names.size()));
  if (added) program_.names.push_back(name);
  return found->second;
}

Token Parser::Take() {
  const Token token = tokens_[at_];
  if (at_ + 1 < tokens_.size()) ++at_;
  return token;
}

bool Parser::IsOperator(std::string_view text) const {
  return Current().type == TokenType::kOperator && Current().text == text;
}

bool Parser::IsName(std::string_view text) const {
  return Current().type == TokenType::kName && Current().text == text;
}

bool Parser::SkipOperator(std::string_view text) {
  const bool is = IsOperator(text);
  if (is) Take();
  return is;
}

bool Parser::SkipName(std::string_view text) {
  const bool is = IsName(text);
  if (is) Take();
  return is;
}

void Parser::Fail(uint32_t position, std::string message) {
  heap_.set_position(position);
  heap_.Fail(StatusCode::kData, std::move(message));
}

Token Parser::ExpectType(TokenType type, std::string_view described) {
  if (Current().type == type) return Take();
  if (Current().type == TokenType::kEnd) {
    Fail(Current().position, fmt::format("unexpected end of template, expected '{}'.", described));
  } else {
    Fail(Current().position,
         fmt::format("expected token '{}', got '{}'", described, Describe(Current())));
  }
  return Current();
}

Token Parser::ExpectOperator(std::string_view text) {
  return IsOperator(text) ? Take() : ExpectType(TokenType::kVariableBegin, text);
}

Token Parser::ExpectName(std::string_view text) {
  return IsName(text) ? Take() : ExpectType(TokenType::kVariableBegin, text);
}

Token Parser::ParseName(std::string_view what) { return ExpectType(TokenType::kName, what); }

void Parser::FailUnknownTag(const Token& tag) {
  std::string message = fmt::format("Encountered unknown tag '{}'.", tag.text);
  if (!ends_.empty()) {
    std::string waiting;
    for (const std::string_view end : ends_.back()) {
      waiting += fmt::format("{}'{}'", waiting.empty() ? "" : " or ", end);
    }
    message += fmt::format(" Jinja was looking for the following tags: {}.", waiting);
    if (!tags_.empty()) {
      message += fmt::format(" The innermost block that needs to be closed is '{}'.", tags_.back());
    }
  }
  Fail(tag.position, std::move(message));
}

void Parser::FailEnd() {
  std::string waiting;
  for (const std::string_view end : ends_.back()) {
    waiting += fmt::format("{}'{}'", waiting.empty() ? "" : " or ", end);
  }
  Fail(Current().position,
       fmt::format("Unexpected end of template. Jinja was looking for the following tags: {}. The "
                   "innermost block that needs to be closed is '{}'.",
                   waiting, tags_.empty() ? "" : tags_.back()));
}

// Text and statements up to one of the end tags, which is left as the current token. Without end
// tags: up to the end of the template.
Body Parser::ParseBody(std::initializer_list<std::string_view> ends) {
  heap_.set_position(Current().position);
  const DepthGuard guard(heap_);
  if (!guard.ok()) return {};
  const bool nested = ends.size() > 0;
  if (nested) ends_.push_back(ends);
  std::vector<Statement*> body;
  while (!failed() && Current().type != TokenType::kEnd) {
    const Token token = Take();
    if (token.type == TokenType::kText) {
      const Value text = MakeString(heap_, token.text, true);
      if (failed()) break;
      body.push_back(Node(TextStatement{{StatementKind::kText, token.position}, text.string}));
    } else if (token.type == TokenType::kVariableBegin) {
      Expr* expr = ParseTuple(true, false);
      ExpectType(TokenType::kVariableEnd, "end of print statement");
      body.push_back(Node(PrintStatement{{StatementKind::kPrint, token.position}, expr}));
    } else {
      if (Current().type == TokenType::kName &&
          std::find(ends.begin(), ends.end(), Current().text) != ends.end()) {
        break;
      }
      Statement* statement = ParseStatement();
      ExpectType(TokenType::kBlockEnd, "end of statement block");
      if (statement != nullptr) body.push_back(statement);
    }
  }
  if (nested && !failed() && Current().type == TokenType::kEnd) FailEnd();
  if (nested) ends_.pop_back();
  return Keep(body);
}

// The body of a block tag: its "%}", then statements. `take_end`: also takes the end tag's name.
Body Parser::ParseStatements(std::initializer_list<std::string_view> ends, bool take_end) {
  SkipOperator(":");
  ExpectType(TokenType::kBlockEnd, "end of statement block");
  if (failed()) return {};
  const Body body = ParseBody(ends);
  if (take_end && !failed()) Take();
  return body;
}

Statement* Parser::ParseStatement() {
  const Token tag = Current();
  if (tag.type != TokenType::kName) {
    Fail(tag.position, "tag name expected");
    return nullptr;
  }
  struct Row {
    std::string_view name;
    Statement* (Parser::*parse)();
  };
  static constexpr Row kRows[] = {
      {"for", &Parser::ParseFor},
      {"if", &Parser::ParseIf},
      {"set", &Parser::ParseSet},
      {"with", &Parser::ParseWith},
      {"autoescape", &Parser::ParseAutoescape},
      {"block", &Parser::ParseBlock},
      {"macro", &Parser::ParseMacro},
      {"call", &Parser::ParseCallBlock},
      {"filter", &Parser::ParseFilterBlock},
      {"generation", &Parser::ParseGeneration},
      {"print", &Parser::ParsePrint},
      {"include", &Parser::ParseLoad},
      {"import", &Parser::ParseLoad},
      {"from", &Parser::ParseLoad},
      {"extends", &Parser::ParseLoad},
  };
  if (tag.text == "break" || tag.text == "continue") return ParseLoopControl(Take());
  for (const Row& row : kRows) {
    if (row.name != tag.text) continue;
    Take();
    tags_.push_back(row.name);
    Statement* statement = (this->*row.parse)();
    tags_.pop_back();
    return failed() ? nullptr : statement;
  }
  FailUnknownTag(tag);
  return nullptr;
}

Statement* Parser::ParseLoopControl(const Token& tag) {
  if (loops_ == 0) {
    Fail(tag.position, fmt::format("'{}' outside loop", tag.text));
    return nullptr;
  }
  return Node(Statement{tag.text == "break" ? StatementKind::kBreak : StatementKind::kContinue,
                        tag.position});
}

Target* Parser::ParseOneTarget(bool with_namespace) {
  const Token token = Current();
  heap_.set_position(token.position);
  const DepthGuard guard(heap_);
  if (!guard.ok()) return nullptr;
  if (SkipOperator("(")) {
    Target* inner = ParseTarget(with_namespace);
    ExpectOperator(")");
    return inner;
  }
  if (token.type != TokenType::kName) {
    Fail(token.position, AtTupleEnd({})
                             ? fmt::format("Expected an expression, got '{}'", Describe(token))
                             : fmt::format("can't assign to '{}'", Describe(token)));
    return nullptr;
  }
  Take();
  Target target{token.position, Name(token.text), {}, {}, false};
  if (with_namespace && SkipOperator(".")) {
    const Token attribute = ParseName("name");
    target.attribute = MakeString(heap_, attribute.text, true);
    return Node(target);
  }
  for (const std::string_view constant : {"true", "false", "none", "True", "False", "None"}) {
    if (token.text == constant) {
      Fail(token.position, "can't assign to 'const'");
      return nullptr;
    }
  }
  return Node(target);
}

// A target, or a tuple of them; ends before `end_name`.
Target* Parser::ParseTarget(bool with_namespace, std::string_view end_name) {
  const uint32_t position = Current().position;
  std::vector<Target*> items;
  bool is_tuple = false;
  while (!failed()) {
    if (!items.empty()) ExpectOperator(",");
    if (!items.empty() && (AtTupleEnd(end_name) || IsOperator("="))) break;
    items.push_back(ParseOneTarget(with_namespace));
    if (!IsOperator(",")) break;
    is_tuple = true;
  }
  if (failed()) return nullptr;
  if (!is_tuple) return items[0];
  return Node(Target{position, 0, {}, Keep(items), true});
}

Statement* Parser::ParseFor() {
  const uint32_t position = Current().position;
  Target* target = ParseTarget(false, "in");
  ExpectName("in");
  if (failed()) return nullptr;
  Expr* iterable = ParseTuple(false, false, "recursive");
  Expr* filter = nullptr;
  if (!failed() && SkipName("if")) filter = ParseExpression();
  const bool recursive = SkipName("recursive");
  const bool outer = conditional_;
  conditional_ = false;
  const uint64_t macros = macros_;
  ++loops_;
  const Body body = ParseStatements({"endfor", "else"}, false);
  --loops_;
  const bool keeps_scope = macros_ != macros || recursive;
  Body otherwise;
  if (!failed() && Take().text == "else") otherwise = ParseStatements({"endfor"}, true);
  conditional_ = outer;
  return Node(ForStatement{{StatementKind::kFor, position},
                           target,
                           iterable,
                           filter,
                           recursive,
                           keeps_scope,
                           body,
                           otherwise});
}

Statement* Parser::ParseIf() {
  const uint32_t position = Current().position;
  const bool outer = conditional_;
  conditional_ = true;
  std::vector<IfStatement::Branch> branches;
  while (!failed()) {
    Expr* test = ParseTuple(false, false);
    const Body body = ParseStatements({"elif", "else", "endif"}, false);
    branches.push_back({test, body});
    if (failed()) break;
    const Token end = Take();
    if (end.text == "elif") continue;
    if (end.text == "else") branches.push_back({nullptr, ParseStatements({"endif"}, true)});
    break;
  }
  conditional_ = outer;
  return Node(IfStatement{{StatementKind::kIf, position}, Keep(branches)});
}

Statement* Parser::ParseSet() {
  const uint32_t position = Current().position;
  if (Current().type == TokenType::kBlockEnd) {
    Fail(position, fmt::format("Expected an expression, got '{}'", Describe(Current())));
    return nullptr;
  }
  Target* target = ParseTarget(true);
  if (!failed() && SkipOperator("=")) {
    Expr* value = ParseTuple(true, false);
    return Node(SetStatement{{StatementKind::kSet, position}, target, value});
  }
  Expr* filter = nullptr;
  while (!failed() && SkipOperator("|")) filter = ParseFilter(filter);
  const bool outer = conditional_;
  conditional_ = false;
  const Body body = ParseStatements({"endset"}, true);
  conditional_ = outer;
  return Node(SetBlockStatement{{StatementKind::kSetBlock, position}, target, filter, body});
}

Statement* Parser::ParseWith() {
  const uint32_t position = Current().position;
  std::vector<Target*> targets;
  std::vector<Expr*> values;
  while (!failed() && Current().type != TokenType::kBlockEnd) {
    if (!targets.empty()) ExpectOperator(",");
    targets.push_back(ParseTarget(false));
    ExpectOperator("=");
    if (!failed()) values.push_back(ParseExpression());
  }
  const bool outer = conditional_;
  conditional_ = false;
  const Body body = ParseStatements({"endwith"}, true);
  conditional_ = outer;
  return Node(ScopeStatement{{StatementKind::kScope, position}, Keep(targets), Keep(values), body});
}

Statement* Parser::ParseAutoescape() {
  const uint32_t position = Current().position;
  Expr* value = ParseExpression();
  const Body body = ParseStatements({"endautoescape"}, true);
  return Node(AutoescapeStatement{{StatementKind::kAutoescape, position}, value, body});
}

Statement* Parser::ParseBlock() {
  const uint32_t position = Current().position;
  const Token name = ParseName("name");
  SkipName("scoped");
  SkipName("required");
  const uint32_t outer_loops = std::exchange(loops_, 0);
  const bool outer = conditional_;
  conditional_ = false;
  const Body body = ParseStatements({"endblock"}, true);
  conditional_ = outer;
  loops_ = outer_loops;
  if (!failed()) SkipName(name.text);
  BlockStatement* block =
      Node(BlockStatement{{StatementKind::kBlock, position}, Name(name.text), body});
  if (failed()) return nullptr;
  for (const BlockStatement* other : program_.blocks) {
    if (other->name == block->name) {
      Fail(position, fmt::format("block '{}' defined twice", name.text));
    }
  }
  program_.blocks.push_back(block);
  return block;
}

void Parser::ParseSignature(MacroDefinition& macro) {
  std::vector<NameId> parameters;
  std::vector<std::string_view> names;
  std::vector<Expr*> defaults;
  ExpectOperator("(");
  while (!failed() && !IsOperator(")")) {
    if (!parameters.empty()) ExpectOperator(",");
    const Token name = ParseName("name");
    if (failed()) return;
    if (std::find(names.begin(), names.end(), name.text) != names.end()) {
      Fail(name.position, fmt::format("duplicate argument '{}' in macro definition", name.text));
    }
    parameters.push_back(Name(name.text));
    names.push_back(name.text);
    if (SkipOperator("=")) {
      defaults.push_back(ParseExpression());
    } else if (!defaults.empty()) {
      Fail(name.position, "non-default argument follows default argument");
    }
  }
  ExpectOperator(")");
  macro.parameters = Keep(parameters);
  macro.parameter_names = Keep(names);
  macro.defaults = Keep(defaults);
}

// Parses a macro's body and notes which of the special names it reads.
Body Parser::MacroBody(std::initializer_list<std::string_view> ends, MacroDefinition& macro) {
  ++macros_;
  const bool outer_caller = std::exchange(saw_caller_, false);
  const bool outer_kwargs = std::exchange(saw_kwargs_, false);
  const bool outer_varargs = std::exchange(saw_varargs_, false);
  const uint32_t outer_loops = std::exchange(loops_, 0);
  const bool outer = std::exchange(conditional_, false);
  const Body body = ParseStatements(ends, true);
  // A parameter of the same name takes the place of the special variable.
  const auto is_parameter = [&](std::string_view name) {
    const auto& names = macro.parameter_names;
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  macro.uses_caller = saw_caller_;
  macro.uses_kwargs = saw_kwargs_ && !is_parameter("kwargs");
  macro.uses_varargs = saw_varargs_ && !is_parameter("varargs");
  const size_t required = macro.parameter_names.size() - macro.defaults.size();
  for (size_t i = 0; saw_caller_ && i < required; ++i) {
    if (macro.parameter_names[i] != "caller") continue;
    Fail(Current().position, "the argument \"caller\" of a macro must have a default");
  }
  saw_caller_ = saw_caller_ || outer_caller;
  saw_kwargs_ = saw_kwargs_ || outer_kwargs;
  saw_varargs_ = saw_varargs_ || outer_varargs;
  loops_ = outer_loops;
  conditional_ = outer;
  return body;
}

Statement* Parser::ParseMacro() {
  const uint32_t position = Current().position;
  const Token name = ParseName("name");
  MacroDefinition macro;
  macro.name = name.text;
  if (failed()) return nullptr;
  ParseSignature(macro);
  macro.body = MacroBody({"endmacro"}, macro);
  return Node(MacroStatement{{StatementKind::kMacro, position}, Name(name.text), macro});
}

Statement* Parser::ParseCallBlock() {
  const uint32_t position = Current().position;
  MacroDefinition body;
  body.name = "caller";
  if (IsOperator("(")) ParseSignature(body);
  if (failed()) return nullptr;
  Expr* call = ParseExpression();
  if (failed()) return nullptr;
  if (call->kind != ExprKind::kCall) {
    Fail(position, "expected call");
    return nullptr;
  }
  body.body = MacroBody({"endcall"}, body);
  return Node(CallBlockStatement{
      {StatementKind::kCallBlock, position}, static_cast<CallExpr*>(call), body});
}

Statement* Parser::ParseFilterBlock() {
  const uint32_t position = Current().position;
  Expr* filter = ParseFilter(nullptr);
  while (!failed() && SkipOperator("|")) filter = ParseFilter(filter);
  const bool outer = std::exchange(conditional_, false);
  const Body body = ParseStatements({"endfilter"}, true);
  conditional_ = outer;
  return Node(FilterBlockStatement{{StatementKind::kFilterBlock, position}, filter, body});
}

Statement* Parser::ParseGeneration() {
  const uint32_t position = Current().position;
  MacroDefinition body;
  body.name = "caller";
  body.body = MacroBody({"endgeneration"}, body);
  return Node(GenerationStatement{{StatementKind::kGeneration, position}, body});
}

Statement* Parser::ParsePrint() {
  const uint32_t position = Current().position;
  std::vector<IfStatement::Branch> branches;
  std::vector<Statement*> prints;
  while (!failed() && Current().type != TokenType::kBlockEnd) {
    if (!prints.empty()) ExpectOperator(",");
    Expr* expr = ParseExpression();
    prints.push_back(Node(PrintStatement{{StatementKind::kPrint, position}, expr}));
  }
  branches.push_back({nullptr, Keep(prints)});
  return Node(IfStatement{{StatementKind::kIf, position}, Keep(branches)});
}

// Other templates cannot be loaded; what follows the tag is skipped, using it is an error.
Statement* Parser::ParseLoad() {
  const Token tag = tokens_[at_ - 1];
  const auto outer = std::count_if(tags_.begin(), tags_.end(), [](auto t) { return t != "if"; });
  if (tag.text == "extends" && outer > 1) {
    Fail(tag.position, "cannot use extend from a non top-level scope");
  }
  while (Current().type != TokenType::kBlockEnd && Current().type != TokenType::kEnd) Take();
  return Node(LoadStatement{{StatementKind::kLoad, tag.position}, tag.text});
}

Body Parser::ParseTemplate() {
  const Body body = ParseBody({});
  if (!failed() && !unknown_.empty()) Fail(unknown_[0].position, unknown_[0].message);
  return body;
}

Status AtPosition(const Status& status, std::string_view source, uint32_t position) {
  const std::string_view before = source.substr(0, position);
  const auto line = std::count(before.begin(), before.end(), '\n') + 1;
  const size_t newline = before.rfind('\n');
  const std::string_view in_line =
      newline == std::string_view::npos ? before : before.substr(newline + 1);
  return status.WithContext(
      fmt::format("chat template, line {}, column {}", line, CountChars(in_line) + 1));
}

Result<std::unique_ptr<Program>> ParseProgram(std::string_view source,
                                              const TemplateBudget& budget) {
  if (source.size() > kMaxSourceBytes) {
    return Error(StatusCode::kResource, "chat template: {} bytes long, at most {} are possible",
                 source.size(), kMaxSourceBytes);
  }
  if (!IsValidUtf8(source)) return DataError("chat template: the text is not valid UTF-8");
  auto program = std::make_unique<Program>(budget);
  program->source = NormalizeSource(source);
  std::vector<Token> tokens = Tokenize(program->heap, program->source);
  if (!program->heap.failed()) {
    program->body = Parser(*program, std::move(tokens)).ParseTemplate();
  }
  if (program->heap.failed()) {
    return AtPosition(program->heap.status(), program->source, program->heap.error_position());
  }
  return program;
}

}  // namespace tutti::text::jinja
