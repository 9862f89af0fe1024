#include "tutti/server/tool_constraint.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "tutti/text/call_constraint.h"

namespace tutti::server {
namespace {

using MasksByName = std::map<std::string, std::shared_ptr<text::GrammarMasks>>;

// As text::CallConstraintParts has them.
Result<MasksByName> MasksOf(ModelHost& host, const GenerationRequest& request) {
  MasksByName masks;
  const bool whole = host.answer_format().form.mark.empty();
  std::vector<text::ToolSchema> schemas = ToolSchemas(request);
  for (size_t i = 0; i < schemas.size(); ++i) {
    // Of others the arguments are an object.
    std::string& schema = schemas[i].parameters_json;
    if (!request.tools[i].strict && !MustCall(request)) schema.clear();
    if (whole) continue;
    if (schema.empty() || schema == "{}") schema = R"({"type":"object"})";
    TUTTI_ASSIGN_OR_RETURN(masks[schemas[i].name],
                           host.Masks({.kind = OutputKind::kCall, .source = schema}));
  }
  if (whole) {
    TUTTI_ASSIGN_OR_RETURN(masks[""],
                           host.Masks({.kind = OutputKind::kCall,
                                       .source = text::CallSchema(schemas, request.tool_name)}));
  }
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
    if (!strict && !MustCall(request)) return free;
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
