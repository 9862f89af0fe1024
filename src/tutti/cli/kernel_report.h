// What the kernels run on here, in lines for people.
#pragma once
#include <string>

#include "tutti/cli/console.h"
#include "tutti/engine.h"
#include "tutti/kernels/limits.h"

namespace tutti::cli {

// Before something long begins: one line if operations run in plain C++ (kernels::SlowKernels);
// nothing otherwise.
void WarnOfSlowKernels(Console& console);
// "71.9 GB/s", or why it is not known.
std::string ReadLimitText(const kernels::MachineLimits& limits);
// For --verbose: one line with each instruction set and its operations.
void SayKernels(Console& console);
// For --verbose: one line with the memory nodes and how many weights lie on those of their readers.
void SayPlacement(Console& console, const WeightPlacement& placement);

}  // namespace tutti::cli
