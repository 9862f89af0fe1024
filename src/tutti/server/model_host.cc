#include "tutti/server/model_host.h"

#include <algorithm>
#include <utility>

namespace tutti::server {
namespace {

// For models without a template: the messages' texts as one that goes on.
constexpr std::string_view kPlainTemplate =
    "{% for message in messages %}{% if message.content is string %}{{ message.content }}"
    "{% endif %}{% if not loop.last %}\n{% endif %}{% endfor %}";

}  // namespace

ModelHost::ModelHost(Private, std::string name, HostedModel model)
    : name_(std::move(name)),
      model_(std::move(model)),
      context_(model_.engine->context()),
      constraints_(*model_.tokenizer, model_.engine->spec().vocab_size) {
  const VocabSpec& vocab = tokenizer().spec();
  ends_ = vocab.Ends();
  has_template_ = !vocab.chat_template.empty();
  template_source_ = has_template_ ? vocab.chat_template : std::string(kPlainTemplate);
}

Result<std::shared_ptr<ModelHost>> ModelHost::Create(std::string name, HostedModel model,
                                                     scheduler::SchedulerOptions options) {
  auto host = std::make_shared<ModelHost>(Private(), std::move(name), std::move(model));
  auto parsed = text::ChatTemplate::Parse(host->template_source_);
  if (!parsed.ok()) return parsed.status().WithContext("the model's chat template");
  host->template_.emplace(std::move(parsed).value());
  options.end_of_generation = host->ends_;
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

Result<text::RenderResult> ModelHost::Render(const text::Conversation& conversation) const {
  text::Conversation complete = conversation;
  const VocabSpec& vocab = tokenizer().spec();
  if (vocab.bos != kNoToken) complete.bos_token = tokenizer().TokenBytes(vocab.bos);
  if (vocab.eos != kNoToken) complete.eos_token = tokenizer().TokenBytes(vocab.eos);
  return text::Render(*template_, complete, text::LocalTime());
}

Result<TokenIds> ModelHost::Prompt(const text::Conversation& conversation) const {
  TUTTI_ASSIGN_OR_RETURN(const text::RenderResult rendered, Render(conversation));
  if (!has_template_) return Prompt(rendered.Text());
  return text::EncodeSegments(tokenizer(), rendered.segments);
}

TokenIds ModelHost::Prompt(std::string_view text) const {
  return text::EncodeOpenText(tokenizer(), text);
}

}  // namespace tutti::server
