#include "tutti/os/thread_pool.h"

#include <algorithm>
#include <chrono>
#include <system_error>
#include <utility>

#include "tutti/base/check.h"

namespace tutti::os {
namespace {

int64_t NowNs() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

}  // namespace

ThreadPool::ThreadPool(Team team) : team_(std::move(team)) {
  const int threads = team_.size();
  TUTTI_CHECK(threads >= 1, "a thread pool has at least the calling thread");
  TUTTI_CHECK(threads <= RunGate::kMostMembers, "more threads than a gate counts");
  workers_.reserve(static_cast<size_t>(threads - 1));
  try {
    for (int member = 1; member < threads; ++member) {
      workers_.emplace_back([this, member] { WorkerLoop(member); });
    }
  } catch (...) {  // the system gives no more threads: those there are must not wait for ever
    gate_.Stop();
    throw;
  }
}

Result<std::unique_ptr<ThreadPool>> ThreadPool::Create(const Team& team) {
  try {
    return std::make_unique<ThreadPool>(team);
  } catch (const std::system_error& e) {
    return Error(StatusCode::kResource,
                 "the system does not give {} threads ({}): lower --threads, or raise the limit of "
                 "processes or of memory (ulimit -a)",
                 team.size(), e.code().message());
  }
}

ThreadPool::~ThreadPool() { gate_.Stop(); }

void ThreadPool::RunErased(bool comers, Function function, const void* context) {
  ++runs_;
  function_ = function;
  context_ = context;
  const int64_t begin_ns = keep_times_ ? NowNs() : 0;
  if (comers) {
    gate_.OpenForComers();
  } else {
    gate_.OpenForAll(static_cast<int>(workers_.size()));
  }
  CallMember(0);
  gate_.Close();
  if (keep_times_) run_ns_ += NowNs() - begin_ns;
  if (error_ != nullptr) std::rethrow_exception(std::exchange(error_, nullptr));
}

void ThreadPool::CallMember(int member) noexcept {
  try {
    if (keep_times_) {
      CallAndClock(member);
    } else {
      function_(context_, member);
    }
  } catch (...) {
    const std::lock_guard lock(error_mutex_);
    if (error_ == nullptr) error_ = std::current_exception();
  }
}

void ThreadPool::CallAndClock(int member) {
  const int64_t begin_ns = NowNs();
  function_(context_, member);
  member_times_[static_cast<size_t>(member)].busy_ns += NowNs() - begin_ns;
}

void ThreadPool::KeepTimes(bool keep) {
  keep_times_ = keep;
  if (!keep) return;
  run_ns_ = 0;
  member_times_.assign(static_cast<size_t>(size()), MemberTime());
}

RunTimes ThreadPool::times() const {
  RunTimes times{.run_s = static_cast<double>(run_ns_) * 1e-9};
  for (const MemberTime& member : member_times_) {
    times.busy_s += static_cast<double>(member.busy_ns) * 1e-9;
  }
  return times;
}

void ThreadPool::WorkerLoop(int member) {
  const BindToNode bound(team_, member);
  RunGate::Seen seen = 0;
  while (gate_.Enter(seen)) {
    CallMember(member);
    gate_.Leave();
  }
}

}  // namespace tutti::os
