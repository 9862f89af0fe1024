#include "tutti/server/choice_text.h"

#include <utility>

namespace tutti::server {

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
    if (part.kind == text::PartKind::kToolCall) {
      AddCall(part.call, events);
      continue;
    }
    events.push_back({.kind = part.kind == text::PartKind::kReasoning ? AnswerEventKind::kReasoning
                                                                      : AnswerEventKind::kText,
                      .choice = options_.choice,
                      .text = std::move(part.text)});
    events.back().logprobs = std::exchange(pending_, {});
  }
}

void ChoiceText::AddCall(const text::ToolCall& call, std::vector<AnswerEvent>& events) {
  AnswerEvent event{.kind = AnswerEventKind::kToolCall, .choice = options_.choice};
  event.text = call.name;
  event.call_id = call.id.empty() ? fmt::format("{}{}", options_.call_id_prefix, calls_) : call.id;
  ++calls_;
  event.logprobs = std::exchange(pending_, {});
  events.push_back(std::move(event));
  AnswerEvent arguments{.kind = AnswerEventKind::kArguments, .choice = options_.choice};
  arguments.text = call.arguments;
  events.push_back(std::move(arguments));
  events.push_back({.kind = AnswerEventKind::kToolCallEnd, .choice = options_.choice});
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
  if (options_.parts) Add(options_.parts->Finish(), events);
  AnswerEvent end{.kind = AnswerEventKind::kFinished, .choice = options_.choice};
  end.reason = stopped() ? FinishReason::kStop : reason;
  end.stop = stop_.matched();
  end.logprobs = std::exchange(pending_, {});
  events.push_back(std::move(end));
  return events;
}

}  // namespace tutti::server
