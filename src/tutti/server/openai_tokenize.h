// /tokenize, /detokenize and /v1/apply-template: requests and bodies of the answers.
//
// vLLM and llama.cpp name the same things differently; both are understood and both are given.
// Threads: any. Errors: 400 with the field's path.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tutti/base/ids.h"
#include "tutti/server/api_error.h"
#include "tutti/server/generation_request.h"

namespace tutti::server {

struct TokenizeRequest {
  std::string model;
  // A conversation for the template, as for a chat, or a text.
  GenerationRequest chat;
  std::string text;
  bool add_special = true;  // with what the vocabulary puts around a text
  bool pieces = false;      // also the tokens' texts
};
struct DetokenizeRequest {
  std::string model;
  TokenIds tokens;
};

// {"prompt" | "content": text} or {"messages": [...]}.
ApiResult<TokenizeRequest> ParseTokenize(std::string_view body);
// {"tokens": [...]}.
ApiResult<DetokenizeRequest> ParseDetokenize(std::string_view body);
// {"messages": [...], "add_generation_prompt", ...} and else as for a chat; the result has a
// conversation.
ApiResult<TokenizeRequest> ParseApplyTemplate(std::string_view body);

// {"tokens","count","max_model_len"}; the tokens' bytes in `pieces` where there are any.
std::string TokenizeBody(std::span<const TokenId> tokens, std::span<const std::string> pieces,
                         int64_t context);
// {"prompt","content"}
std::string DetokenizeBody(std::string_view text);
// {"prompt"}
std::string ApplyTemplateBody(std::string_view text);

std::vector<std::string_view> TokenizeFields();

}  // namespace tutti::server
