// Sharing out a list of tasks to the team.
#pragma once
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <vector>

#include "tutti/base/checked_math.h"
#include "tutti/kernels/strip.h"
#include "tutti/os/thread_pool.h"

namespace tutti::kernels {

// Rows of a matrix in one task. Eight tasks per member let a slow one fall behind without the
// others waiting long; more would only cost. Whole pairs, so that strips begin where they do with
// any other split.
inline int64_t RowsPerTask(int64_t rows, int members) {
  constexpr int64_t kTasksPerMember = 8;
  constexpr int64_t kMost = 8 * kPairRows;
  return std::clamp(RoundUp(rows / (members * kTasksPerMember), kPairRows), kPairRows, kMost);
}

// Calls body(member, task) once for each task in [0, count). Each member has a range of
// neighbouring tasks, so that it reads on where it was (and what it prefetched is of use); one that
// is done helps the next, so a member that another process slows down simply does less.
//
// Which member runs a task is not determined; what a task computes must not depend on it.
template <typename Body>
void RunTasks(os::ThreadPool& pool, int64_t count, const Body& body) {
  if (count <= 0) return;
  const int members = pool.size();
  if (count == 1 || members == 1) {
    for (int64_t task = 0; task < count; ++task) body(0, task);
    return;
  }
  struct alignas(64) Share {
    std::atomic<int64_t> next{0};
    int64_t end = 0;
  };
  std::vector<Share> shares(static_cast<size_t>(members));
  for (int m = 0; m < members; ++m) {
    Share& share = shares[static_cast<size_t>(m)];
    share.next.store(count * m / members, std::memory_order_relaxed);
    share.end = count * (m + 1) / members;
  }
  pool.Run([&](int member) {
    for (int helped = 0; helped < members; ++helped) {
      Share& share = shares[static_cast<size_t>((member + helped) % members)];
      for (;;) {
        const int64_t task = share.next.fetch_add(1, std::memory_order_relaxed);
        if (task >= share.end) break;
        body(member, task);
      }
    }
  });
}

}  // namespace tutti::kernels
