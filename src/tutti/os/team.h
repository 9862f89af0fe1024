// Which thread belongs to which memory node.
//
// A machine with several nodes reads memory of the own node faster than that of others, and all of
// its bandwidth is there only while every node reads its own. So each node gets threads in
// proportion to its processors and keeps them: members of a team are numbered node by node, and
// what a node's members read (kernels/parallel.h: a range of rows of every matrix) is a function of
// the team alone, so that the pages can lie there (os/page_nodes.h). docs/decisions/0006.
//
// Threads: a Team is a value. Errors: none; where the system refuses to bind a thread, it runs
// anywhere, and what doctor and --verbose measure shows it.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "tutti/os/topology.h"

namespace tutti::os {

struct Team {
  struct Node {
    int id = 0;             // the system's number of the memory node
    std::vector<int> cpus;  // that its members may run on; empty: as the system likes
    int first = 0;          // member
    int members = 0;        // at least one
  };
  std::vector<Node> nodes;  // at least one; a single one binds nobody

  static Team OnOneNode(int threads) { return {{{0, {}, 0, threads}}}; }

  int size() const { return nodes.back().first + nodes.back().members; }
  // Index into `nodes`.
  int NodeOf(int member) const;
};

// Nodes that get no thread are left out.
Team MakeTeam(const Topology& topology, int threads);

// "2 nodes: 32 threads on node 0, 32 on node 1"; "1 node".
std::string Describe(const Team& team);

// The calling thread runs on the processors of a member's node until the end of the scope; nothing
// happens in a team of one node.
class BindToNode {
 public:
  BindToNode(const Team& team, int member);
  BindToNode(const BindToNode&) = delete;
  BindToNode& operator=(const BindToNode&) = delete;
  ~BindToNode();

 private:
  std::vector<int> before_;  // processors; empty: leave it as it is
};

}  // namespace tutti::os
