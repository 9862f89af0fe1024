#include "tutti/os/topology.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

namespace tutti::os {
namespace {

using ::testing::ElementsAre;

// A machine that is described, not there.
struct FakeMachine {
  std::vector<int> cpus = {0, 1, 2, 3};
  std::map<std::string, std::string> files = {
      {"/proc/meminfo", "MemTotal:       16384 kB\nMemFree: 1 kB\nMemAvailable:   8192 kB\n"}};

  Topology Read() const {
    return ReadTopology({[this](const std::string& path) -> std::optional<std::string> {
                           const auto it = files.find(path);
                           if (it == files.end()) return std::nullopt;
                           return it->second;
                         },
                         [this] { return cpus; }});
  }
};

constexpr int64_t kMiB = 1 << 20;

TEST(TopologyTest, PlainMachine) {
  const Topology topology = FakeMachine().Read();
  EXPECT_THAT(topology.cpus, ElementsAre(0, 1, 2, 3));
  EXPECT_EQ(topology.cpu_quota, 0);
  EXPECT_EQ(topology.memory_bytes, 16 * kMiB);
  EXPECT_EQ(topology.available_memory_bytes, 8 * kMiB);
  EXPECT_EQ(DefaultThreads(topology), 4);
}

TEST(TopologyTest, NodesCountWhereWeHaveProcessors) {
  FakeMachine machine;
  machine.files["/sys/devices/system/node/online"] = "0-2\n";
  machine.files["/sys/devices/system/node/node0/cpulist"] = "0-1\n";
  machine.files["/sys/devices/system/node/node1/cpulist"] = "2-5\n";
  machine.files["/sys/devices/system/node/node2/cpulist"] = "\n";
  const std::vector<MemoryNode> nodes = machine.Read().nodes;
  ASSERT_EQ(nodes.size(), 2u);
  EXPECT_EQ(nodes[0].id, 0);
  EXPECT_THAT(nodes[0].cpus, ElementsAre(0, 1));
  EXPECT_EQ(nodes[1].id, 1);
  EXPECT_THAT(nodes[1].cpus, ElementsAre(2, 3));  // 4 and 5 are not ours
  machine.cpus = {1};
  EXPECT_EQ(machine.Read().nodes.size(), 1u);
  EXPECT_THAT(FakeMachine().Read().nodes[0].cpus, ElementsAre(0, 1, 2, 3));  // unknown: one node
}

TEST(TopologyTest, EachLastLevelCacheCountsOnce) {
  FakeMachine machine;
  const auto cache = [&](int cpu, int index, int level, const char* size, const char* sharers) {
    const std::string folder = "/sys/devices/system/cpu/cpu" + std::to_string(cpu) +
                               "/cache/index" + std::to_string(index);
    machine.files[folder + "/level"] = std::to_string(level) + "\n";
    machine.files[folder + "/size"] = size;
    machine.files[folder + "/shared_cpu_list"] = sharers;
  };
  for (const int cpu : {0, 1, 2}) {
    const std::string own = std::to_string(cpu) + "\n";
    cache(cpu, 0, 1, "32K\n", own.c_str());
    cache(cpu, 1, 2, "1024K\n", own.c_str());
    cache(cpu, 2, 3, "32768K\n", cpu < 2 ? "0-1\n" : "2-3\n");
  }
  cache(3, 0, 1, "32K\n", "3\n");  // what is said of it ends early
  EXPECT_EQ(machine.Read().last_level_cache_bytes, 2 * 32 * kMiB + 32 * 1024);
  machine.cpus = {1};
  EXPECT_EQ(machine.Read().last_level_cache_bytes, 32 * kMiB);
  EXPECT_EQ(FakeMachine().Read().last_level_cache_bytes, 0) << "unknown";
}

TEST(TopologyTest, AffinityLimitsTheThreads) {
  FakeMachine machine;
  machine.cpus = {5, 9};
  EXPECT_EQ(DefaultThreads(machine.Read()), 2);
}

TEST(TopologyTest, CgroupVersion2QuotaOfAnyAncestorCounts) {
  FakeMachine machine;
  machine.files["/proc/self/cgroup"] = "0::/system.slice/job.scope\n";
  machine.files["/sys/fs/cgroup/system.slice/job.scope/cpu.max"] = "max 100000\n";
  machine.files["/sys/fs/cgroup/system.slice/cpu.max"] = "250000 100000\n";
  machine.files["/sys/fs/cgroup/cpu.max"] = "350000 100000\n";
  const Topology topology = machine.Read();
  EXPECT_DOUBLE_EQ(topology.cpu_quota, 2.5);
  EXPECT_EQ(DefaultThreads(topology), 2);
}

TEST(TopologyTest, QuotaBelowOneProcessorStillRuns) {
  FakeMachine machine;
  machine.files["/proc/self/cgroup"] = "0::/\n";
  machine.files["/sys/fs/cgroup/cpu.max"] = "20000 100000\n";
  EXPECT_EQ(DefaultThreads(machine.Read()), 1);
}

TEST(TopologyTest, CgroupVersion1QuotaAndMemory) {
  FakeMachine machine;
  machine.files["/proc/self/cgroup"] = "4:memory:/docker/abc\n3:cpu,cpuacct:/docker/abc\n";
  machine.files["/sys/fs/cgroup/cpu/docker/abc/cpu.cfs_quota_us"] = "300000\n";
  machine.files["/sys/fs/cgroup/cpu/docker/abc/cpu.cfs_period_us"] = "100000\n";
  machine.files["/sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes"] = "4194304\n";
  machine.files["/sys/fs/cgroup/memory/docker/abc/memory.usage_in_bytes"] = "1048576\n";
  const Topology topology = machine.Read();
  EXPECT_EQ(DefaultThreads(topology), 3);
  EXPECT_EQ(topology.memory_bytes, 4 * kMiB);
  EXPECT_EQ(topology.available_memory_bytes, 3 * kMiB);
}

TEST(TopologyTest, CgroupVersion1WithoutQuota) {
  FakeMachine machine;
  machine.files["/proc/self/cgroup"] = "3:cpu,cpuacct:/\n";
  machine.files["/sys/fs/cgroup/cpu/cpu.cfs_quota_us"] = "-1\n";
  machine.files["/sys/fs/cgroup/cpu/cpu.cfs_period_us"] = "100000\n";
  EXPECT_EQ(DefaultThreads(machine.Read()), 4);
}

TEST(TopologyTest, CgroupVersion2MemoryIsLimitMinusUse) {
  FakeMachine machine;
  machine.files["/proc/self/cgroup"] = "0::/job\n";
  machine.files["/sys/fs/cgroup/job/memory.max"] = "6291456\n";
  machine.files["/sys/fs/cgroup/job/memory.current"] = "5242880\n";
  const Topology topology = machine.Read();
  EXPECT_EQ(topology.memory_bytes, 6 * kMiB);
  EXPECT_EQ(topology.available_memory_bytes, 1 * kMiB);

  // The page cache is not lost: half of the use is files.
  machine.files["/sys/fs/cgroup/job/memory.stat"] =
      "anon 3145728\ninactive_file 1048576\nactive_file 1048576\n";
  EXPECT_EQ(machine.Read().available_memory_bytes, 3 * kMiB);
}

TEST(TopologyTest, NothingReadableMeansOneProcessorAndUnknownMemory) {
  FakeMachine machine;
  machine.cpus.clear();
  machine.files.clear();
  const Topology topology = machine.Read();
  EXPECT_THAT(topology.cpus, ElementsAre(0));
  EXPECT_EQ(topology.memory_bytes, 0);
}

TEST(TopologyTest, HyperthreadsShareACore) {
  FakeMachine machine;
  for (const int cpu : machine.cpus) {
    machine.files["/sys/devices/system/cpu/cpu" + std::to_string(cpu) +
                  "/topology/thread_siblings_list"] = cpu % 2 == 0 ? "0,2\n" : "1,3\n";
  }
  EXPECT_EQ(machine.Read().cores, 2);
}

TEST(TopologyTest, CpuLists) {
  EXPECT_THAT(ParseCpuList("0-2,7\n"), ElementsAre(0, 1, 2, 7));
  EXPECT_THAT(ParseCpuList("3"), ElementsAre(3));
  EXPECT_THAT(ParseCpuList(""), ElementsAre());
  EXPECT_THAT(ParseCpuList("5-2,x,0-99999999,1"), ElementsAre(1));
}

TEST(TopologyTest, ThisMachineHasAProcessorAndMemory) {
  const Topology topology = ReadTopology(RealSystemFiles());
  EXPECT_GE(DefaultThreads(topology), 1);
  EXPECT_GT(topology.memory_bytes, 0);
  EXPECT_LE(topology.available_memory_bytes, topology.memory_bytes);
}

}  // namespace
}  // namespace tutti::os
