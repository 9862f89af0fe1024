// tutti doctor: what this machine has, what Tutti uses of it, and how fast that is.
#include <CLI/CLI.hpp>

#include <boost/json.hpp>

#include "tutti/cli/command.h"
#include "tutti/cli/json_text.h"
#include "tutti/cli/kernel_report.h"
#include "tutti/cli/options.h"
#include "tutti/cli/size_text.h"
#include "tutti/kernels/cpu_features.h"
#include "tutti/kernels/limits.h"
#include "tutti/os/page_nodes.h"
#include "tutti/os/team.h"
#include "tutti/os/thread_pool.h"
#include "tutti/os/topology.h"

namespace tutti::cli {
namespace {

namespace json = boost::json;

struct Diagnosis {
  os::Topology topology;
  int threads = 0;
  std::vector<std::string> advice;
  kernels::MachineLimits limits;
  os::Team team;
  os::PageCounts first_touch;  // pages that the threads touched; not known with one node
};

// What costs speed here and can be changed.
std::vector<std::string> Advice(const os::Topology& topology, int threads) {
  std::vector<std::string> advice;
  if (topology.cpu_quota > 0 && topology.cpu_quota < static_cast<double>(topology.cpus.size())) {
    advice.push_back(fmt::format("a quota gives {:.1f} of {} processors: {} threads are used",
                                 topology.cpu_quota, topology.cpus.size(), threads));
  }
  const std::string slow = kernels::SlowKernels(kernels::Cpu(), kernels::KernelChoices());
  if (!slow.empty()) advice.push_back(slow);
#ifndef NDEBUG
  advice.push_back("this build checks itself: a release build is faster");
#endif
  return advice;
}

class DoctorCommand final : public Command {
 public:
  void Declare(CLI::App& app) override {
    app.add_option("--threads", threads_, "threads to measure with (default: all cores)")
        ->type_name("N")
        ->check(Between(1, 1024));
    DeclareJson(app, json_);
    app.footer("Measures for about a second; other programs make the figures smaller.");
  }

  Status Run(Console& console) override {
    Diagnosis found;
    found.topology = os::ReadTopology(os::RealSystemFiles());
    found.threads = threads_ > 0 ? threads_ : os::DefaultThreads(found.topology);
    found.advice = Advice(found.topology, found.threads);
    found.team = os::MakeTeam(found.topology, found.threads);
    TUTTI_ASSIGN_OR_RETURN(const auto pool, os::ThreadPool::Create(found.team));
    const os::BindToNode bound(found.team, 0);
    found.first_touch = os::CheckFirstTouch(os::RealPageSystem(), *pool);
    found.limits = kernels::LimitsMeter(*pool).Measure(0.9);
    if (json_) {
      PrintJson(console, found);
    } else {
      PrintTable(console, found);
    }
    return {};
  }

 private:
  template <typename... Args>
  static void Row(Console& console, std::string_view name, fmt::format_string<Args...> format,
                  Args&&... args) {
    console.Print("{:<13} {}\n", name, fmt::format(format, std::forward<Args>(args)...));
  }

  static void PrintTable(Console& console, const Diagnosis& found) {
    const os::Topology& topology = found.topology;
    std::string features;
    for (const std::string_view name : kernels::Cpu().Names()) {
      features += features.empty() ? "" : ", ";
      features += name;
    }
    Row(console, "processor", "{}", kernels::CpuName());
    Row(console, "found", "{}", features);
    std::string_view title = "used";
    for (const auto& [operation, instruction_set] : kernels::KernelChoices()) {
      Row(console, title, "{:<12} for {}", instruction_set, operation);
      title = "";
    }
    Row(console, "cores", "{}{} processors{}, {} threads are used",
        topology.cores > 0 ? fmt::format("{} cores, ", topology.cores) : "", topology.cpus.size(),
        topology.cpu_quota > 0 ? fmt::format(", quota {:.1f}", topology.cpu_quota) : "",
        found.threads);
    Row(console, "memory", "{}, {} available, {}",
        SizeText(static_cast<uint64_t>(topology.memory_bytes)),
        SizeText(static_cast<uint64_t>(topology.available_memory_bytes)), os::Describe(found.team));
    if (found.team.nodes.size() > 1) Row(console, "", "{}", FirstTouchText(found.first_touch));
    const kernels::MachineLimits& limits = found.limits;
    Row(console, "read", "{}", ReadLimitText(limits));
    Row(console, "int8", "{:.0f} Gop/s ({})", limits.int8_gops, limits.int8_instructions);
    Row(console, "bf16", "{:.0f} Gflop/s ({})", limits.bf16_gflops, limits.bf16_instructions);
    Row(console, "float32", "{:.0f} Gflop/s ({})", limits.f32_gflops, limits.f32_instructions);
    for (const std::string& advice : found.advice) Row(console, "note", "{}", advice);
  }

  static std::string FirstTouchText(const os::PageCounts& pages) {
    if (!pages.known) return "the system does not tell on which node pages lie";
    return fmt::format("{} of {} pages lie on the node of the thread that touched them first",
                       pages.near, pages.in_memory);
  }

  static void PrintJson(Console& console, const Diagnosis& found) {
    const os::Topology& topology = found.topology;
    json::array features;
    for (const std::string_view name : kernels::Cpu().Names())
      features.push_back(json::value(name));
    json::object used;
    for (const auto& [operation, instruction_set] : kernels::KernelChoices()) {
      used[operation] = instruction_set;
    }
    json::array advice;
    for (const std::string& line : found.advice) advice.push_back(json::value(line));
    json::object answer;
    answer["processor"] = kernels::CpuName();
    answer["found"] = std::move(features);
    answer["used"] = std::move(used);
    answer["cores"] = topology.cores;
    answer["processors"] = topology.cpus.size();
    answer["quota"] = topology.cpu_quota > 0 ? json::value(topology.cpu_quota) : nullptr;
    answer["threads"] = found.threads;
    answer["numa_nodes"] = topology.nodes.size();
    answer["first_touch"] =
        found.first_touch.known
            ? json::value{{"pages", found.first_touch.in_memory}, {"near", found.first_touch.near}}
            : json::value(nullptr);
    answer["memory_bytes"] = topology.memory_bytes;
    answer["available_memory_bytes"] = topology.available_memory_bytes;
    const double read_gb_s = found.limits.read_gb_s;
    answer["limits"] = {{"read_gb_s", read_gb_s > 0 ? json::value(read_gb_s) : nullptr},
                        {"int8_gops", found.limits.int8_gops},
                        {"bf16_gflops", found.limits.bf16_gflops},
                        {"f32_gflops", found.limits.f32_gflops}};
    answer["notes"] = std::move(advice);
    console.Write(ToJson(answer) + "\n");
  }

  int threads_ = 0;
  bool json_ = false;
};

}  // namespace

std::unique_ptr<Command> MakeDoctorCommand() { return std::make_unique<DoctorCommand>(); }

}  // namespace tutti::cli
