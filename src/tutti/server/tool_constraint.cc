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

using Masks = std::shared_ptr<text::GrammarMasks>;
using MasksByName = std::map<std::string, Masks>;

// A tool and what its arguments obey.
struct Callable {
  text::ToolSchema schema;
  bool strict = false;
};

// Those that may be called.
std::vector<Callable> CallablesOf(const GenerationRequest& request) {
  std::vector<Callable> tools;
  for (const Tool& tool : request.tools) {
    if (!request.tool_name.empty() && tool.name != request.tool_name) continue;
    // Of others the arguments are an object.
    const bool obeyed = tool.strict || MustCall(request);
    tools.push_back({{tool.name, obeyed ? tool.parameters_json : std::string()}, tool.strict});
  }
  return tools;
}

// Of the tool's arguments. Where nothing was promised, any object stands in for a schema that
// cannot be enforced.
Result<Masks> MasksOfArguments(ModelHost& host, Callable& tool) {
  const auto compile = [&]() -> Result<Masks> {
    TUTTI_ASSIGN_OR_RETURN(std::string source, text::ArgumentsSchema(tool.schema));
    return host.Masks({.kind = OutputKind::kCall, .source = std::move(source)});
  };
  auto made = compile();
  if (made.ok()) return made;
  if (!tool.strict && !tool.schema.parameters_json.empty()) {
    tool.schema.parameters_json.clear();
    return compile();
  }
  return made.status().WithContext(
      fmt::format("the parameters of the tool \"{}\"", Printable(tool.schema.name)));
}

// Each tool's own masks. Together they may be as large as one grammar: forms without a mark have
// one of all tools, and what a client can make the server compute and keep does not grow with the
// number of tools.
Result<MasksByName> MasksOfTools(ModelHost& host, std::vector<Callable> tools) {
  MasksByName masks;
  std::set<text::GrammarMasks*> counted;
  double share = 0;
  for (Callable& tool : tools) {
    TUTTI_ASSIGN_OR_RETURN(Masks made, MasksOfArguments(host, tool));
    if (counted.insert(made.get()).second) share += made->share();
    if (share > 1) {
      return UsageError(
          "tools: the schemas up to that of \"{}\" make larger grammars than the {} nodes that all "
          "tools may take together: use simpler schemas, or fewer strict tools",
          Printable(tool.schema.name), text::GrammarRules::kNodesMax);
    }
    masks[tool.schema.name] = std::move(made);
  }
  return masks;
}

// One grammar of calls of all of the tools.
Result<Masks> MasksOfCalls(ModelHost& host, std::vector<Callable> tools, OutputKind kind) {
  const auto compile = [&]() -> Result<Masks> {
    std::vector<text::ToolSchema> schemas;
    for (const Callable& tool : tools) schemas.push_back(tool.schema);
    TUTTI_ASSIGN_OR_RETURN(std::string source, text::CallSchema(schemas, {}));
    return host.Masks({.kind = kind, .source = std::move(source)});
  };
  auto made = compile();
  if (made.ok()) return made;
  // Which of them is it? The message is then about the client's schema and not about what is made
  // of all of them.
  bool some = false;
  for (Callable& tool : tools) {
    if (tool.schema.parameters_json.empty()) continue;
    TUTTI_RETURN_IF_ERROR(MasksOfArguments(host, tool).status());
    some |= !tool.strict;
  }
  if (!some) return made;
  made = compile();
  if (made.ok()) return made;
  for (Callable& tool : tools) {
    if (!tool.strict) tool.schema.parameters_json.clear();  // together they are too large
  }
  return compile();
}

// As text::CallConstraintParts has them.
Result<MasksByName> MasksOf(ModelHost& host, const GenerationRequest& request) {
  std::vector<Callable> tools = CallablesOf(request);
  if (!host.answer_format().form.mark.empty()) return MasksOfTools(host, std::move(tools));
  MasksByName masks;
  TUTTI_ASSIGN_OR_RETURN(masks[""], MasksOfCalls(host, std::move(tools), OutputKind::kCall));
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

ApiResult<ConversationPrompt> PromptOf(const ModelHost& host, const GenerationRequest& request) {
  return host.Prompt(*request.conversation, request.continue_last_message,
                     BegunCall(host.answer_format().form, request));
}

Result<std::shared_ptr<const TokenConstraint>> ConstrainBareCall(ModelHost& host,
                                                                 const GenerationRequest& request) {
  TUTTI_ASSIGN_OR_RETURN(Masks masks,
                         MasksOfCalls(host, CallablesOf(request), OutputKind::kJsonSchema));
  return std::shared_ptr<const TokenConstraint>(text::Constrain(std::move(masks)));
}

Result<std::shared_ptr<const TokenConstraint>> ConstrainTools(ModelHost& host,
                                                              const GenerationRequest& request,
                                                              text::AnswerPartsOptions options,
                                                              std::string begun) {
  const text::CallForm& form = host.answer_format().form;
  const bool none = request.tools.empty() || request.tool_choice == ToolChoice::kNone;
  const bool unknown = !none && form.syntax == nullptr;
  if (unknown && request.format.kind != OutputKind::kFree && !host.answer_format().calls.empty()) {
    return UsageError(
        "tools and {} cannot be combined with this model while tool_choice is auto: no grammar "
        "follows its calls; leave one of them away, or say tool_choice none or required",
        request.format_field);
  }
  if (none || unknown) return host.Constraint(request.format);
  text::CallConstraintParts parts;
  auto masks = MasksOf(host, request);
  if (!masks.ok()) {
    // Nothing was promised; the vocabulary cannot be held to a grammar.
    const bool strict = std::any_of(request.tools.begin(), request.tools.end(),
                                    [](const Tool& tool) { return tool.strict; });
    const bool unsupported = masks.status().code() == StatusCode::kUnsupported;
    if (unsupported && !strict && !MustCall(request)) return host.Constraint(request.format);
    return masks.status();
  }
  parts.masks = std::move(masks).value();
  parts.tokenizer = &host.tokenizer();
  parts.vocab_size = host.vocab_size();
  parts.is_text = [&host](TokenId id) { return host.IsText(id); };
  parts.format = host.answer_format();
  parts.options = std::move(options);
  parts.begun = std::move(begun);
  if (request.format.kind != OutputKind::kFree) {
    TUTTI_ASSIGN_OR_RETURN(parts.otherwise, host.Masks(request.format));
    const std::string_view beginning = text::CallBeginning(form);
    for (TokenId token = 0; token < std::ssize(host.tokenizer().spec().tokens); ++token) {
      const std::string& bytes = host.tokenizer().TokenBytes(token);
      const bool part = !bytes.empty() && beginning.find(bytes) != std::string_view::npos;
      if (part && host.IsText(token)) parts.begins_call.push_back(token);
    }
  }
  return std::shared_ptr<const TokenConstraint>(text::ConstrainCalls(std::move(parts)));
}

}  // namespace tutti::server
