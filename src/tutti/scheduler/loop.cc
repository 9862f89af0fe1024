#include "tutti/scheduler/loop.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <utility>

#include "tutti/base/check.h"

namespace tutti::scheduler {
namespace {

constexpr int32_t kMaxChoices = 128;
// How long the past counts in the speed that is reported.
constexpr double kRecentSeconds = 10;
// Remembered pages go to the disk: so many bytes every so often, while requests are served and
// while nobody asks.
constexpr int64_t kWriteBehindBytes = int64_t{16} << 20;
constexpr double kBusyPauseSeconds = 1;
constexpr double kIdlePauseSeconds = 0.02;

double SteadySeconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

SchedulerOptions WithClock(SchedulerOptions options) {
  if (!options.now_s) options.now_s = SteadySeconds;
  return options;
}

// What can never work is the caller's mistake, whatever the limit.
Status AsUsage(const Status& status) { return Status(StatusCode::kUsage, status.message()); }

}  // namespace

Result<std::unique_ptr<Scheduler>> Scheduler::Create(Engine& engine, SchedulerOptions options) {
  const auto positive = [](auto value) { return value > 0; };  // false for NaN
  if (!positive(options.max_queued_requests) || !positive(options.max_queued_prompt_tokens) ||
      !positive(options.max_running) || !positive(options.unread_tokens)) {
    return UsageError(
        "limits of the scheduler must be positive: {} requests and {} prompt tokens queued, {} "
        "sequences running, {} tokens unread",
        options.max_queued_requests, options.max_queued_prompt_tokens, options.max_running,
        options.unread_tokens);
  }
  if (!positive(options.least_prompt_tokens)) {
    return UsageError("{} tokens of prompts in a step at least: 1 or more are possible",
                      options.least_prompt_tokens);
  }
  if (options.max_running > options.max_step_tokens) {
    return UsageError("{} sequences may run, a step has {} tokens at most: raise it",
                      options.max_running, options.max_step_tokens);
  }
  if (!positive(options.step_ms) || !positive(options.prompt_step_ms) ||
      !(options.batch_patience_s >= 0)) {
    return UsageError("times of {} ms and {} ms for a step and {} s of patience: not negative",
                      options.step_ms, options.prompt_step_ms, options.batch_patience_s);
  }
  if (options.max_drafts < 0) {
    return UsageError("{} drafts of a sequence are wanted: 0 (none) or more", options.max_drafts);
  }
  if (options.draft == &engine) {
    return UsageError("the draft model is the model itself: it needs a smaller one of its own");
  }
  if (options.draft != nullptr && options.draft->spec().vocab_size != engine.spec().vocab_size) {
    return UsageError(
        "the draft model has {} tokens and the model {}: both must have the same vocabulary",
        options.draft->spec().vocab_size, engine.spec().vocab_size);
  }
  return Result<std::unique_ptr<Scheduler>>(std::make_unique<Loop>(engine, std::move(options)));
}

Loop::Loop(Engine& engine, SchedulerOptions options)
    : engine_(engine),
      options_(WithClock(std::move(options))),
      inbox_(
          std::make_shared<Inbox>(options_.max_queued_requests, options_.max_queued_prompt_tokens)),
      planner_(engine, options_, total_),
      speculation_(options_) {
  UpdateStatistics();
}

Loop::~Loop() {
  Stop();
  TakeNews();
  Publish();
}

Result<std::unique_ptr<Stream>> Loop::Submit(Request request, std::function<void()> wake) {
  if (request.choices < 1 || request.choices > kMaxChoices) {
    return UsageError("{} choices are wanted, 1 to {} are possible", request.choices, kMaxChoices);
  }
  if (request.embedding) {
    request.choices = 1;
    request.max_tokens = 0;
  }
  Arrival arrival{.state = nullptr,
                  .priority = request.priority,
                  .tenant = request.tenant,
                  .submitted_s = options_.now_s(),
                  .embedding = request.embedding,
                  .admitted = request.admitted,
                  .answers = {}};
  for (int32_t i = 0; i < request.choices; ++i) {
    engine::AnswerSpec spec{.sampling = request.sampling,
                            .max_tokens = request.max_tokens,
                            .ends = {},
                            .stop_tokens = request.stop_tokens,
                            .constraint = {}};
    if (request.constraint) spec.constraint = request.constraint->Clone();
    spec.sampling.seed += static_cast<uint64_t>(i);
    if (!request.ignore_eos) spec.ends = options_.end_of_generation;
    auto answer = engine::Answer::Create(engine_, request.prompt, std::move(spec));
    if (!answer.ok()) return AsUsage(answer.status());
    arrival.answers.push_back(std::move(answer).value());
  }
  arrival.state =
      std::make_shared<RequestState>(inbox_, next_id_++, std::ssize(request.prompt),
                                     options_.unread_tokens * request.choices, std::move(wake));
  const std::shared_ptr<RequestState> state = arrival.state;
  TUTTI_RETURN_IF_ERROR(inbox_->Put(std::move(arrival)));
  return std::make_unique<Stream>(state);
}

void Loop::Run() {
  while (true) {
    if (Step()) continue;
    TUTTI_DCHECK(CheckIntegrity().empty(), CheckIntegrity());
    const bool more = engine_.WriteBehind(kWriteBehindBytes);
    UpdateStatistics();
    if (!inbox_->WaitForNews(more ? std::optional(kIdlePauseSeconds) : std::nullopt)) return;
  }
}

bool Loop::Step() {
  now_s_ = options_.now_s();
  const bool news = TakeNews();
  const bool work = !requests_.empty();
  if (work) Compute();
  if (!news && !work) return false;
  Publish();
  speculation_.Forget(planner_.running());
  if (now_s_ >= write_behind_s_ + kBusyPauseSeconds) {
    engine_.WriteBehind(kWriteBehindBytes);
    write_behind_s_ = now_s_;
    UpdateStatistics();
  }
  return true;
}

bool Loop::TakeNews() {
  News news = inbox_->Take();
  const bool any = !news.arrivals.empty() || !news.cancelled.empty();
  for (Arrival& arrival : news.arrivals) Accept(std::move(arrival));
  for (const Cancellation& cancelled : news.cancelled) {
    const auto it = requests_.find(cancelled.id);
    if (it != requests_.end()) CancelChoice(it->second, cancelled.choice);
  }
  if (news.stopped) {
    for (auto& [id, request] : requests_) EndAll(request, FinishReason::kInterrupted);
  }
  return any;
}

void Loop::CancelChoice(ActiveRequest& request, int32_t choice) {
  if (choice == kAllChoices) return EndAll(request, FinishReason::kInterrupted);
  if (choice < 0 || choice >= std::ssize(request.choices)) return;
  Sequence& sequence = request.choices[static_cast<size_t>(choice)];
  if (!sequence.ended && request.prompt_done) End(sequence, FinishReason::kInterrupted);
}

void Loop::Accept(Arrival arrival) {
  ActiveRequest& request = requests_[arrival.state->id()];
  request.state = std::move(arrival.state);
  request.priority = arrival.priority;
  request.tenant = arrival.tenant;
  request.embedding = arrival.embedding;
  request.order = next_order_++;
  request.times.submitted_s = arrival.submitted_s;
  for (engine::Answer& answer : arrival.answers) {
    request.choices.push_back(
        {.request = &request, .choice = request.open_choices++, .answer = std::move(answer)});
  }
  planner_.Wait(request.choices.front());
}

void Loop::LeaveQueue(ActiveRequest& request) {
  if (request.left_queue) return;
  request.left_queue = true;
  inbox_->Left(request.choices.front().answer.prompt_size(), std::ssize(request.choices));
}

void Loop::Compute() {
  const std::vector<Share>& plan = planner_.Plan(now_s_);
  for (Sequence* sequence : planner_.started()) {
    ActiveRequest& request = *sequence->request;
    LeaveQueue(request);
    request.changed = true;
    if (request.times.started_s < 0) request.times.started_s = now_s_;
  }
  if (plan.empty()) return;  // all that was there has been cancelled
  speculation_.Draft(planner_);
  std::vector<TokenIds> guessed;
  const Batch batch = MakeBatch(guessed);
  const double begin_s = options_.now_s();
  const auto result = engine_.Forward(batch);
  const double end_s = options_.now_s();
  const double seconds = end_s - now_s_;
  now_s_ = end_s;
  if (!result.ok()) {
    std::vector<Sequence*> failed;
    for (const Share& share : plan) failed.push_back(share.sequence);
    for (Sequence* sequence : failed) {
      if (!sequence->ended) End(*sequence, FinishReason::kFailed, result.status());
    }
    return;
  }
  planner_.Computed(end_s - begin_s);
  ++steps_;
  step_s_ += seconds;
  const double kept = std::exp(-seconds / kRecentSeconds);
  recent_s_ = recent_s_ * kept + seconds;
  recent_tokens_ *= kept;
  for (const Share& share : plan) recent_tokens_ += share.tokens;
  Deliver(*result);
}

// Without prompt_length: latent attention computes all rows in one form. With it, a page that was
// generated and the same page as part of a later prompt would differ in their last bits, and an
// answer would depend on which of them was found.
Batch Loop::MakeBatch(std::vector<TokenIds>& guessed) const {
  Batch batch;
  guessed.reserve(planner_.plan().size());  // entries point into it
  for (const Share& share : planner_.plan()) {
    const Sequence& sequence = *share.sequence;
    LogitsWanted wanted = LogitsWanted::kNone;
    if (share.tokens == sequence.pending()) {
      wanted = sequence.request->embedding  ? LogitsWanted::kHidden
               : sequence.answer.finished() ? LogitsWanted::kNone
                                            : LogitsWanted::kLast;
    }
    std::span<const TokenId> tokens =
        sequence.PendingTokens().first(static_cast<size_t>(share.tokens));
    if (share.drafts > 0) {
      wanted = LogitsWanted::kAll;
      TokenIds& both = guessed.emplace_back(tokens.begin(), tokens.end());
      both.insert(both.end(), sequence.drafts.begin(), sequence.drafts.begin() + share.drafts);
      tokens = both;
    }
    batch.entries.push_back(
        {.sequence = sequence.id, .tokens = tokens, .logits = wanted, .drafts = share.drafts});
  }
  return batch;
}

void Loop::Deliver(const StepResult& result) {
  const auto vocab = static_cast<size_t>(engine_.spec().vocab_size);
  const auto dim = engine_.spec().dim;
  size_t row = 0;
  auto hidden = result.hidden.begin();
  // A copy: sequences that end leave the plan.
  const std::vector<Share> plan = planner_.plan();
  for (const Share& share : plan) {
    Sequence& sequence = *share.sequence;
    Bill(sequence, share.tokens, true, total_);
    if (sequence.pending() > 0) continue;
    if (sequence.answer.finished()) {  // no tokens are wanted, only the prompt
      sequence.request->times.first_token_s = now_s_;
      if (sequence.request->embedding) {
        sequence.request->events.push_back(
            {.choice = 0, .token = {}, .hidden = {hidden, hidden + dim}});
        hidden += dim;
      }
      EndAll(*sequence.request, *sequence.answer.finished());
      continue;
    }
    const auto rows = static_cast<size_t>(1 + share.drafts);
    const std::span<const float> logits(result.logits.data() + row * vocab, rows * vocab);
    row += rows;
    ActiveRequest& request = *sequence.request;
    if (request.prompt_done) {
      Sample(sequence, logits, share.drafts);
    } else {
      AnswerFirstTokens(request, logits);
    }
  }
}

// The first choice has computed the prompt for all: they begin with the same logits, and go on with
// the same pages.
void Loop::AnswerFirstTokens(ActiveRequest& request, std::span<const float> logits) {
  request.prompt_done = true;
  request.times.first_token_s = now_s_;
  Sequence& first = request.choices.front();
  for (size_t i = 1; i < request.choices.size(); ++i) {
    Sequence& choice = request.choices[i];
    choice.reached = first.held;
    Sample(choice, logits);
    if (choice.ended) continue;
    if (planner_.HasPlace()) {
      const Result<SequenceId> fork = engine_.Fork(first.id);
      if (fork.ok()) {
        planner_.Join(choice, *fork, first.held);
        continue;
      }
    }
    planner_.Wait(choice);
  }
  Sample(first, logits);
}

void Loop::Sample(Sequence& sequence, std::span<const float> logits, int32_t drafts) {
  const auto vocab = static_cast<size_t>(engine_.spec().vocab_size);
  const size_t size = sequence.answer.tokens().size();
  ActiveRequest& request = *sequence.request;
  Status error;
  size_t accepted = 0;
  while (true) {
    Result<engine::SampledToken> token =
        sequence.answer.Next(logits.subspan(accepted * vocab, vocab));
    if (!token.ok()) {
      error = token.status();
      break;
    }
    const TokenId id = token->id;
    ++request.usage.generated_tokens;
    ++total_.generated_tokens;
    request.events.push_back({.choice = sequence.choice, .token = std::move(token).value()});
    const bool more = !sequence.answer.finished() && static_cast<int32_t>(accepted) < drafts;
    if (!more || id != sequence.drafts[accepted]) break;
    ++accepted;
  }
  const auto count = static_cast<int32_t>(accepted);
  if (drafts > 0) {
    Bill(sequence, count, true, total_);
    engine_.Truncate(sequence.id, sequence.held);
    planner_.Accepted(sequence, count);
    recent_tokens_ += count;
  }
  speculation_.Learn(sequence, size, drafts, count);
  if (!error.ok()) return End(sequence, FinishReason::kFailed, error);
  if (sequence.answer.finished()) End(sequence, *sequence.answer.finished());
}

void Loop::End(Sequence& sequence, FinishReason reason, const Status& error) {
  planner_.Drop(sequence);
  sequence.ended = true;
  ActiveRequest& request = *sequence.request;
  const bool last = --request.open_choices == 0;
  request.changed = true;
  request.events.push_back(
      {.choice = sequence.choice, .token = {}, .finished = reason, .error = error, .last = last});
  ++finished_[static_cast<size_t>(reason)];
  if (!last) {
    // Without the prompt the others cannot begin.
    if (!request.prompt_done && sequence.choice == 0) EndAll(request, reason, error);
    return;
  }
  LeaveQueue(request);
  request.times.finished_s = now_s_;
}

void Loop::EndAll(ActiveRequest& request, FinishReason reason, const Status& error) {
  // The last one first: the first may have to end the others.
  for (size_t i = request.choices.size(); i-- > 0;) {
    if (!request.choices[i].ended) End(request.choices[i], reason, error);
  }
}

void Loop::Publish() {
  for (auto& [id, request] : requests_) {
    if (!request.changed || request.open_choices == 0) continue;
    if (!request.state->HasRoom(request.events.size())) {
      EndAll(request, FinishReason::kSlowReader);
    }
  }
  UpdateStatistics();  // who has its answer finds it counted
  for (auto& [id, request] : requests_) {
    if (!request.changed) continue;
    request.changed = false;
    request.state->Push(request.events, request.usage, request.times);
  }
  std::erase_if(requests_, [](const auto& entry) { return entry.second.open_choices == 0; });
}

void Loop::UpdateStatistics() {
  Statistics now{.waiting = planner_.waiting(),
                 .running = std::ssize(planner_.running()),
                 .pages = engine_.pages(),
                 .disk = engine_.disk(),
                 .finished = finished_,
                 .usage = total_,
                 .preemptions = planner_.preemptions(),
                 .drafts = speculation_.counts(),
                 .draft_error = speculation_.model_error(),
                 .steps = steps_,
                 .step_s = step_s_,
                 .tokens_per_s = recent_s_ > 0 ? recent_tokens_ / recent_s_ : 0};
  const std::lock_guard lock(statistics_mutex_);
  statistics_ = now;
}

Statistics Loop::statistics() const {
  Statistics statistics;
  {
    const std::lock_guard lock(statistics_mutex_);
    statistics = statistics_;
  }
  inbox_->Report(statistics);
  const auto half = static_cast<double>(statistics.queued_prompt_tokens) / 2;
  statistics.retry_after_s = statistics.tokens_per_s > 0 ? half / statistics.tokens_per_s : 0;
  return statistics;
}

std::string Loop::CheckIntegrity() const {
  int64_t running = 0;
  int64_t waiting = 0;
  for (const auto& [id, request] : requests_) {
    int32_t open = 0;
    for (const Sequence& sequence : request.choices) {
      if (!sequence.ended) ++open;
      if (sequence.running()) ++running;
      if (sequence.waiting) ++waiting;
      if (sequence.running() && engine_.Length(sequence.id) != sequence.held) {
        return fmt::format("request {} holds {} tokens, the engine {}", id, sequence.held,
                           engine_.Length(sequence.id));
      }
      const bool begun = sequence.choice == 0 || request.prompt_done;
      if (begun && !sequence.ended && !sequence.running() && !sequence.waiting) {
        return fmt::format("choice {} of request {} is lost", sequence.choice, id);
      }
    }
    if (open != request.open_choices) return fmt::format("request {} miscounts its choices", id);
  }
  if (running != std::ssize(planner_.running()) || waiting != planner_.waiting()) {
    return fmt::format("{} run and {} wait, the planner has {} and {}", running, waiting,
                       planner_.running().size(), planner_.waiting());
  }
  return engine_.CheckIntegrity();
}

}  // namespace tutti::scheduler
