// What a request's reader and the scheduler's loop share: the queue of events and the bill so far.
//
// Ownership: shared by the Stream and the loop, because either may go first.
// Threads: any. Errors: none; a queue that is full says so.
#pragma once
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "tutti/scheduler/scheduler.h"

namespace tutti::scheduler {

class Inbox;

class RequestState {
 public:
  RequestState(std::shared_ptr<Inbox> inbox, uint64_t id, int64_t prompt_size, int64_t unread_max,
               std::function<void()> wake)
      : inbox_(std::move(inbox)), id_(id), unread_max_(unread_max), wake_(std::move(wake)) {
    progress_.prompt_size = prompt_size;
  }

  uint64_t id() const { return id_; }

  // The reader's side; as in Stream.
  std::vector<Event> Read();
  bool Wait(double timeout_s);
  void Cancel(int32_t choice);
  Progress progress() const;

  // The loop's side. Whether so many more events have room; for who has read everything they have,
  // whatever a step gives.
  bool HasRoom(size_t events) const;
  // Adds the events and empties `events`.
  void Push(std::vector<Event>& events, const Usage& usage, const Times& times);

 private:
  const std::shared_ptr<Inbox> inbox_;  // shared: a stream may outlive its scheduler
  const uint64_t id_;
  const int64_t unread_max_;
  const std::function<void()> wake_;
  mutable std::mutex mutex_;
  std::condition_variable news_;
  std::vector<Event> unread_;
  Progress progress_;
  bool ended_ = false;
};

}  // namespace tutti::scheduler
