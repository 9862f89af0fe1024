// The scheduler's loop: news in, one step of the engine, tokens out.
//
// Everything that changes sequences happens here, on the thread that calls Step or Run.
//
// Ownership, threads, errors: as scheduler.h says.
#pragma once
#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "tutti/scheduler/inbox.h"
#include "tutti/scheduler/planner.h"
#include "tutti/scheduler/scheduler.h"
#include "tutti/scheduler/sequence.h"
#include "tutti/scheduler/speculation.h"

namespace tutti::scheduler {

class Loop final : public Scheduler {
 public:
  Loop(Engine& engine, SchedulerOptions options);
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;
  ~Loop() override;

  Result<std::unique_ptr<Stream>> Submit(Request request, std::function<void()> wake) override;
  void Drain() override { inbox_->Drain(); }
  void Stop() override { inbox_->Stop(); }
  void Run() override;
  bool Step() override;
  Statistics statistics() const override;
  std::string CheckIntegrity() const override;

 private:
  // Whether there was any.
  bool TakeNews();
  void CancelChoice(ActiveRequest& request, int32_t choice);
  void Accept(Arrival arrival);
  void Compute();
  // The plan as a batch, which lives as long as `guessed`.
  Batch MakeBatch(std::vector<TokenIds>& guessed) const;
  // The sequences' shares are computed; a row of logits for each that has nothing pending, and one
  // for each draft.
  void Deliver(const StepResult& result);
  void AnswerFirstTokens(ActiveRequest& request, std::span<const float> logits);
  // Takes tokens as long as they are those that were guessed. Logits are [1 + drafts, vocab_size].
  void Sample(Sequence& sequence, std::span<const float> logits, int32_t drafts = 0);
  void End(Sequence& sequence, FinishReason reason, const Status& error = {});
  void EndAll(ActiveRequest& request, FinishReason reason, const Status& error = {});
  void LeaveQueue(ActiveRequest& request);
  // Hands events to the readers and forgets requests that have ended.
  void Publish();
  void UpdateStatistics();

  Engine& engine_;
  const SchedulerOptions options_;
  const std::shared_ptr<Inbox> inbox_;  // shared: streams may outlive the scheduler
  std::atomic<uint64_t> next_id_ = 1;
  Usage total_;
  Planner planner_;
  Speculation speculation_;
  std::map<uint64_t, ActiveRequest> requests_;  // by id
  uint64_t next_order_ = 0;
  double now_s_ = 0;
  double write_behind_s_ = 0;  // the last time
  // Moving sums of what was computed and how long it took.
  double recent_tokens_ = 0;
  double recent_s_ = 0;
  std::array<int64_t, kFinishReasons> finished_ = {};
  int64_t steps_ = 0;
  double step_s_ = 0;

  mutable std::mutex statistics_mutex_;
  Statistics statistics_;
};

}  // namespace tutti::scheduler
