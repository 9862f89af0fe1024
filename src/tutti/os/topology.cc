#include "tutti/os/topology.h"

#include <sched.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <limits>
#include <set>
#include <sstream>
#include <string_view>
#include <utility>

namespace tutti::os {
namespace {

constexpr int kMaxCpus = 1 << 16;

// One file of /proc or /sys: they are small, and their size is not known before.
std::optional<std::string> ReadSystemFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return std::nullopt;
  std::ostringstream content;
  content << in.rdbuf();
  return content.str();
}

std::vector<int> ReadAffinity() {
  // Larger machines than a cpu_set_t has bits for need a larger set.
  for (size_t cpus = 1024; cpus <= kMaxCpus; cpus *= 4) {
    std::vector<cpu_set_t> set(cpus / (8 * sizeof(cpu_set_t)));
    const size_t size_bytes = set.size() * sizeof(cpu_set_t);
    if (sched_getaffinity(0, size_bytes, set.data()) != 0) continue;
    std::vector<int> allowed;
    for (size_t i = 0; i < cpus; ++i) {
      if (CPU_ISSET_S(i, size_bytes, set.data())) allowed.push_back(static_cast<int>(i));
    }
    return allowed;
  }
  return {};
}

std::optional<int64_t> ParseInt(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end == text.data()) return std::nullopt;
  return value;
}

std::optional<int64_t> ReadInt(const SystemFiles& files, const std::string& path) {
  const auto content = files.read(path);
  return content ? ParseInt(*content) : std::nullopt;
}

// The number behind a key at the beginning of a line.
std::optional<int64_t> NumberOf(std::string_view text, std::string_view key) {
  size_t at = text.find(key);
  while (at != std::string_view::npos && at > 0 && text[at - 1] != '\n') {
    at = text.find(key, at + 1);
  }
  return at == std::string_view::npos ? std::nullopt : ParseInt(text.substr(at + key.size()));
}

// "MemAvailable:  123 kB" -> bytes.
std::optional<int64_t> MeminfoBytes(std::string_view meminfo, std::string_view key) {
  const auto kib = NumberOf(meminfo, key);
  return kib ? std::optional<int64_t>(*kib * 1024) : std::nullopt;
}

// A folder and every one above it, down to `root` itself.
std::vector<std::string> FolderAndParents(const std::string& root, std::string path) {
  std::vector<std::string> folders;
  while (!path.empty() && path != "/") {
    folders.push_back(root + path);
    path.resize(path.rfind('/') == std::string::npos ? 0 : path.rfind('/'));
  }
  folders.push_back(root);
  return folders;
}

// Our cgroup's path below the mount of a controller: the line "N:controllers:path" of
// /proc/self/cgroup, where version 2 has "0::path".
std::optional<std::string> CgroupPath(const std::string& cgroups, std::string_view controller) {
  std::istringstream lines(cgroups);
  std::string line;
  while (std::getline(lines, line)) {
    const size_t first = line.find(':');
    const size_t second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string names = "," + line.substr(first + 1, second - first - 1) + ",";
    const bool matches = controller.empty()
                             ? names == ",,"
                             : names.find("," + std::string(controller) + ",") != std::string::npos;
    if (matches) return line.substr(second + 1);
  }
  return std::nullopt;
}

void Lower(double& limit, double value) { limit = limit == 0 ? value : std::min(limit, value); }

// cpu.max: "150000 100000" or "max 100000".
void ApplyCpuMax(const SystemFiles& files, const std::string& folder, double& quota) {
  const auto content = files.read(folder + "/cpu.max");
  if (!content) return;
  const auto time = ParseInt(*content);
  const size_t space = content->find(' ');
  if (!time || space == std::string::npos) return;
  const auto period = ParseInt(std::string_view(*content).substr(space));
  if (period && *period > 0 && *time > 0) {
    Lower(quota, static_cast<double>(*time) / static_cast<double>(*period));
  }
}

void ApplyCfsQuota(const SystemFiles& files, const std::string& folder, double& quota) {
  const auto time = ReadInt(files, folder + "/cpu.cfs_quota_us");
  const auto period = ReadInt(files, folder + "/cpu.cfs_period_us");
  if (time && period && *time > 0 && *period > 0) {
    Lower(quota, static_cast<double>(*time) / static_cast<double>(*period));
  }
}

struct MemoryLimit {
  int64_t limit = std::numeric_limits<int64_t>::max();
  int64_t available = std::numeric_limits<int64_t>::max();
};

// `prefix` is what version 1 puts before the names of the statistics that include subgroups.
void ApplyMemory(const SystemFiles& files, const std::string& folder, const std::string& limit_file,
                 const std::string& usage_file, std::string_view prefix, MemoryLimit& memory) {
  const auto limit = ReadInt(files, folder + limit_file);  // "max" is no number
  if (!limit || *limit <= 0) return;
  int64_t used = ReadInt(files, folder + usage_file).value_or(0);
  // Files in the page cache count as used, and go where memory is needed.
  const std::string stat = files.read(folder + "/memory.stat").value_or("");
  for (const char* name : {"inactive_file ", "active_file "}) {
    used -= NumberOf(stat, std::string(prefix) + name).value_or(0);
  }
  used = std::max<int64_t>(0, used);
  memory.limit = std::min(memory.limit, *limit);
  memory.available = std::min(memory.available, std::max<int64_t>(0, *limit - used));
}

