#include "tutti/server/tool_constraint.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "tutti/base/printable.h"
#include "tutti/text/call_constraint.h"
#include "tutti/text/grammar_rules.h"

namespace tutti::server {
namespace {

using MasksByName = std::map<std::string, std::shared_ptr<text::GrammarMasks>>;

// Each tool's own masks. Together they may be as large as one grammar: forms without a mark have
// one of all tools, and what a client can make the server compute and keep does not grow with the
// number of tools.
Result<MasksByName> MasksOfTools(ModelHost& host, const std::vector<text::ToolSchema>& schemas) {
  MasksByName masks;
  std::set<text::GrammarMasks*> counted;
  double share = 0;
  for (const text::ToolSchema& schema : schemas) {
    TUTTI_ASSIGN_OR_RETURN(std::string source, text::ArgumentsSchema(schema));
    auto made = host.Masks({.kind = OutputKind::kCall, .source = std::move(source)});
    if (!made.ok()) {
      return made.status().WithContext(
          fmt::format("the parameters of the tool \"{}\"", Printable(schema.name)));
    }
    if (counted.insert(made->get()).second) share += (*made)->share();
    if (share > 1) {
      return UsageError(
          "tools: the schemas up to that of \"{}\" make larger grammars than the {} nodes that all "
          "tools may take together: use simpler schemas, or fewer strict tools",
          Printable(schema.name), text::GrammarRules::kNodesMax);
    }
    masks[schema.name] = std::move(made).value();
  }
  return masks;
}

// As text::CallConstraintParts has them.
Result<MasksByName> MasksOf(ModelHost& host, const GenerationRequest& request) {
  std::vector<text::ToolSchema> schemas;
  for (const Tool& tool : request.tools) {
    if (!request.tool_name.empty() && tool.name != request.tool_name) continue;
    // Of others the arguments are an object.
    const bool obeyed = tool.strict || MustCall(request);
    schemas.push_back({tool.name, obeyed ? tool.parameters_json : std::string()});
  }
  if (!host.answer_format().form.mark.empty()) return MasksOfTools(host, schemas);
  TUTTI_ASSIGN_OR_RETURN(std::string source, text::CallSchema(schemas, {}));
  MasksByName masks;
  TUTTI_ASSIGN_OR_RETURN(masks[""],
                         host.Masks({.kind = OutputKind::kCall, .source = std::move(source)}));
  return masks;
}

}  // namespace

std::vector<text::ToolSchema> ToolSchemas(const GenerationRequest& request) {
  std::vector<text::ToolSchema> schemas;
  for (const Tool& tool : request.tools) schemas.push_back({tool.name, tool.parameters_json});
  return schemas;
}

bool MustCall(const GenerationRequest& request) {
  return !request.tools.empty() && (request.tool_choice == ToolChoice::kRequired ||
                                    request.tool_choice == ToolChoice::kNamed);
}

std::string BegunCall(const text::CallForm& form, const GenerationRequest& request) {
  if (form.syntax == nullptr || !MustCall(request)) return {};
  std::string begun(form.syntax->open);
  if (form.mark.empty()) return begun;
  const bool named = request.tool_choice == ToolChoice::kNamed;
  if (form.behind.empty() || (!named && request.tools.size() > 1)) return {};
  begun += form.before;
  begun += named ? request.tool_name : request.tools.front().name;
  begun += form.behind;
  return begun;
}

Result<std::shared_ptr<const TokenConstraint>> ConstrainTools(ModelHost& host,
                                                              const GenerationRequest& request,
                                                              text::AnswerPartsOptions options,
                                                              std::string begun) {
  std::shared_ptr<const TokenConstraint> free;
  const text::CallForm& form = host.answer_format().form;
  if (request.tools.empty() || request.tool_choice == ToolChoice::kNone || form.syntax == nullptr) {
    return free;
  }
  text::CallConstraintParts parts;
  auto masks = MasksOf(host, request);
  if (!masks.ok()) {
    // Nothing was promised; the vocabulary cannot be held to a grammar.
    const bool strict = std::any_of(request.tools.begin(), request.tools.end(),
                                    [](const Tool& tool) { return tool.strict; });
    const bool unsupported = masks.status().code() == StatusCode::kUnsupported;
    if (unsupported && !strict && !MustCall(request)) return free;
    return masks.status();
  }
  parts.masks = std::move(masks).value();
  parts.tokenizer = &host.tokenizer();
  parts.vocab_size = host.vocab_size();
  parts.is_text = [&host](TokenId id) { return host.IsText(id); };
  parts.format = host.answer_format();
  parts.options = std::move(options);
  parts.begun = std::move(begun);
  return std::shared_ptr<const TokenConstraint>(text::ConstrainCalls(std::move(parts)));
}

}  // namespace tutti::server
