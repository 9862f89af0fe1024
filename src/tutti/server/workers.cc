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
  }
  changed_.notify_one();
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
    if (tasks_.empty()) {
      changed_.wait(lock);
      continue;
    }
    const auto next = tasks_.begin();
    if (next->first > Clock::now()) {
      changed_.wait_until(lock, Clock::time_point(next->first));
      continue;
    }
    std::function<void()> task = std::move(next->second);
    tasks_.erase(next);
    lock.unlock();
    Run(std::move(task));
    lock.lock();
  }
}

}  // namespace tutti::server
