#include "tutti/text/grammar_regex.h"

#include <algorithm>
#include <utility>

#include "tutti/text/grammar.h"
#include "tutti/text/grammar_compiled.h"

namespace tutti::text {
namespace {

constexpr int64_t kLengthMax = INT64_MAX / 8;

int64_t Times(int64_t a, int64_t b) {
  if (a == 0 || b == 0) return 0;
  return a > kLengthMax / b ? kLengthMax : a * b;
}

}  // namespace

std::span<const CodePoints> AnyCharacter() {
  static const std::vector<CodePoints> any = Normalized({{0, kLastCodePoint}});
  return any;
}

RegexTree::Anchored RegexTree::WithoutAnchors(int32_t node) const {
  Anchored out;
  if (at(node).op == Op::kSequence) {
    out.parts = at(node).parts;
  } else {
    out.parts = {node};
  }
  while (!out.parts.empty() && at(out.parts.front()).op == Op::kBegin) {
    out.parts.erase(out.parts.begin());
    out.begin = true;
  }
  while (!out.parts.empty() && at(out.parts.back()).op == Op::kEnd) {
    out.parts.pop_back();
    out.end = true;
  }
  return out;
}

bool RegexTree::HasAnchor(int32_t node) const {
  const Node& n = at(node);
  if (n.op == Op::kBegin || n.op == Op::kEnd) return true;
  return std::any_of(n.parts.begin(), n.parts.end(), [&](int32_t part) { return HasAnchor(part); });
}

GrammarRules::Expr RegexTree::WriteNode(GrammarRules& rules, const WriteClass& write,
                                        int32_t node) const {
  const Node& n = at(node);
  if (n.op == Op::kClass) return write(n.characters);
  std::vector<GrammarRules::Expr> parts;
  for (const int32_t part : n.parts) parts.push_back(WriteNode(rules, write, part));
  switch (n.op) {
    case Op::kSequence:
      return rules.Sequence(std::move(parts));
    case Op::kChoice:
      return rules.Choice(std::move(parts));
    case Op::kRepeat:
      return rules.Repeat(parts.front(), n.min, n.max);
    default:
      return rules.Empty();
  }
}

Result<GrammarRules::Expr> RegexTree::WriteTop(GrammarRules& rules, const WriteClass& write,
                                               bool search, int32_t node) const {
  Anchored top = WithoutAnchors(node);
  const bool is_choice = top.parts.size() == 1 && at(top.parts.front()).op == Op::kChoice;
  if (is_choice && !top.begin && !top.end) {
    std::vector<GrammarRules::Expr> parts;
    for (const int32_t part : at(top.parts.front()).parts) {
      TUTTI_ASSIGN_OR_RETURN(const GrammarRules::Expr expr, WriteTop(rules, write, search, part));
      parts.push_back(expr);
    }
    return rules.Choice(std::move(parts));
  }
  std::vector<GrammarRules::Expr> parts;
  const auto any = [&] { return rules.Repeat(write(AnyCharacter()), 0, -1); };
  if (search && !top.begin) parts.push_back(any());
  for (const int32_t part : top.parts) {
    if (HasAnchor(part)) {
      return Unsupported(
          "the expression has ^ or $ in the middle: only at the ends of the whole expression or of "
          "its alternatives can they be enforced");
    }
    parts.push_back(WriteNode(rules, write, part));
  }
  if (search && !top.end) parts.push_back(any());
  return rules.Sequence(std::move(parts));
}

Result<GrammarRules::Expr> RegexTree::Write(GrammarRules& rules, const WriteClass& write,
                                            bool search) const {
  return WriteTop(rules, write, search, root_);
}

RegexTree::Lengths RegexTree::LengthsOfNode(int32_t node) const {
  const Node& n = at(node);
  Lengths out;
  if (n.op == Op::kClass) return {1, 1};
  for (size_t i = 0; i < n.parts.size(); ++i) {
    const Lengths part = LengthsOfNode(n.parts[i]);
    if (n.op == Op::kChoice) {
      out.min = i == 0 ? part.min : std::min(out.min, part.min);
      out.max = out.max < 0 || part.max < 0 ? -1 : std::max(out.max, part.max);
    } else {
      out.min = std::min(out.min + part.min, kLengthMax);
      out.max = out.max < 0 || part.max < 0 ? -1 : std::min(out.max + part.max, kLengthMax);
    }
  }
  if (n.op != Op::kRepeat) return out;
  const bool endless = out.max < 0 || (n.max < 0 && out.max > 0);
  return {Times(out.min, n.min), endless ? -1 : Times(out.max, std::max<int64_t>(n.max, 0))};
}

RegexTree::Lengths RegexTree::LengthsOf(bool search) const {
  Lengths lengths = LengthsOfNode(root_);
  const Anchored top = WithoutAnchors(root_);
  if (search && (!top.begin || !top.end)) lengths.max = -1;
  return lengths;
}

bool RegexTree::LimitLength(int64_t min, int64_t max) {
  const Lengths all = LengthsOf(true);
  const bool is_short = max < 0 || (all.max >= 0 && all.max <= max);
  if (all.min >= min && is_short) return true;
  Anchored top = WithoutAnchors(root_);
  const auto add = [&](Node node) {
    nodes_.push_back(std::move(node));
    return static_cast<int32_t>(nodes_.size()) - 1;
  };
  const auto any = [&] {
    const std::span<const CodePoints> every = AnyCharacter();
    const int32_t one = add({.op = Op::kClass, .characters = {every.begin(), every.end()}});
    return add({.op = Op::kRepeat, .min = 0, .max = -1, .characters = {}, .parts = {one}});
  };
  if (!top.begin) top.parts.insert(top.parts.begin(), any());
  if (!top.end) top.parts.push_back(any());
  int64_t fixed = 0;
  int32_t varying = -1;
  for (const int32_t part : top.parts) {
    const Lengths lengths = LengthsOfNode(part);
    if (lengths.min == lengths.max) {
      fixed = std::min(fixed + lengths.min, kLengthMax);
      continue;
    }
    const Node& node = at(part);
    if (varying >= 0 || node.op != Op::kRepeat) return false;
    const Lengths one = LengthsOfNode(node.parts.front());
    if (one.min != 1 || one.max != 1) return false;
    varying = part;
  }
  if (varying < 0) return false;
  Node& node = nodes_[static_cast<size_t>(varying)];
  node.min = std::max(node.min, min - fixed);
  if (max >= 0) {
    const int64_t room = max - fixed;  // below 0 where the fixed parts alone are too long
    if (room < node.min) return false;
    node.max = node.max < 0 ? room : std::min(node.max, room);
  }
  if (node.max >= 0 && node.max < node.min) return false;
  std::vector<int32_t> parts = {add({.op = Op::kBegin})};
  parts.insert(parts.end(), top.parts.begin(), top.parts.end());
  parts.push_back(add({.op = Op::kEnd}));
  root_ = add({.op = Op::kSequence, .parts = std::move(parts)});
  return true;
}

Result<std::shared_ptr<const Grammar>> CompileRegex(std::string_view pattern) {
  TUTTI_ASSIGN_OR_RETURN(const RegexTree tree, RegexTree::Parse(pattern));
  GrammarRules rules;
  const auto write = [&](std::span<const CodePoints> set) { return rules.Characters(set); };
  TUTTI_ASSIGN_OR_RETURN(const GrammarRules::Expr expr, tree.Write(rules, write, false));
  const GrammarRules::Rule root = rules.NewRule("expression");
  rules.Define(root, expr);
  return Grammar::Create(std::move(rules), root);
}

}  // namespace tutti::text
