#include "tutti/server/choice_text.h"

#include <utility>

namespace tutti::server {

TokenText ChoiceText::TextOf(TokenId id, float logprob) const {
  return {.id = id, .logprob = logprob, .bytes = tokenizer_.TokenBytes(id)};
}

std::vector<AnswerEvent> ChoiceText::Push(const scheduler::Event& event, bool silent) {
  if (finished_ || stopped()) return {};
  ++tokens_;
  if (silent) return {};
  const engine::SampledToken& token = event.token;
  if (logprobs_) {
    TokenLogprob logprob{.token = TextOf(token.id, token.logprob), .top = {}};
    for (const auto& best : token.best) logprob.top.push_back(TextOf(best.id, best.logprob));
    pending_.push_back(std::move(logprob));
  }
  const auto& kinds = tokenizer_.spec().kinds;
  const auto index = static_cast<size_t>(token.id);
  if (index < kinds.size() && kinds[index] == TokenKind::kControl) return {};
  return Take(stop_.Push(decoder_.Push(token.id)));
}

std::vector<AnswerEvent> ChoiceText::Take(std::string text) {
  std::vector<AnswerEvent> events;
  if (text.empty()) return events;
  events.push_back({.kind = AnswerEventKind::kText, .choice = choice_, .text = std::move(text)});
  events.back().logprobs = std::exchange(pending_, {});
  return events;
}

std::vector<AnswerEvent> ChoiceText::Finish(FinishReason reason) {
  if (finished_) return {};
  finished_ = true;
  std::vector<AnswerEvent> events;
  if (!stopped()) {
    std::string rest = stop_.Push(decoder_.Finish());
    rest += stop_.Finish();
    events = Take(std::move(rest));
  }
  AnswerEvent end{.kind = AnswerEventKind::kFinished, .choice = choice_};
  end.reason = stopped() ? FinishReason::kStop : reason;
  end.stop = stop_.matched();
  end.logprobs = std::exchange(pending_, {});
  events.push_back(std::move(end));
  return events;
}

}  // namespace tutti::server
