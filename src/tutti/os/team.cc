#include "tutti/os/team.h"

#include <sched.h>

#include <algorithm>
#include <utility>

#include "tutti/base/check.h"

namespace tutti::os {
namespace {

bool SetAffinity(const std::vector<int>& cpus) {
  const int last = *std::max_element(cpus.begin(), cpus.end());
  std::vector<cpu_set_t> set(static_cast<size_t>(last) / (8 * sizeof(cpu_set_t)) + 1);
  const size_t size_bytes = set.size() * sizeof(cpu_set_t);
  for (const int cpu : cpus) CPU_SET_S(static_cast<size_t>(cpu), size_bytes, set.data());
  return sched_setaffinity(0, size_bytes, set.data()) == 0;
}

}  // namespace

int Team::NodeOf(int member) const {
  int node = 0;
  while (nodes[static_cast<size_t>(node)].first + nodes[static_cast<size_t>(node)].members <=
         member) {
    ++node;
  }
  return node;
}

Team MakeTeam(const Topology& topology, int threads) {
  TUTTI_CHECK(threads >= 1, "a team without threads");
  int64_t all = 0;
  for (const MemoryNode& node : topology.nodes) all += std::ssize(node.cpus);
  Team team;
  int64_t cpus = 0;
  int placed = 0;
  for (const MemoryNode& node : topology.nodes) {
    cpus += std::ssize(node.cpus);
    const int end = static_cast<int>(threads * cpus / std::max<int64_t>(all, 1));
    if (end > placed) team.nodes.push_back({node.id, node.cpus, placed, end - placed});
    placed = end;
  }
  if (team.nodes.empty()) return Team::OnOneNode(threads);
  if (team.nodes.size() == 1) team.nodes.front().cpus.clear();
  return team;
}

std::string Describe(const Team& team) {
  if (team.nodes.size() == 1) return "1 node";
  std::string text = std::to_string(team.nodes.size()) + " nodes";
  for (const Team::Node& node : team.nodes) {
    text += node.first == 0 ? ": " : ", ";
    text += std::to_string(node.members);
    if (node.first == 0) text += node.members == 1 ? " thread" : " threads";
    text += " on node " + std::to_string(node.id);
  }
  return text;
}

BindToNode::BindToNode(const Team& team, int member) {
  const std::vector<int>& cpus = team.nodes[static_cast<size_t>(team.NodeOf(member))].cpus;
  if (cpus.empty()) return;
  std::vector<int> before = RealSystemFiles().affinity();
  if (!before.empty() && SetAffinity(cpus)) before_ = std::move(before);
}

BindToNode::~BindToNode() {
  if (!before_.empty()) SetAffinity(before_);
}

}  // namespace tutti::os
