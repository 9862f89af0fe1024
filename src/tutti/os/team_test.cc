#include "tutti/os/team.h"

#include <gtest/gtest.h>

#include <numeric>

#include "tutti/os/thread_pool.h"

namespace tutti::os {
namespace {

// Nodes with so many processors each, numbered 10, 11, ...
Topology Machine(const std::vector<int>& cpus_per_node) {
  Topology topology;
  for (const int count : cpus_per_node) {
    MemoryNode node{10 + static_cast<int>(topology.nodes.size()), {}};
    for (int i = 0; i < count; ++i) {
      topology.cpus.push_back(static_cast<int>(topology.cpus.size()));
      node.cpus.push_back(topology.cpus.back());
    }
    topology.nodes.push_back(node);
  }
  return topology;
}

TEST(TeamTest, NodesGetThreadsInProportionToTheirProcessors) {
  const Team team = MakeTeam(Machine({4, 2, 2}), 8);
  ASSERT_EQ(team.nodes.size(), 3u);
  EXPECT_EQ(team.nodes[0].members, 4);
  EXPECT_EQ(team.nodes[1].first, 4);
  EXPECT_EQ(team.nodes[1].id, 11);
  EXPECT_EQ(team.nodes[2].cpus, (std::vector<int>{6, 7}));
  EXPECT_EQ(team.size(), 8);
  EXPECT_EQ(team.NodeOf(3), 0);
  EXPECT_EQ(team.NodeOf(4), 1);
  EXPECT_EQ(team.NodeOf(7), 2);
  EXPECT_EQ(Describe(team), "3 nodes: 4 threads on node 10, 2 on node 11, 2 on node 12");
}

TEST(TeamTest, EveryThreadHasANodeAndNodesAreNeverEmpty) {
  for (const auto& cpus : {std::vector<int>{1}, {2, 2}, {1, 7}, {3, 3, 1}, {1, 1, 1, 1}}) {
    const int all = std::accumulate(cpus.begin(), cpus.end(), 0);
    for (int threads = 1; threads <= 2 * all + 1; ++threads) {
      const Team team = MakeTeam(Machine(cpus), threads);
      ASSERT_EQ(team.size(), threads);
      int next = 0;
      for (const Team::Node& node : team.nodes) {
        ASSERT_EQ(node.first, next);
        ASSERT_GE(node.members, 1);
        next += node.members;
      }
      ASSERT_EQ(next, threads);
    }
  }
}

TEST(TeamTest, OneNodeBindsNobody) {
  EXPECT_TRUE(MakeTeam(Machine({8}), 4).nodes[0].cpus.empty());
  EXPECT_EQ(MakeTeam(Machine({8}), 4).nodes[0].id, 10);
  EXPECT_TRUE(MakeTeam(Machine({2, 2}), 1).nodes[0].cpus.empty());
  EXPECT_EQ(MakeTeam(Topology(), 3).size(), 3);  // nothing is known of the machine
  EXPECT_EQ(Describe(MakeTeam(Topology(), 3)), "1 node");
}

// The processors that there are, as if each half of them were a node (the same one twice where
// there is but one).
TEST(TeamTest, MembersRunOnTheProcessorsOfTheirNode) {
  const std::vector<int> cpus = RealSystemFiles().affinity();
  ASSERT_FALSE(cpus.empty());
  const Team team{{{0, {cpus.front()}, 0, 1}, {1, {cpus.back()}, 1, 2}}};
  ThreadPool pool(team);
  ASSERT_EQ(pool.size(), 3);
  std::vector<std::vector<int>> seen(3);
  const auto look = [&](int member) {
    seen[static_cast<size_t>(member)] = RealSystemFiles().affinity();
  };
  {
    const BindToNode bound(team, 0);
    pool.Run(look);
  }
  EXPECT_EQ(seen[0], std::vector<int>{cpus.front()});
  EXPECT_EQ(seen[1], std::vector<int>{cpus.back()});
  EXPECT_EQ(seen[2], std::vector<int>{cpus.back()});
  EXPECT_EQ(RealSystemFiles().affinity(), cpus) << "the caller is as it was";
}

}  // namespace
}  // namespace tutti::os
