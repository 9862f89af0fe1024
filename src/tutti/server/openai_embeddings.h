// /v1/embeddings: request and body of the answer.
//
// Threads: any. Errors: 400 with the field's path.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tutti/server/api_error.h"
#include "tutti/server/openai_prompts.h"

namespace tutti::server {

struct EmbeddingsRequest {
  std::string model;
  std::vector<Prompt> inputs;
  bool base64 = false;     // of little-endian floats, instead of a list of numbers
  int64_t dimensions = 0;  // the first of them only; 0: all
  int64_t unknown_fields = 0;
};

ApiResult<EmbeddingsRequest> ParseOpenaiEmbeddings(std::string_view body);

std::string OpenaiEmbeddingsBody(const EmbeddingsRequest& request, std::string_view model,
                                 std::span<const std::vector<float>> embeddings,
                                 int64_t prompt_tokens);

std::vector<std::string_view> OpenaiEmbeddingsFields();

}  // namespace tutti::server
