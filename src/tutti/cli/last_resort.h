// Ends the process when its time is over, whatever it waits for: a model that loads and a disk that
// does not answer cannot be interrupted.
//
// Ownership: must outlive whatever may hold up the end; its destruction means that all went well.
// Threads: one, beside its own. Errors: none; it says on standard error that it had to act.
#pragma once
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

namespace tutti::cli {

class LastResort {
 public:
  LastResort() = default;
  LastResort(const LastResort&) = delete;
  LastResort& operator=(const LastResort&) = delete;
  ~LastResort();

  // Unless this is destroyed by then, the process ends with the exit code. Once.
  void EndAfter(std::chrono::milliseconds time, int code);

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool ended_ = false;
  std::thread thread_;
};

}  // namespace tutti::cli
