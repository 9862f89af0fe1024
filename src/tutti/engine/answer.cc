#include "tutti/engine/answer.h"

#include <algorithm>
#include <utility>

#include "tutti/base/check.h"

namespace tutti::engine {
namespace {

bool Contains(const TokenIds& ids, TokenId id) {
  return std::find(ids.begin(), ids.end(), id) != ids.end();
}

}  // namespace

Status CheckPrompt(const Engine& engine, std::span<const TokenId> prompt) {
  if (prompt.empty()) return UsageError("the prompt is empty: the model needs at least one token");
  const int32_t vocab_size = engine.spec().vocab_size;
  for (const TokenId id : prompt) {
    if (id < 0 || id >= vocab_size) {
      return DataError("token {} is not in the model's vocabulary of {} tokens", id, vocab_size);
    }
  }
  const auto context = static_cast<size_t>(engine.context());
  if (prompt.size() > context) {
    return Error(StatusCode::kResource,
                 "the prompt has {} tokens, the context holds {}: shorten it or raise --context",
                 prompt.size(), context);
  }
  return {};
}

Result<Answer> Answer::Create(const Engine& engine, TokenIds prompt, AnswerSpec spec) {
  TUTTI_RETURN_IF_ERROR(CheckPrompt(engine, prompt));
  TUTTI_ASSIGN_OR_RETURN(Sampler sampler, Sampler::Create(spec.sampling, engine.spec().vocab_size));
  Answer answer(std::move(sampler), std::move(prompt), std::move(spec), engine.context());
  if (answer.spec_.max_tokens == 0) answer.finished_ = FinishReason::kMaxTokens;
  return answer;
}

std::optional<FinishReason> Answer::WhyFinished() const {
  const TokenId id = tokens_.back();
  if (Contains(spec_.ends, id)) return FinishReason::kEndOfGeneration;
  if (Contains(spec_.stop_tokens, id)) return FinishReason::kStop;
  if (spec_.constraint && spec_.constraint->Ended()) return FinishReason::kStop;
  if (spec_.max_tokens >= 0 && generated() >= spec_.max_tokens) return FinishReason::kMaxTokens;
  // The last token would have to be computed for the next one.
  if (std::ssize(tokens_) > context_) return FinishReason::kContextFull;
  return std::nullopt;
}

int32_t Answer::remaining() const {
  if (finished_) return 0;
  const int32_t room = context_ + 1 - static_cast<int32_t>(tokens_.size());
  return spec_.max_tokens < 0 ? room : std::min(room, spec_.max_tokens - generated());
}

Result<SampledToken> Answer::Next(std::span<const float> logits) {
  TUTTI_CHECK(!finished_, "an answer goes on after its end");
  TokenConstraint* const constraint = spec_.constraint.get();
  std::optional<std::span<const uint32_t>> allowed;
  if (constraint != nullptr) allowed = constraint->Allowed();
  TUTTI_ASSIGN_OR_RETURN(SampledToken token, sampler_.Sample(logits, tokens_, allowed));
  tokens_.push_back(token.id);
  if (constraint != nullptr) constraint->Accept(token.id);
  finished_ = WhyFinished();
  return token;
}

}  // namespace tutti::engine
