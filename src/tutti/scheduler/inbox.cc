#include "tutti/scheduler/inbox.h"

#include <chrono>
#include <utility>

namespace tutti::scheduler {

Status Inbox::Put(Arrival arrival) {
  const int64_t tokens = arrival.prompt_size();
  const std::lock_guard lock(mutex_);
  if (news_.draining) {
    ++refused_;
    return Error(StatusCode::kCancelled, "the server is shutting down: ask another one, or later");
  }
  const int64_t answers = std::ssize(arrival.answers);
  if (!arrival.admitted && queued_answers_ > 0 && queued_answers_ + answers > max_answers_) {
    ++refused_;
    return Error(
        StatusCode::kResource,
        "{} answers are waiting and {} more are too many, the limit is {}: try again later",
        queued_answers_, answers, max_answers_);
  }
  if (!arrival.admitted && queued_requests_ > 0 &&
      queued_prompt_tokens_ + tokens > max_prompt_tokens_) {
    ++refused_;
    return Error(StatusCode::kResource,
                 "{} prompt tokens are waiting and {} more are too many, the limit is {}: try "
                 "again later",
                 queued_prompt_tokens_, tokens, max_prompt_tokens_);
  }
  ++submitted_;
  ++queued_requests_;
  queued_answers_ += answers;
  queued_prompt_tokens_ += tokens;
  news_.arrivals.push_back(std::move(arrival));
  arrived_.notify_one();
  return {};
}

void Inbox::Cancel(Cancellation cancellation) {
  const std::lock_guard lock(mutex_);
  news_.cancelled.push_back(cancellation);
  arrived_.notify_one();
}

void Inbox::Drain() {
  const std::lock_guard lock(mutex_);
  news_.draining = true;
  arrived_.notify_one();
}

void Inbox::Stop() {
  const std::lock_guard lock(mutex_);
  news_.draining = true;
  news_.stopped = true;
  arrived_.notify_one();
}

News Inbox::Take() {
  const std::lock_guard lock(mutex_);
  News news = std::move(news_);
  news_ = {.arrivals = {}, .cancelled = {}, .draining = news.draining, .stopped = news.stopped};
  return news;
}

void Inbox::Left(int64_t prompt_tokens, int64_t answers) {
  const std::lock_guard lock(mutex_);
  --queued_requests_;
  queued_answers_ -= answers;
  queued_prompt_tokens_ -= prompt_tokens;
}

bool Inbox::WaitForNews(std::optional<double> most_s) {
  std::unique_lock lock(mutex_);
  const auto something = [&] { return !news_.arrivals.empty() || !news_.cancelled.empty(); };
  const auto enough = [&] { return something() || news_.draining; };
  if (most_s) {
    arrived_.wait_for(lock, std::chrono::duration<double>(*most_s), enough);
  } else {
    arrived_.wait(lock, enough);
  }
  return something() || !news_.draining;
}

void Inbox::Report(Statistics& statistics) const {
  const std::lock_guard lock(mutex_);
  statistics.queued_requests = queued_requests_;
  statistics.queued_prompt_tokens = queued_prompt_tokens_;
  statistics.submitted = submitted_;
  statistics.refused = refused_;
}

}  // namespace tutti::scheduler
