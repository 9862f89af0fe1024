#include "tutti/cli/prompt_builder.h"

#include <algorithm>
#include <boost/json.hpp>
#include <ctime>

#include "tutti/cli/json_text.h"

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
  auto rendered = template_->Render(ToJson(variables), LocalTime());
  if (!rendered.ok()) return rendered.status().WithContext("the model's chat template");
  return text::EncodeSegments(*tokenizer_, rendered->segments);
}

TokenIds EncodeOpenText(const text::Tokenizer& tokenizer, std::string_view text) {
  const VocabSpec& vocab = tokenizer.spec();
  TokenIds ids = tokenizer.Encode(text, {.add_special = true, .parse_special = false});
  TokenIds suffix = vocab.suffix;
  if (suffix.empty() && vocab.add_eos) suffix = {vocab.eos};
  if (ids.size() >= suffix.size() && std::equal(suffix.rbegin(), suffix.rend(), ids.rbegin())) {
    ids.resize(ids.size() - suffix.size());
  }
  return ids;
}

std::string LocalTime() {
  const std::time_t now = std::time(nullptr);
  std::tm local{};
  localtime_r(&now, &local);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", local.tm_year + 1900, local.tm_mon + 1,
                     local.tm_mday, local.tm_hour, local.tm_min, local.tm_sec);
}

}  // namespace tutti::cli
