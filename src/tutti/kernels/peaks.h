// Loops of nothing but multiply-accumulate in registers: what the arithmetic units can do.
//
// Internal to kernels/: limits.h turns them into figures. Threads: any.
#pragma once
#include <cstdint>
#include <string_view>

#include "tutti/kernels/cpu_features.h"

namespace tutti::kernels {

struct PeakLoop {
  std::string_view instructions;  // "AVX-512 VNNI"
  double operations = 0;          // per iteration; a multiply-add counts as two
  void (*run)(int64_t iterations) = nullptr;
};

// The best that a processor with these features has for products of bytes summed in 32 bits.
PeakLoop Int8Peak(const CpuFeatures& cpu = Cpu());
// Products of bf16 summed in float32; run is null where there are no such instructions.
PeakLoop BF16Peak(const CpuFeatures& cpu = Cpu());
PeakLoop F32Peak();

}  // namespace tutti::kernels
