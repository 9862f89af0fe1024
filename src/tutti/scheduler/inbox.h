// Where other threads leave requests and cancellations for the loop, within limits.
//
// The queue's limits are charged here, when a request arrives, and released when it starts or ends.
//
// Ownership: shared by the scheduler and its streams. Threads: any.
// Errors: kResource with the numbers where the queue is full, kCancelled after Drain or Stop.
#pragma once
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "tutti/engine/answer.h"
#include "tutti/scheduler/request_state.h"
#include "tutti/scheduler/scheduler.h"

namespace tutti::scheduler {

struct Arrival {
  std::shared_ptr<RequestState> state;  // shared with the reader's Stream
  Priority priority = Priority::kInteractive;
  TenantId tenant{};
  double submitted_s = 0;
  bool embedding = false;
  bool admitted = false;
  std::vector<engine::Answer> answers;  // [choices]

  int64_t prompt_size() const { return answers.front().prompt_size(); }
};

inline constexpr int32_t kAllChoices = -1;

struct Cancellation {
  uint64_t id = 0;  // of a request, known or not
  int32_t choice = kAllChoices;
};

struct News {
  std::vector<Arrival> arrivals;
  std::vector<Cancellation> cancelled;
  bool draining = false;
  bool stopped = false;
};

class Inbox {
 public:
  Inbox(int64_t max_answers, int64_t max_prompt_tokens)
      : max_answers_(max_answers), max_prompt_tokens_(max_prompt_tokens) {}

  Status Put(Arrival arrival);
  void Cancel(Cancellation cancellation);
  void Drain();
  void Stop();

  // The loop's side.
  News Take();
  // A request of so many prompt tokens and answers has left the queue.
  void Left(int64_t prompt_tokens, int64_t answers);
  // Until there is something to take, the time is over, or nothing can come any more: then false.
  bool WaitForNews(std::optional<double> most_s = {});

  // Adds its counts.
  void Report(Statistics& statistics) const;

 private:
  const int64_t max_answers_;
  const int64_t max_prompt_tokens_;
  mutable std::mutex mutex_;
  std::condition_variable arrived_;
  News news_;
  int64_t queued_requests_ = 0;
  int64_t queued_answers_ = 0;
  int64_t queued_prompt_tokens_ = 0;
  int64_t submitted_ = 0;
  int64_t refused_ = 0;
};

}  // namespace tutti::scheduler
