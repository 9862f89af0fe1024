// What a user says, as the token ids that a model expects: through its chat template where it has
// one.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tutti/base/ids.h"
#include "tutti/base/status.h"
#include "tutti/text/chat_template.h"
#include "tutti/text/tokenizer.h"

namespace tutti::cli {

struct Message {
  std::string role;  // "system", "user", "assistant"
  std::string content;
};

class PromptBuilder {
 public:
  // `raw`: never use the template. kData where the model's template is not one. The tokenizer must
  // outlive the builder.
  static Result<PromptBuilder> Create(const text::Tokenizer& tokenizer, bool raw);

  // False: the model continues text and knows no roles.
  bool has_template() const { return template_.has_value(); }
  // A conversation whose next turn is the assistant's; needs has_template().
  Result<TokenIds> Chat(const std::vector<Message>& messages) const;
  // A text to continue.
  TokenIds Text(std::string_view text) const { return text::EncodeOpenText(*tokenizer_, text); }

 private:
  explicit PromptBuilder(const text::Tokenizer& tokenizer) : tokenizer_(&tokenizer) {}

  const text::Tokenizer* tokenizer_;
  std::optional<text::ChatTemplate> template_;
};

}  // namespace tutti::cli