void ApplyCgroups(const SystemFiles& files, double& quota, MemoryLimit& memory) {
  const std::string cgroups = files.read("/proc/self/cgroup").value_or("");
  const std::string root = "/sys/fs/cgroup";
  for (const std::string& folder : FolderAndParents(root, CgroupPath(cgroups, "").value_or(""))) {
    ApplyCpuMax(files, folder, quota);
    ApplyMemory(files, folder, "/memory.max", "/memory.current", "", memory);
  }
  for (const char* mount : {"/cpu", "/cpu,cpuacct"}) {
    for (const std::string& folder :
         FolderAndParents(root + mount, CgroupPath(cgroups, "cpu").value_or(""))) {
      ApplyCfsQuota(files, folder, quota);
    }
  }
  for (const std::string& folder :
       FolderAndParents(root + "/memory", CgroupPath(cgroups, "memory").value_or(""))) {
    ApplyMemory(files, folder, "/memory.limit_in_bytes", "/memory.usage_in_bytes", "total_",
                memory);
  }
}

int64_t CountCores(const SystemFiles& files, const std::vector<int>& cpus) {
  std::set<std::string> cores;
  for (const int cpu : cpus) {
    const auto siblings = files.read("/sys/devices/system/cpu/cpu" + std::to_string(cpu) +
                                     "/topology/thread_siblings_list");
    if (!siblings) return 0;
    cores.insert(*siblings);
  }
  return std::ssize(cores);
}

// Each of the highest level once: those who share it have the same list.
int64_t SumLastLevelCaches(const SystemFiles& files, const std::vector<int>& cpus) {
  int64_t sum = 0;
  std::set<std::string> seen;
  for (const int cpu : cpus) {
    const std::string caches = "/sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/cache/index";
    int64_t highest = 0;
    int64_t bytes = 0;
    std::string sharers;
    for (int index = 0;
         const auto level = ReadInt(files, caches + std::to_string(index) + "/level"); ++index) {
      const std::string folder = caches + std::to_string(index);
      const auto kib = ReadInt(files, folder + "/size");  // "32768K"
      const auto shared = files.read(folder + "/shared_cpu_list");
      if (*level <= highest || !kib || !shared) continue;
      highest = *level;
      bytes = *kib * 1024;
      sharers = *shared;
    }
    if (seen.insert(std::to_string(highest) + ":" + sharers).second) sum += bytes;
  }
  return sum;
}

std::vector<MemoryNode> ReadNodes(const SystemFiles& files, const std::vector<int>& cpus) {
  const std::string folder = "/sys/devices/system/node/";
  std::vector<MemoryNode> nodes;
  for (const int node : ParseCpuList(files.read(folder + "online").value_or(""))) {
    const auto list = files.read(folder + "node" + std::to_string(node) + "/cpulist");
    MemoryNode found{node, {}};
    for (const int cpu : ParseCpuList(list.value_or(""))) {
      if (std::find(cpus.begin(), cpus.end(), cpu) != cpus.end()) found.cpus.push_back(cpu);
    }
    if (!found.cpus.empty()) nodes.push_back(std::move(found));
  }
  if (nodes.empty()) nodes.push_back({0, cpus});
  return nodes;
}

}  // namespace

SystemFiles RealSystemFiles() { return {ReadSystemFile, ReadAffinity}; }

Topology ReadTopology(const SystemFiles& files) {
  Topology topology;
  topology.cpus = files.affinity();
  if (topology.cpus.empty()) {
    topology.cpus = ParseCpuList(files.read("/sys/devices/system/cpu/online").value_or("0"));
  }
  if (topology.cpus.empty()) topology.cpus = {0};
  topology.cores = CountCores(files, topology.cpus);
  topology.nodes = ReadNodes(files, topology.cpus);
  topology.last_level_cache_bytes = SumLastLevelCaches(files, topology.cpus);

  MemoryLimit memory;
  ApplyCgroups(files, topology.cpu_quota, memory);
  const std::string meminfo = files.read("/proc/meminfo").value_or("");
  if (const auto total = MeminfoBytes(meminfo, "MemTotal:")) {
    topology.memory_bytes = std::min(*total, memory.limit);
    const int64_t available = MeminfoBytes(meminfo, "MemAvailable:").value_or(*total);
    topology.available_memory_bytes = std::min(available, memory.available);
  }
  return topology;
}

int DefaultThreads(const Topology& topology) {
  auto threads = static_cast<double>(topology.cpus.size());
  if (topology.cpu_quota > 0) threads = std::min(threads, topology.cpu_quota);
  return std::max(1, static_cast<int>(threads));
}

std::vector<int> ParseCpuList(const std::string& text) {
  std::vector<int> cpus;
  std::istringstream parts(text);
  std::string part;
  while (std::getline(parts, part, ',')) {
    const size_t dash = part.find('-');
    const auto first = ParseInt(part);
    const auto last =
        dash == std::string::npos ? first : ParseInt(std::string_view(part).substr(dash + 1));
    if (!first || !last || *first < 0 || *last < *first || *last >= kMaxCpus) continue;
    for (int64_t cpu = *first; cpu <= *last; ++cpu) cpus.push_back(static_cast<int>(cpu));
  }
  return cpus;
}

}  // namespace tutti::os
