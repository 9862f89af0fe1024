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

// Tasks side by side that cost the same.
struct TaskGroup {
  int64_t tasks = 0;
  int64_t cost = 1;  // of each
};

// Appends where the shares of `members` end when they divide the groups' tasks, from number `first`
// on, so that each has the same cost, but for a task's.
inline void DealByCost(std::span<const TaskGroup> groups, int64_t first, int members,
                       std::vector<int64_t>& ends) {
  int64_t cost = 0;
  for (const TaskGroup& group : groups) cost += group.tasks * group.cost;
  int64_t before = 0;  // cost of the groups before
  int member = 1;
  for (const TaskGroup& group : groups) {
    const int64_t own = group.tasks * group.cost;
    for (; member < members && cost * member / members < before + own; ++member) {
      ends.push_back(first + (cost * member / members - before) / group.cost);
    }
    before += own;
    first += group.tasks;
  }
  for (; member <= members; ++member) ends.push_back(first);
}

// Calls body(member, task) once for each task in [0, ends.back()). Each member has a range of
// neighbours, up to its end in `ends` ([members], ascending), so that it reads on where it was (and
// what it prefetched is of use); one that is done helps the next of its node, then those of others.
// So a member that another process slows down does less, and one that has no processor nothing;
// only a task that it has begun is waited for.
//
// Which member runs a task is not determined; what a task computes must not depend on it.
template <typename Body>
void RunShares(os::ThreadPool& pool, std::span<const int64_t> ends, const Body& body) {
  const int64_t count = ends.back();
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
  for (size_t i = 0; i < shares.size(); ++i) {
    shares[i].next.store(i == 0 ? 0 : ends[i - 1], std::memory_order_relaxed);
    shares[i].end = ends[i];
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

// The same for tasks of one cost. Each node has those up to its end in `node_ends`.
template <typename Body>
void RunTasks(os::ThreadPool& pool, std::span<const int64_t> node_ends, const Body& body) {
  const os::Team& team = pool.team();
  std::vector<int64_t> ends;
  for (size_t n = 0; n < team.nodes.size(); ++n) {
    const int64_t begin = n == 0 ? 0 : node_ends[n - 1];
    const TaskGroup all{.tasks = node_ends[n] - begin};
    DealByCost({&all, 1}, begin, team.nodes[n].members, ends);
  }
  RunShares(pool, ends, body);
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
