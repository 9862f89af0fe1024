// The threads that compute: one persistent team, started once, led by the thread that calls Run.
//
// Run hands the same function to every member and returns when all are done; RunWithComers, where
// any member can do any part of the work, to the caller and to those that come in time. One fork
// and one join, the only synchronisation the kernels use. Waiting members spin for a short while (a
// decode step has hundreds of runs, microseconds apart) and then sleep on a futex, so an idle or
// oversubscribed process costs nothing.
//
// In a team of several memory nodes the threads that the pool starts are bound to their nodes; the
// caller, member 0, binds itself where it wants that (BindToNode).
//
// Threads: one run at a time, from one thread; runs must not be nested.
// Errors: where the system gives too few threads, Create says so, and the constructor, for tests
// and benchmarks, throws std::system_error. A run waits for its members and then rethrows the first
// exception (std::bad_alloc) of any.
#pragma once
#include <algorithm>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "tutti/base/status.h"
#include "tutti/os/run_gate.h"
#include "tutti/os/team.h"

namespace tutti::os {

// What Runs took while their times were kept.
struct RunTimes {
  double run_s = 0;   // from fork to join
  double busy_s = 0;  // the members' work, summed; below run_s * size() by what they waited
};

class ThreadPool {
 public:
  // kResource where the system gives too few threads.
  static Result<std::unique_ptr<ThreadPool>> Create(const Team& team);
  // The team counts the caller; one member starts no thread.
  explicit ThreadPool(Team team);
  explicit ThreadPool(int threads) : ThreadPool(Team::OnOneNode(threads)) {}
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;
  ~ThreadPool();

  int size() const { return static_cast<int>(workers_.size()) + 1; }
  const Team& team() const { return team_; }

  // Calls body(member) once for each member in [0, size()), member 0 on the calling thread.
  template <typename Body>
  void Run(const Body& body) {
    RunErased(false, &CallBody<Body>, &body);
  }

  // Calls body(0) on the calling thread and body(member), once at most, on each other member that
  // comes before body(0) returns: by then all the work must be taken. So a thread that has no
  // processor just then holds nobody up, unless it is in the midst of its work.
  template <typename Body>
  void RunWithComers(const Body& body) {
    RunErased(true, &CallBody<Body>, &body);
  }

  // Calls body(begin, end) for ranges that cover [0, count), at most one per member, each but the
  // last a multiple of `grain`. The split depends on count, grain and size() only.
  template <typename Body>
  void ParallelFor(int64_t count, int64_t grain, const Body& body) {
    if (count <= grain || size() == 1) {
      if (count > 0) body(int64_t{0}, count);
      return;
    }
    const int64_t grains = (count + grain - 1) / grain;
    Run([&](int member) {
      const int64_t begin = grains * member / size() * grain;
      const int64_t end = std::min(count, grains * (member + 1) / size() * grain);
      if (begin < end) body(begin, end);
    });
  }

  // How many runs there were: the synchronisations of a step are counted with it.
  uint64_t runs() const { return runs_; }

  // From here on the times of Runs are added up, beginning at zero, or no more. Between Runs only.
  void KeepTimes(bool keep);
  RunTimes times() const;

 private:
  struct alignas(64) MemberTime {
    int64_t busy_ns = 0;
  };
  void CallAndClock(int member);
  using Function = void (*)(const void* context, int member);
  template <typename Body>
  static void CallBody(const void* context, int member) {
    (*static_cast<const Body*>(context))(member);
  }
  void RunErased(bool comers, Function function, const void* context);
  void WorkerLoop(int member);
  void CallMember(int member) noexcept;

  const Team team_;
  Function function_ = nullptr;  // written before the gate opens
  const void* context_ = nullptr;
  uint64_t runs_ = 0;
  bool keep_times_ = false;  // written between Runs
  int64_t run_ns_ = 0;
  std::vector<MemberTime> member_times_;  // [size()]; each member writes its own
  std::mutex error_mutex_;
  std::exception_ptr error_;  // of the current Run; guarded by error_mutex_
  RunGate gate_;
  std::vector<std::jthread> workers_;
};

}  // namespace tutti::os
