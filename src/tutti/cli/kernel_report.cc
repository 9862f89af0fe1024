#include "tutti/cli/kernel_report.h"

#include "tutti/kernels/cpu_features.h"

namespace tutti::cli {

void WarnOfSlowKernels(Console& console) {
  const std::string slow = kernels::SlowKernels(kernels::Cpu(), kernels::KernelChoices());
  if (!slow.empty()) console.Say("tutti: {}", slow);
}

void SayKernels(Console& console) {
  std::string line;
  std::string_view last;
  for (const auto& [operation, instruction_set] : kernels::KernelChoices()) {
    if (instruction_set == last) {
      line += fmt::format(", {}", operation);
    } else {
      line += fmt::format("{}{} for {}", line.empty() ? "" : "; ", instruction_set, operation);
    }
    last = instruction_set;
  }
  console.Say("kernels: {}", line);
}

std::string ReadLimitText(const kernels::MachineLimits& limits) {
  if (limits.read_gb_s > 0) return fmt::format("{:.1f} GB/s", limits.read_gb_s);
  return "not known (too little memory is free to measure it)";
}

void SayPlacement(Console& console, const WeightPlacement& placement) {
  if (placement.pages_checked == 0) {
    console.Say("memory: {}; the system does not tell where pages lie", placement.nodes);
  } else {
    console.Say("memory: {}; of {} pages of weights {} lie on the node of their readers",
                placement.nodes, placement.pages_checked, placement.pages_near);
  }
}

}  // namespace tutti::cli
