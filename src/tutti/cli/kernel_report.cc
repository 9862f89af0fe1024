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

}  // namespace tutti::cli
