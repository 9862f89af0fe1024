// Answers that are free until they call a tool: from there to the end of the call every token obeys
// a grammar, so that no call is malformed.
//
// Where a call begins, AnswerParts tells. It must be of the format's form (CallForm); calls of
// other forms stay free. A token that reaches over the mark into what no call begins with leaves
// that call free too: marks that are tokens of their own cannot be reached over.
//
// Ownership: the tokenizer must outlive the constraint. Threads: as TokenConstraint.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "tutti/spec/token_constraint.h"
#include "tutti/text/answer_parts.h"
#include "tutti/text/grammar.h"
#include "tutti/text/tokenizer.h"

namespace tutti::text {

struct CallConstraintParts {
  const Tokenizer* tokenizer = nullptr;
  int32_t vocab_size = 0;
  std::function<bool(TokenId)> is_text;  // whether a token is part of an answer's text
  AnswerFormat format;
  AnswerPartsOptions options;
  std::string begun;  // of the answer's text, before its first token
  // By the name of the tool its arguments, or under the empty name objects of name and arguments.
  // White space may come first.
  std::map<std::string, std::shared_ptr<GrammarMasks>> masks;
  // Null: what is no call is free. Else the answer either begins with the text by which the
  // format's calls begin, and is free until a call, or all of it obeys this.
  std::shared_ptr<GrammarMasks> otherwise;
  TokenIds begins_call;  // the tokens of which that text can be made (CallBeginning)
};

// The text with which calls of the form begin; empty where there is no such text.
std::string_view CallBeginning(const CallForm& form);

std::unique_ptr<TokenConstraint> ConstrainCalls(CallConstraintParts parts);

}  // namespace tutti::text
