#include "tutti/cli/prompt_builder.h"

#include <boost/json.hpp>

#include "tutti/cli/json_text.h"
#include "tutti/text/conversation.h"

namespace tutti::cli {

Result<PromptBuilder> PromptBuilder::Create(const text::Tokenizer& tokenizer, bool raw) {
  PromptBuilder builder(tokenizer);
  const std::string& source = tokenizer.spec().chat_template;
  if (!raw && !source.empty()) {
    auto parsed = text::ChatTemplate::Parse(source);
    if (!parsed.ok()) {
      return parsed.status().WithContext("the model's chat template (--raw goes without)");
    }
    builder.template_.emplace(std::move(parsed).value());
  }
  return builder;
}

Result<TokenIds> PromptBuilder::Chat(const std::vector<Message>& messages) const {
  const VocabSpec& vocab = tokenizer_->spec();
  boost::json::array list;
  for (const Message& message : messages) {
    list.push_back({{"role", message.role}, {"content", message.content}});
  }
  boost::json::object variables;
  variables["messages"] = std::move(list);
  variables["add_generation_prompt"] = true;
  if (vocab.bos != kNoToken) variables["bos_token"] = tokenizer_->TokenBytes(vocab.bos);
  if (vocab.eos != kNoToken) variables["eos_token"] = tokenizer_->TokenBytes(vocab.eos);
  auto rendered = template_->Render(ToJson(variables), text::LocalTime());
  if (!rendered.ok()) return rendered.status().WithContext("the model's chat template");
  return text::EncodeSegments(*tokenizer_, rendered->segments);
}

}  // namespace tutti::cli
