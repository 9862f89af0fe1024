#include "tutti/server/workers.h"

#include <exception>
#include <utility>

namespace tutti::server {
namespace {

// What the task holds is let go here too, without the lock.
void Run(std::function<void()> task) {
  try {
    task();
  } catch (const std::exception&) {
    // No memory, for example: other tasks have nothing to do with it. An exchange that it held has
    // answered 500.
  }
}

}  // namespace

Workers::Workers(int threads) {
  for (int i = 0; i < threads; ++i) {
    threads_.emplace_back([this] { Work(); });
  }
}

void Workers::PostAfter(double seconds, std::function<void()> task) {
  const auto time = Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                       std::chrono::duration<double>(seconds));
  {
    const std::lock_guard lock(mutex_);
    if (stopped_) return;
    tasks_.emplace(time, std::move(task));
    if (!MustWake()) return;
  }
  changed_.notify_one();
}

bool Workers::MustWake() {
  if (idle_ == 0 || waking_) return false;
  waking_ = true;
  return true;
}

void Workers::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
  tasks_.clear();
}

void Workers::Work() {
  std::unique_lock lock(mutex_);
  while (!stopped_) {
    const auto next = tasks_.begin();
    if (next == tasks_.end() || next->first > Clock::now()) {
      ++idle_;
      if (next == tasks_.end()) {
        changed_.wait(lock);
      } else {
        ++watching_;
        changed_.wait_until(lock, Clock::time_point(next->first));
        --watching_;
      }
      --idle_;
      waking_ = false;
      continue;
    }
    std::function<void()> task = std::move(next->second);
    tasks_.erase(next);
    const bool more =
        !tasks_.empty() && (watching_ == 0 || tasks_.begin()->first <= Clock::now()) && MustWake();
    lock.unlock();
    if (more) changed_.notify_one();
    Run(std::move(task));
    lock.lock();
  }
}

}  // namespace tutti::server
