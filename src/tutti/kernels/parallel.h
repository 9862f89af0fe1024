// Sharing out a list of tasks to the team.
#pragma once
#include <atomic>
#include <cstdint>

#include "tutti/os/thread_pool.h"

namespace tutti::kernels {

// Calls body(member, task) once for each task in [0, count). Members take the next task when they
// are done with one, so a member that another process slows down simply takes fewer.
//
// Which member runs a task is not determined; what a task computes must not depend on it.
template <typename Body>
void RunTasks(os::ThreadPool& pool, int64_t count, const Body& body) {
  if (count <= 0) return;
  if (count == 1 || pool.size() == 1) {
    for (int64_t task = 0; task < count; ++task) body(0, task);
    return;
  }
  alignas(64) std::atomic<int64_t> next{0};
  pool.Run([&](int member) {
    for (;;) {
      const int64_t task = next.fetch_add(1, std::memory_order_relaxed);
      if (task >= count) return;
      body(member, task);
    }
  });
}

}  // namespace tutti::kernels
