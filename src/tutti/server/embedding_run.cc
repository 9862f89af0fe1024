#include "tutti/server/embedding_run.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace tutti::server {
namespace {

void Normalize(std::vector<float>& vector) {
  double sum = 0;
  for (const float value : vector) sum += double{value} * double{value};
  if (sum <= 0) return;
  const double scale = 1 / std::sqrt(sum);
  for (float& value : vector) value = static_cast<float>(value * scale);
}

}  // namespace

Result<std::shared_ptr<EmbeddingRun>> EmbeddingRun::Start(std::shared_ptr<ModelHost> host,
                                                          Workers& workers, TenantId tenant,
                                                          std::vector<TokenIds> prompts,
                                                          int64_t dimensions, Exchange& exchange,
                                                          Done done) {
  auto run = std::make_shared<EmbeddingRun>(Private(), std::move(host), workers, std::move(done));
  const std::weak_ptr<EmbeddingRun> weak = run;
  std::vector<scheduler::Request> requests;
  for (TokenIds& prompt : prompts) {
    requests.push_back({.prompt = std::move(prompt), .embedding = true, .tenant = tenant});
  }
  {
    const std::lock_guard lock(run->mutex_);  // it may be woken before all is there
    run->dimensions_ = static_cast<size_t>(dimensions);
    run->result_.vectors.resize(requests.size());
    const Status started = run->feed_.Start(*run->host_, std::move(requests), [weak] {
      if (const auto self = weak.lock()) self->Wake();
    });
    if (!started.ok()) {
      run->LetGo();  // a prompt that began may have woken it: it must not answer too
      return started;
    }
  }
  exchange.OnAbandoned([weak] {
    if (const auto self = weak.lock()) self->Cancel();
  });
  return run;
}

void EmbeddingRun::Release() {
  const std::lock_guard lock(mutex_);
  LetGo();
}

void EmbeddingRun::LetGo() {
  ended_ = true;
  feed_.Clear();
  // Here and not by whoever lets go of this last: that may be the loop, which the model owns, and
  // which may come to it when the service is gone.
  host_.reset();
  done_ = {};
}

void EmbeddingRun::Wake() {
  workers_.Post([self = shared_from_this()] {
    const std::lock_guard lock(self->mutex_);
    self->Attempt();
  });
}

void EmbeddingRun::Cancel() {
  workers_.Post([self = shared_from_this()] {
    const std::lock_guard lock(self->mutex_);
    self->result_.outcome.kind = OutcomeKind::kAbandoned;
    self->feed_.Cancel();
  });
}

// Memory can run out anywhere; then this request ends and no other.
void EmbeddingRun::Attempt() {
  if (ended_) return;  // a late wake
  try {
    Process();
    if (!feed_.ended()) return;
  } catch (const std::exception& failure) {
    result_.error =
        Error(StatusCode::kInternal, "the embeddings could not be collected: {}", failure.what());
  }
  Finish();
}

void EmbeddingRun::Process() {
  const Status status = feed_.Read([&](size_t prompt, scheduler::Event& event) {
    if (!event.hidden.empty()) {
      if (dimensions_ > 0) event.hidden.resize(std::min(dimensions_, event.hidden.size()));
      Normalize(event.hidden);
      result_.vectors[prompt] = std::move(event.hidden);
    }
    if (event.finished == FinishReason::kFailed) result_.error = event.error;
  });
  if (!status.ok()) result_.error = status;
}

void EmbeddingRun::Finish() {
  Outcome& outcome = result_.outcome;
  if (!result_.error.ok()) outcome.kind = OutcomeKind::kFailed;
  for (const auto& stream : feed_.streams()) {
    const scheduler::Progress progress = stream->progress();
    outcome.usage.prompt_tokens += progress.usage.prompt_tokens;
    outcome.usage.cached_tokens += progress.usage.cached_tokens;
    outcome.total_s =
        std::max(outcome.total_s, progress.times.finished_s - progress.times.submitted_s);
  }
  const Done done = std::move(done_);
  LetGo();
  done(std::move(result_));
}

}  // namespace tutti::server
