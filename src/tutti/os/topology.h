// What of the machine this process may use: processors, their quota, memory and its nodes.
//
// A container or a batch system often gives less than the machine has, in three ways: an affinity
// mask (taskset, cpusets), a quota of processor time (cgroup cpu.max or cpu.cfs_quota_us) and a
// limit of memory (cgroup memory.max or memory.limit_in_bytes). All are respected, for this
// process's cgroup and every one above it.
//
// The files of the system come through SystemFiles, so that tests can describe any machine.
// Threads: ReadTopology may be called from any thread. Errors: none; what cannot be read is taken
// as unlimited, or unknown (0) where there is no such thing as unlimited.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace tutti::os {

struct SystemFiles {
  // The content of a file such as "/proc/self/cgroup", nullopt where it is not there.
  std::function<std::optional<std::string>(const std::string& path)> read;
  // Processors in the affinity mask of the calling thread, ascending.
  std::function<std::vector<int>()> affinity;
};

// The real ones.
SystemFiles RealSystemFiles();

// A part of the memory, nearer to some processors than to others.
struct MemoryNode {
  int id = 0;             // the system's number
  std::vector<int> cpus;  // of Topology::cpus, ascending
};

struct Topology {
  std::vector<int> cpus;               // processors that we may run on
  double cpu_quota = 0;                // processors' worth of time, 0: no limit
  int64_t cores = 0;                   // physical cores among `cpus`, 0: unknown
  std::vector<MemoryNode> nodes;       // those with any of `cpus`; one where the system names none
  int64_t last_level_cache_bytes = 0;  // all that `cpus` have, 0: unknown
  int64_t memory_bytes = 0;  // of the machine or our limit, whichever is smaller; 0: unknown
  int64_t available_memory_bytes = 0;  // what we can still take without pushing others out
};

Topology ReadTopology(const SystemFiles& files);

// As many threads as can run at once: one per processor, no more than the whole processors of the
// quota (threads that spin would burn the rest of it), at least one.
int DefaultThreads(const Topology& topology);

// "0-3,8" as the kernel writes sets of processors; what is malformed is left out.
std::vector<int> ParseCpuList(const std::string& text);

}  // namespace tutti::os
