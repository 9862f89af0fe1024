#include "tutti/scheduler/request_state.h"

#include <chrono>
#include <iterator>
#include <utility>

#include "tutti/scheduler/inbox.h"

namespace tutti::scheduler {

std::vector<Event> RequestState::Read() {
  const std::lock_guard lock(mutex_);
  return std::exchange(unread_, {});
}

bool RequestState::Wait(double timeout_s) {
  std::unique_lock lock(mutex_);
  news_.wait_for(lock, std::chrono::duration<double>(timeout_s), [&] { return !unread_.empty(); });
  return !unread_.empty();
}

void RequestState::Cancel(int32_t choice) {
  {
    const std::lock_guard lock(mutex_);
    if (ended_) return;
  }
  inbox_->Cancel({.id = id_, .choice = choice});
}

Progress RequestState::progress() const {
  const std::lock_guard lock(mutex_);
  return progress_;
}

bool RequestState::HasRoom(size_t events) const {
  const std::lock_guard lock(mutex_);
  return unread_.empty() || std::ssize(unread_) + static_cast<int64_t>(events) <= unread_max_;
}

void RequestState::Push(std::vector<Event>& events, const Usage& usage, const Times& times) {
  bool was_empty = false;
  {
    const std::lock_guard lock(mutex_);
    progress_.usage = usage;
    progress_.times = times;
    if (events.empty()) return;
    was_empty = unread_.empty();
    ended_ = events.back().last;
    unread_.insert(unread_.end(), std::make_move_iterator(events.begin()),
                   std::make_move_iterator(events.end()));
  }
  events.clear();
  news_.notify_all();
  if (was_empty && wake_) wake_();
}

Stream::~Stream() { state_->Cancel(kAllChoices); }
uint64_t Stream::id() const { return state_->id(); }
std::vector<Event> Stream::Read() { return state_->Read(); }
bool Stream::Wait(double timeout_s) { return state_->Wait(timeout_s); }
void Stream::Cancel() { state_->Cancel(kAllChoices); }
void Stream::Cancel(int32_t choice) { state_->Cancel(choice); }
Progress Stream::progress() const { return state_->progress(); }

}  // namespace tutti::scheduler
