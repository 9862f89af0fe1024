// Calls of tools that obey their schemas, in the form in which the model writes them.
//
// Arguments of tools that are not strict obey their schema where that is possible, else they are
// any object. Threads: any. Errors: as text/grammar.h, for strict schemas that cannot be enforced.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "tutti/server/generation_request.h"
#include "tutti/server/model_host.h"

namespace tutti::server {

std::vector<text::ToolSchema> ToolSchemas(const GenerationRequest& request);

// Whether the answer must be a call.
bool MustCall(const GenerationRequest& request);

// The text with which an answer that must be a call begins, so that the model goes on in its own
// form; empty where its form cannot be begun like that.
std::string BegunCall(const text::CallForm& form, const GenerationRequest& request);

// Of a request with a conversation: what is computed before the answer.
ApiResult<ConversationPrompt> PromptOf(const ModelHost& host, const GenerationRequest& request);

// Of answers that are nothing but one call, in a form of no family (text::BareCallSyntax).
Result<std::shared_ptr<const TokenConstraint>> ConstrainBareCall(ModelHost& host,
                                                                 const GenerationRequest& request);

// What an answer to a conversation must obey: where the request has an output format, that or
// calls. Null where it is free: there are no tools, or their calls have no form that a grammar can
// follow. `options` and `begun` as the answer's AnswerParts have them.
Result<std::shared_ptr<const TokenConstraint>> ConstrainTools(ModelHost& host,
                                                              const GenerationRequest& request,
                                                              text::AnswerPartsOptions options,
                                                              std::string begun);

}  // namespace tutti::server
