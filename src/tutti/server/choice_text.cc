#include "tutti/server/choice_text.h"

#include <utility>

namespace tutti::server {
namespace {

AnswerEventKind KindOf(text::PartKind kind) {
  switch (kind) {
    case text::PartKind::kText:
      return AnswerEventKind::kText;
    case text::PartKind::kReasoning:
      return AnswerEventKind::kReasoning;
    case text::PartKind::kToolCall:
      return AnswerEventKind::kToolCall;
    case text::PartKind::kArguments:
      return AnswerEventKind::kArguments;
    case text::PartKind::kCallEnd:
      return AnswerEventKind::kToolCallEnd;
  }
  return AnswerEventKind::kText;
}

}  // namespace

Result<ChoiceText> ChoiceText::Create(const ModelHost& host, ChoiceOptions options) {
  TUTTI_ASSIGN_OR_RETURN(text::StopStrings stop, text::StopStrings::Create(options.stop));
  return ChoiceText(host, std::move(options), std::move(stop));
}

TokenText ChoiceText::TextOf(TokenId id, float logprob) const {
  return {.id = id, .logprob = logprob, .bytes = host_->tokenizer().TokenBytes(id)};
}

std::vector<AnswerEvent> ChoiceText::Push(const scheduler::Event& event, bool silent) {
  if (finished_ || stopped()) return {};
  ++tokens_;
  if (options_.parts && options_.parts->in_reasoning()) ++reasoning_tokens_;
  if (silent) return {};
  const engine::SampledToken& token = event.token;
  if (options_.logprobs) {
    TokenLogprob logprob{.token = TextOf(token.id, token.logprob), .top = {}};
    for (const auto& best : token.best) logprob.top.push_back(TextOf(best.id, best.logprob));
    pending_.push_back(std::move(logprob));
  }
  std::vector<AnswerEvent> events;
  if (host_->IsText(token.id)) Take(stop_.Push(decoder_.Push(token.id)), events);
  return events;
}

void ChoiceText::Take(std::string text, std::vector<AnswerEvent>& events) {
  if (text.empty()) return;
  if (options_.parts) return Add(options_.parts->Push(text), events);
  std::vector<text::AnswerPart> whole(1);
  whole.front().text = std::move(text);
  Add(std::move(whole), events);
}

void ChoiceText::Add(std::vector<text::AnswerPart> parts, std::vector<AnswerEvent>& events) {
  for (text::AnswerPart& part : parts) {
    if (called_) return;
    TakeBegun(part);
    if (part.text.empty() && part.kind == text::PartKind::kText) continue;
    AnswerEvent event{.kind = KindOf(part.kind), .choice = options_.choice};
    event.text = std::move(part.text);
    if (part.kind == text::PartKind::kToolCall) {
      event.call_id = part.id.empty() ? fmt::format("{}{}", options_.call_id_prefix, calls_)
                                      : std::move(part.id);
      ++calls_;
    }
    if (part.kind == text::PartKind::kCallEnd) {
      called_ = options_.one_call;
    } else {
      event.logprobs = std::exchange(pending_, {});
    }
    events.push_back(std::move(event));
  }
}

void ChoiceText::TakeBegun(text::AnswerPart& part) {
  std::string& begun = options_.begun_call;
  if (begun.empty()) return;
  if (part.kind == text::PartKind::kText && part.text.starts_with(begun)) {
    part.text.erase(0, begun.size());
    begun.clear();
  } else if (part.kind == text::PartKind::kText && begun.starts_with(part.text)) {
    begun.erase(0, std::exchange(part.text, {}).size());
  } else {
    begun.clear();
  }
}

std::vector<AnswerEvent> ChoiceText::Finish(FinishReason reason) {
  if (finished_) return {};
  finished_ = true;
  std::vector<AnswerEvent> events;
  if (!stopped()) {
    std::string rest = stop_.Push(decoder_.Finish());
    rest += stop_.Finish();
    Take(std::move(rest), events);
  }
  AnswerEvent end{.kind = AnswerEventKind::kFinished, .choice = options_.choice};
  end.reason = stopped() ? FinishReason::kStop : reason;  // a call that ends only now was cut off
  if (options_.parts && !called_) Add(options_.parts->Finish(), events);
  end.stop = stop_.matched();
  end.logprobs = std::exchange(pending_, {});
  events.push_back(std::move(end));
  return events;
}

}  // namespace tutti::server
