#include "tutti/server/model_host.h"

#include <algorithm>
#include <type_traits>
#include <utility>
#include <variant>

#include "tutti/base/hash.h"
#include "tutti/server/chat_render.h"

namespace tutti::server {
namespace {

// For models without a template: the messages' texts as one that goes on.
constexpr std::string_view kPlainTemplate =
    "{% for message in messages %}{% if message.content is string %}{{ message.content }}"
    "{% endif %}{% if not loop.last %}\n{% endif %}{% endfor %}";

ApiError PromptError(const Status& status) {
  return {.status = 400, .type = "invalid_request_error", .message = status.message()};
}

// Over keys and values.
class MetadataHash {
 public:
  void Add(std::string_view text) {
    value_ = Fnv1a("\xff", Fnv1a(text, value_));  // no byte of UTF-8: where one ends
  }
  template <typename T>
  requires std::is_arithmetic_v<T>
  void Add(T value) { Add(fmt::format("{}", value)); }
  template <typename T>
  void Add(const std::vector<T>& values) {
    for (const auto& value : values) Add(static_cast<T>(value));
  }
  uint64_t value() const { return value_; }

 private:
  uint64_t value_ = kFnv1aStart;
};

uint64_t HashOf(const Metadata& metadata) {
  MetadataHash hash;
  for (const auto& [key, value] : metadata.values()) {
    hash.Add(std::string_view(key));
    std::visit([&](const auto& held) { hash.Add(held); }, value);
  }
  return hash.value();
}

}  // namespace

ModelHost::ModelHost(Private, std::string name, HostedModel model)
    : name_(std::move(name)),
      model_(std::move(model)),
      context_(model_.engine->context()),
      fingerprint_(HashOf(model_.engine->metadata())),
      constraints_(*model_.tokenizer, model_.engine->spec().vocab_size) {
  const VocabSpec& vocab = tokenizer().spec();
  ends_ = vocab.Ends();
  has_template_ = !vocab.chat_template.empty();
  template_source_ = has_template_ ? vocab.chat_template : std::string(kPlainTemplate);
  answer_format_ = text::AnswerFormatOf(template_source_);
  for (size_t i = 0; i < vocab.tokens.size(); ++i) {
    const auto id = static_cast<TokenId>(i);
    longest_token_ = std::max(longest_token_, tokenizer().TokenBytes(id).size());
    is_text_.push_back(vocab.kinds[i] != TokenKind::kControl ||
                       answer_format_.Knows(tokenizer().TokenBytes(id)));
  }
}

Result<std::shared_ptr<ModelHost>> ModelHost::Create(std::string name, HostedModel model,
                                                     scheduler::SchedulerOptions options) {
  auto host = std::make_shared<ModelHost>(Private(), std::move(name), std::move(model));
  auto parsed = text::ChatTemplate::Parse(host->template_source_);
  if (!parsed.ok()) return parsed.status().WithContext("the model's chat template");
  host->template_.emplace(std::move(parsed).value());
  options.end_of_generation = host->ends_;
  // A chunk fills all experts; a sixteenth of it gives each a few tokens.
  const int32_t chunk = host->model_.engine->prefill_chunk();
  options.max_step_tokens = std::max(options.max_step_tokens, chunk);
  options.least_prompt_tokens = std::max(options.least_prompt_tokens, chunk / 16);
  options.draft = host->model_.draft.get();
  host->window_ = {.answers = options.max_queued_requests / 2,
                   .prompt_tokens = options.max_queued_prompt_tokens / 2};
  TUTTI_ASSIGN_OR_RETURN(host->scheduler_,
                         scheduler::Scheduler::Create(*host->model_.engine, std::move(options)));
  host->loop_ = std::thread([scheduler = host->scheduler_.get()] { scheduler->Run(); });
  return host;
}

ModelHost::~ModelHost() {
  if (!loop_.joinable()) return;
  scheduler_->Stop();
  loop_.join();
}

bool ModelHost::IsEnd(TokenId id) const {
  return std::find(ends_.begin(), ends_.end(), id) != ends_.end();
}

text::Conversation ModelHost::Complete(text::Conversation conversation) const {
  const VocabSpec& vocab = tokenizer().spec();
  if (vocab.bos != kNoToken) conversation.bos_token = tokenizer().TokenBytes(vocab.bos);
  if (vocab.eos != kNoToken) conversation.eos_token = tokenizer().TokenBytes(vocab.eos);
  return conversation;
}

Result<text::RenderResult> ModelHost::Render(const text::Conversation& conversation,
                                             bool goes_on) const {
  return RenderForgiving(*template_, Complete(conversation), goes_on, text::LocalTime());
}

ApiResult<ConversationPrompt> ModelHost::Prompt(const text::Conversation& conversation,
                                                bool goes_on, std::string begun) const {
  auto rendered = Render(conversation, goes_on);
  if (!rendered.ok()) return PromptError(rendered.status());
  const std::string text = rendered->Text();
  ConversationPrompt prompt;
  if (!has_template_) {
    auto ids = Prompt(std::string_view(text));
    if (!ids.ok()) return ids.error();
    prompt.ids = std::move(*ids);
    return prompt;
  }
  if (auto error = CheckFits(text)) return *std::move(error);
  prompt.in_reasoning = text::PromptOpensReasoning(answer_format_.reasoning, text);
  if (!begun.empty()) {
    if (prompt.in_reasoning) begun = std::string(answer_format_.reasoning.close) + "\n\n" + begun;
    prompt.begun = begun;
    rendered->segments.push_back({.text = std::move(begun), .from_template = true});
  }
  prompt.ids = text::EncodeSegments(tokenizer(), rendered->segments);
  return prompt;
}

std::optional<ApiError> ModelHost::CheckFits(std::string_view text) const {
  const VocabSpec& vocab = tokenizer().spec();
  // Normalising makes texts shorter: composed characters a little, white space without a bound.
  const bool strips =
      std::any_of(vocab.added_rules.begin(), vocab.added_rules.end(),
                  [](const AddedTokenRule& rule) { return rule.strip_left || rule.strip_right; });
  if (vocab.remove_extra_whitespace || strips) return std::nullopt;
  const size_t most = static_cast<size_t>(context_) * longest_token_ * (vocab.nfc ? 4 : 1);
  if (text.size() <= most) return std::nullopt;
  return TooLongError({.bytes = std::ssize(text), .context = context_});
}

ApiResult<TokenIds> ModelHost::Prompt(const std::variant<std::string, TokenIds>& prompt) const {
  if (const auto* text = std::get_if<std::string>(&prompt)) return Prompt(std::string_view(*text));
  return std::get<TokenIds>(prompt);
}

ApiResult<TokenIds> ModelHost::Prompt(std::string_view text) const {
  if (auto error = CheckFits(text)) return *std::move(error);
  return text::EncodeOpenText(tokenizer(), text);
}

std::optional<ApiError> ModelHost::CheckTokens(std::span<const TokenId> tokens) const {
  const auto known = [&](TokenId id) { return id >= 0 && id < vocab_size(); };
  const auto unknown = std::find_if_not(tokens.begin(), tokens.end(), known);
  if (unknown == tokens.end()) return std::nullopt;
  return PromptError(
      UsageError("token {} is not in the model's vocabulary of {} tokens", *unknown, vocab_size()));
}

std::optional<ApiError> ModelHost::CheckPrompt(std::span<const TokenId> prompt,
                                               bool answered) const {
  if (prompt.empty()) {
    return PromptError(UsageError("the prompt is empty: the model needs at least one token"));
  }
  if (std::ssize(prompt) + (answered ? 1 : 0) > context_) {
    return TooLongError({.tokens = std::ssize(prompt), .context = context_});
  }
  return CheckTokens(prompt);
}

}  // namespace tutti::server
