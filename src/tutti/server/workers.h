// Threads that do what must not hold up the transport: reading requests, rendering templates,
// turning tokens into text.
//
// Ownership: tasks own what they use. Threads: any may post. Errors: what a task throws ends that
// task; after Stop tasks are dropped.
#pragma once
#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

namespace tutti::server {

class Workers {
 public:
  explicit Workers(int threads);
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;
  ~Workers() { Stop(); }

  // Tasks start in the order in which they were posted.
  void Post(std::function<void()> task) { PostAfter(0, std::move(task)); }
  void PostAfter(double seconds, std::function<void()> task);
  // Waits for the tasks that run; those that have not begun are dropped. Not from a task.
  void Stop();

 private:
  using Clock = std::chrono::steady_clock;
  void Work();
  // Under the mutex: whether a thread is to be woken. One at a time is: who posts often, as a
  // model's loop does, should not pay for each, and whoever wakes up finds out whether others are
  // needed.
  bool MustWake();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::multimap<Clock::time_point, std::function<void()>> tasks_;
  int idle_ = 0;         // threads that wait
  int watching_ = 0;     // those of them that wake up when the first task's time comes
  bool waking_ = false;  // one of them was told not to
  bool stopped_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace tutti::server
