// Sharing out a list of tasks to the team.
#pragma once
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <span>
#include <vector>

#include "tutti/base/checked_math.h"
#include "tutti/kernels/strip.h"
#include "tutti/os/thread_pool.h"

namespace tutti::kernels {

// Rows of a matrix in one task. Eight tasks per member let a slow one fall behind without the
// others waiting long; more would only cost. Whole pairs, so that strips begin where they do with
// any other split.
inline int64_t RowsPerTask(int64_t rows, int members, int tasks_per_member = 8) {
  constexpr int64_t kMost = 8 * kPairRows;
  return std::clamp(RoundUp(rows / (members * tasks_per_member), kPairRows), kPairRows, kMost);
}

struct RowRange {
  int64_t begin = 0;
  int64_t end = 0;
  friend bool operator==(const RowRange&, const RowRange&) = default;
};

// The rows of a matrix that the members of one node multiply, in proportion to their number; whole
// pairs. The pages of these rows belong on that node (model/weight_placement.h).
inline RowRange RowsOfNode(int64_t rows, const os::Team& team, size_t node) {
  const auto before = [&](int member) {
    return std::min(rows, RoundUp(rows * member / team.size(), kPairRows));
  };
  const os::Team::Node& n = team.nodes[node];
  return {before(n.first), before(n.first + n.members)};
}

// Tasks of up to `step` rows of each of some matrices of the same number of rows: first all of the
// first node's, then the next one's.
class RowTasks {
 public:
  struct Task {
    int64_t matrix = 0;
    int64_t begin = 0;  // rows
    int64_t end = 0;
  };

  RowTasks(const os::Team& team, int64_t matrices, int64_t rows, int64_t step) : step_(step) {
    int64_t tasks = 0;
    for (size_t n = 0; n < team.nodes.size(); ++n) {
      rows_.push_back(RowsOfNode(rows, team, n));
      tasks += matrices * Pieces(rows_.back());
      ends_.push_back(tasks);
    }
  }

  // Where each node's tasks end.
  std::span<const int64_t> ends() const { return ends_; }
  Task operator[](int64_t task) const {
    size_t n = 0;
    while (task >= ends_[n]) ++n;
    if (n > 0) task -= ends_[n - 1];
    const int64_t pieces = Pieces(rows_[n]);
    const int64_t begin = rows_[n].begin + task % pieces * step_;
    return {task / pieces, begin, std::min(begin + step_, rows_[n].end)};
  }

 private:
  int64_t Pieces(const RowRange& rows) const { return DivCeil(rows.end - rows.begin, step_); }

  int64_t step_;
  std::vector<RowRange> rows_;  // [nodes]
  std::vector<int64_t> ends_;   // [nodes]
};

// Calls body(member, task) once for each task in [0, node_ends.back()). Each node has the tasks up
// to its end, and each of its members a range of neighbours, so that it reads on where it was (and
// what it prefetched is of use); one that is done helps the next of its node, then those of others.
// So a member that another process slows down does less, and one that has no processor nothing;
// only a task that it has begun is waited for.
//
// Which member runs a task is not determined; what a task computes must not depend on it.
template <typename Body>
void RunTasks(os::ThreadPool& pool, std::span<const int64_t> node_ends, const Body& body) {
  const int64_t count = node_ends.back();
  const int members = pool.size();
  if (count <= 1 || members == 1) {
    for (int64_t task = 0; task < count; ++task) body(0, task);
    return;
  }
  struct alignas(64) Share {
    std::atomic<int64_t> next{0};
    int64_t end = 0;
  };
  const os::Team& team = pool.team();
  std::vector<Share> shares(static_cast<size_t>(members));
  for (size_t n = 0; n < team.nodes.size(); ++n) {
    const os::Team::Node& node = team.nodes[n];
    const int64_t begin = n == 0 ? 0 : node_ends[n - 1];
    const int64_t tasks = node_ends[n] - begin;
    for (int i = 0; i < node.members; ++i) {
      Share& share = shares[static_cast<size_t>(node.first + i)];
      share.next.store(begin + tasks * i / node.members, std::memory_order_relaxed);
      share.end = begin + tasks * (i + 1) / node.members;
    }
  }
  pool.RunWithComers([&](int member) {
    const os::Team::Node& own = team.nodes[static_cast<size_t>(team.NodeOf(member))];
    for (int helped = 0; helped < members; ++helped) {
      const int victim = helped < own.members
                             ? own.first + (member - own.first + helped) % own.members
                             : (own.first + helped) % members;
      Share& share = shares[static_cast<size_t>(victim)];
      for (;;) {
        const int64_t task = share.next.fetch_add(1, std::memory_order_relaxed);
        if (task >= share.end) break;
        body(member, task);
      }
    }
  });
}

// The same for tasks [0, count) that lie on no node: each node has as many as its members should.
template <typename Body>
void RunTasks(os::ThreadPool& pool, int64_t count, const Body& body) {
  if (count <= 0) return;
  std::vector<int64_t> ends;
  for (const os::Team::Node& node : pool.team().nodes) {
    ends.push_back(count * (node.first + node.members) / pool.size());
  }
  RunTasks(pool, std::span<const int64_t>(ends), body);
}

}  // namespace tutti::kernels
