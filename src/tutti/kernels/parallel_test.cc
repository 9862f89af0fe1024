#include "tutti/kernels/parallel.h"

#include <gtest/gtest.h>

#include <mutex>
#include <set>
#include <thread>

namespace tutti::kernels {
namespace {

// Nodes with so many members each; bound to no processors.
os::Team TeamOf(const std::vector<int>& members) {
  os::Team team;
  int first = 0;
  for (const int count : members) {
    team.nodes.push_back({static_cast<int>(team.nodes.size()), {}, first, count});
    first += count;
  }
  return team;
}

const std::vector<std::vector<int>> kTeams = {{1}, {3}, {1, 1}, {4, 2}, {1, 3, 2}};

TEST(ParallelTest, NodesShareTheRowsOfAMatrixInWholePairs) {
  for (const auto& members : kTeams) {
    const os::Team team = TeamOf(members);
    for (const int64_t rows : {1, 32, 33, 100, 2048, 151936}) {
      int64_t next = 0;
      for (size_t n = 0; n < team.nodes.size(); ++n) {
        const RowRange range = RowsOfNode(rows, team, n);
        ASSERT_EQ(range.begin, next);
        ASSERT_TRUE(range.begin % kPairRows == 0 || range.begin == rows);
        next = range.end;
        const double fair = static_cast<double>(rows) * team.nodes[n].members / team.size();
        EXPECT_LE(std::abs(static_cast<double>(range.end - range.begin) - fair), kPairRows);
      }
      ASSERT_EQ(next, rows);
    }
  }
}

TEST(ParallelTest, RowTasksCoverEveryMatrixOnceAndStayOnTheirNode) {
  for (const auto& members : kTeams) {
    const os::Team team = TeamOf(members);
    for (const int64_t rows : {1, 40, 768}) {
      for (const int64_t step : {kPairRows, 4 * kPairRows}) {
        const RowTasks tasks(team, 5, rows, step);
        ASSERT_EQ(tasks.ends().size(), team.nodes.size());
        std::vector<std::vector<int>> hits(5, std::vector<int>(static_cast<size_t>(rows)));
        for (int64_t i = 0; i < tasks.ends().back(); ++i) {
          const RowTasks::Task task = tasks[i];
          size_t n = 0;
          while (i >= tasks.ends()[n]) ++n;
          const RowRange own = RowsOfNode(rows, team, n);
          ASSERT_GE(task.begin, own.begin);
          ASSERT_LE(task.end, own.end);
          ASSERT_LT(task.begin, task.end);
          for (int64_t r = task.begin; r < task.end; ++r) {
            ++hits[static_cast<size_t>(task.matrix)][static_cast<size_t>(r)];
          }
        }
        for (const auto& matrix : hits) {
          ASSERT_EQ(matrix, std::vector<int>(static_cast<size_t>(rows), 1));
        }
      }
    }
  }
}

TEST(ParallelTest, SharesOfTheSameCost) {
  const auto deal = [](const std::vector<TaskGroup>& groups, int64_t first, int members) {
    std::vector<int64_t> ends;
    DealByCost(groups, first, members, ends);
    return ends;
  };
  using Ends = std::vector<int64_t>;
  EXPECT_EQ(deal({{10, 1}}, 0, 3), Ends({3, 6, 10}));
  EXPECT_EQ(deal({{4, 7}, {6, 7}}, 5, 3), Ends({8, 11, 15})) << "as with one group";
  EXPECT_EQ(deal({{2, 50}, {100, 1}}, 0, 4), Ends({1, 2, 52, 102}));
  EXPECT_EQ(deal({{1, 100}, {4, 1}}, 7, 3), Ends({7, 7, 12})) << "less than a task for each";
  EXPECT_EQ(deal({}, 7, 2), Ends({7, 7}));
  EXPECT_EQ(deal({{3, 0}}, 0, 2), Ends({3, 3})) << "for nothing";
}

TEST(ParallelTest, EveryTaskRunsOnce) {
  for (const auto& members : kTeams) {
    os::ThreadPool pool(TeamOf(members));
    for (const int64_t count : {0, 1, 2, 7, 100}) {
      std::vector<std::atomic<int>> hits(static_cast<size_t>(count));
      RunTasks(pool, count, [&](int, int64_t task) { ++hits[static_cast<size_t>(task)]; });
      for (const auto& hit : hits) ASSERT_EQ(hit.load(), 1);
    }
    const std::vector<int64_t> ends(members.size(), 3);  // all of them the first node's
    std::vector<std::atomic<int>> hits(3);
    RunTasks(pool, std::span<const int64_t>(ends),
             [&](int, int64_t task) { ++hits[static_cast<size_t>(task)]; });
    for (const auto& hit : hits) ASSERT_EQ(hit.load(), 1);
  }
}

// Two nodes of two members. Member 1 stays in its first task until all others are done: what is
// left of its share goes to its neighbour on the node, which comes to the other node's last.
TEST(ParallelTest, HelpGoesToTheOwnNodeFirst) {
  os::ThreadPool pool(TeamOf({2, 2}));
  constexpr int64_t kTasks = 40;  // ten for each member
  std::mutex mutex;
  std::vector<std::vector<int64_t>> done(4);
  std::atomic<int> finished{0};
  RunTasks(pool, kTasks, [&](int member, int64_t task) {
    {
      const std::lock_guard lock(mutex);
      done[static_cast<size_t>(member)].push_back(task);
    }
    ++finished;
    if (member == 1 && task == 10) {
      while (finished.load() < kTasks) std::this_thread::yield();
    }
  });
  for (const std::vector<int64_t>& tasks : done) {
    bool left = false;  // to the other node
    const int64_t own = (&tasks - done.data()) / 2;
    for (const int64_t task : tasks) {
      const bool other = task / 20 != own;
      ASSERT_TRUE(other || !left) << "came back to its own node's task " << task;
      left = left || other;
    }
  }
}

}  // namespace
}  // namespace tutti::kernels
