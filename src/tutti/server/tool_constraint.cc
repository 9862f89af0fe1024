#include "tutti/server/tool_constraint.h"

#include <fmt/format.h>

#include <utility>

#include "tutti/text/call_constraint.h"

namespace tutti::server {

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
  const text::CallForm& form = host.answer_format().form;
  if (request.tools.empty() || request.tool_choice == ToolChoice::kNone || form.syntax == nullptr) {
    return std::shared_ptr<const TokenConstraint>();
  }
  text::CallConstraintParts parts;
  std::vector<text::ToolSchema> schemas = ToolSchemas(request);
  for (size_t i = 0; i < schemas.size(); ++i) {
    // Of others the arguments are an object.
    if (!request.tools[i].strict && !MustCall(request)) schemas[i].parameters_json.clear();
    if (form.mark.empty()) continue;
    std::string schema = schemas[i].parameters_json;
    if (schema.empty() || schema == "{}") schema = R"({"type":"object"})";
    TUTTI_ASSIGN_OR_RETURN(parts.masks[schemas[i].name],
                           host.Masks({.kind = OutputKind::kCall, .source = std::move(schema)}));
  }
  if (form.mark.empty()) {
    TUTTI_ASSIGN_OR_RETURN(parts.masks[""],
                           host.Masks({.kind = OutputKind::kCall,
                                       .source = text::CallSchema(schemas, request.tool_name)}));
  }
  parts.tokenizer = &host.tokenizer();
  parts.vocab_size = host.vocab_size();
  parts.is_text = [&host](TokenId id) { return host.IsText(id); };
  parts.format = host.answer_format();
  parts.options = std::move(options);
  parts.begun = std::move(begun);
  return std::shared_ptr<const TokenConstraint>(text::ConstrainCalls(std::move(parts)));
}

}  // namespace tutti::server
