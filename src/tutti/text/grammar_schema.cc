#include "tutti/text/grammar_schema.h"

#include <algorithm>

#include "tutti/base/json.h"
#include "tutti/text/grammar.h"
#include "tutti/text/grammar_compiled.h"

namespace tutti::text {
namespace {

namespace json = boost::json;

constexpr int64_t kSchemaNodesMax = 100'000;
// Keywords looked at, all rules together: what refers to itself in many ways is read many times.
constexpr int64_t kSchemaStepsMax = 2'000'000;
constexpr size_t kSchemaRulesMax = 50'000;

int64_t CountNodes(const json::value& root) {
  int64_t count = 0;
  std::vector<const json::value*> open = {&root};
  while (!open.empty()) {
    const json::value& value = *open.back();
    open.pop_back();
    ++count;
    if (const auto* array = value.if_array()) {
      for (const json::value& part : *array) open.push_back(&part);
    } else if (const auto* object = value.if_object()) {
      for (const auto& entry : *object) open.push_back(&entry.value());
    }
  }
  return count;
}

}  // namespace

Status SchemaCompiler::Step(int64_t steps) {
  steps_ += steps;
  if (steps_ <= kSchemaStepsMax && known_.size() <= kSchemaRulesMax) return {};
  return UsageError(
      "the schema is too complex: its references, allOf and anyOf combine to more than {} keywords "
      "or {} rules",
      kSchemaStepsMax, kSchemaRulesMax);
}

SchemaCompiler::Expr SchemaCompiler::RuleOf(Conjunction conjunction) {
  std::sort(conjunction.begin(), conjunction.end());
  conjunction.erase(std::unique(conjunction.begin(), conjunction.end()), conjunction.end());
  const auto it = known_.find(conjunction);
  if (it != known_.end()) return rules_.Call(it->second);
  const GrammarRules::Rule rule = rules_.NewRule("a part of the schema");
  known_.emplace(conjunction, rule);
  open_.emplace_back(std::move(conjunction), rule);
  return rules_.Call(rule);
}

Result<GrammarRules::Rule> SchemaCompiler::Compile() {
  RuleOf({{.schema = &document_}});
  const GrammarRules::Rule root = open_.front().second;
  while (!open_.empty()) {
    const auto next = std::move(open_.front());
    open_.pop_front();
    TUTTI_ASSIGN_OR_RETURN(const Expr body, Write(next.first));
    rules_.Define(next.second, body);
    TUTTI_RETURN_IF_ERROR(rules_.status());
  }
  rules_.NoteShare(static_cast<double>(steps_) / static_cast<double>(kSchemaStepsMax));
  rules_.NoteShare(static_cast<double>(known_.size()) / static_cast<double>(kSchemaRulesMax));
  return root;
}

Result<SchemaCompiler::Expr> SchemaCompiler::WriteAlternatives(const Facts& facts, size_t member,
                                                               bool one) {
  Conjunction base = facts.members;
  (one ? base[member].one_done : base[member].any_done) = true;
  const char* const key = one ? "oneOf" : "anyOf";
  const Value& list = facts.members[member].schema->as_object().at(key);
  std::vector<Conjunction> branches;
  TUTTI_RETURN_IF_ERROR(Step(std::ssize(list.as_array()) * std::ssize(base)));
  for (const Value& branch : list.as_array()) {
    TUTTI_ASSIGN_OR_RETURN(const bool circle, LeadsTo(branch, *base[member].schema));
    if (circle) return Wrong(branch, "it refers to itself before any value");
    branches.push_back(base);
    branches.back().push_back({.schema = &branch});
  }
  std::vector<Expr> parts;
  for (size_t i = 0; i < branches.size(); ++i) {
    for (size_t j = 0; one && j < i; ++j) {
      TUTTI_ASSIGN_OR_RETURN(const bool disjoint, AreDisjoint(branches[i], branches[j], 0));
      if (disjoint) continue;
      return Refused(list, fmt::format("oneOf whose alternatives {} and {} may both hold (use "
                                       "anyOf, or a required property that tells them apart)",
                                       j, i));
    }
    parts.push_back(RuleOf(branches[i]));
  }
  return rules_.Choice(std::move(parts));
}

Result<SchemaCompiler::Expr> SchemaCompiler::Write(const Conjunction& conjunction) {
  TUTTI_ASSIGN_OR_RETURN(const Facts facts, FactsOf(conjunction));
  if (facts.never) return rules_.Nothing();
  if (facts.members.empty()) return json_.Value();
  for (const Refusal& refusal : facts.refusals) {
    if ((refusal.types & facts.types) != 0) return Refused(*refusal.where, refusal.what);
  }
  for (size_t i = 0; i < facts.members.size(); ++i) {
    const Object& object = facts.members[i].schema->as_object();
    if (!facts.members[i].any_done && object.contains("anyOf")) {
      return WriteAlternatives(facts, i, false);
    }
    if (!facts.members[i].one_done && object.contains("oneOf")) {
      return WriteAlternatives(facts, i, true);
    }
  }
  return facts.values ? WriteValues(facts) : WriteTypes(facts);
}

Result<SchemaCompiler::Expr> SchemaCompiler::WriteTypes(const Facts& facts) {
  if (facts.types == kAllTypes && !facts.narrowed) return json_.Value();
  std::vector<Expr> parts;
  if ((facts.types & kObject) != 0) {
    TUTTI_ASSIGN_OR_RETURN(const Expr object, WriteObject(facts));
    parts.push_back(object);
  }
  if ((facts.types & kArray) != 0) {
    TUTTI_ASSIGN_OR_RETURN(const Expr array, WriteArray(facts));
    parts.push_back(array);
  }
  if ((facts.types & kString) != 0) {
    TUTTI_ASSIGN_OR_RETURN(const Expr string, WriteString(facts));
    parts.push_back(string);
  }
  if ((facts.types & (kInteger | kFraction)) != 0) {
    TUTTI_ASSIGN_OR_RETURN(const Expr number, WriteNumber(facts, (facts.types & kFraction) == 0));
    parts.push_back(number);
  }
  if ((facts.types & kBoolean) != 0) {
    parts.push_back(rules_.Choice({rules_.Literal("true"), rules_.Literal("false")}));
  }
  if ((facts.types & kNull) != 0) parts.push_back(rules_.Literal("null"));
  return rules_.Choice(std::move(parts));
}

Result<std::shared_ptr<const Grammar>> CompileJsonSchema(std::string_view schema,
                                                         bool space_before) {
  if (schema.size() > kGrammarSourceMax) {
    return UsageError("the schema has {} bytes, {} are possible", schema.size(), kGrammarSourceMax);
  }
  auto document = ParseJson(schema, {.max_depth = kGrammarNestingMax, .unique_keys = true});
  if (!document.ok()) {
    return Status(StatusCode::kUsage, document.status().WithContext("the schema").message());
  }
  if (const int64_t nodes = CountNodes(*document); nodes > kSchemaNodesMax) {
    return UsageError("the schema has {} values, {} are possible", nodes, kSchemaNodesMax);
  }
  GrammarRules rules;
  TUTTI_ASSIGN_OR_RETURN(GrammarRules::Rule root, SchemaCompiler(*document, rules).Compile());
  if (space_before) {
    const GrammarRules::Rule spaced = rules.NewRule("spaced");
    const GrammarRules::Expr space = JsonRules(rules).Space();
    rules.Define(spaced, rules.Sequence({space, rules.Call(root)}));
    root = spaced;
  }
  return Grammar::Create(std::move(rules), root);
}

}  // namespace tutti::text
