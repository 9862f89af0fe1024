// Which instruction sets this processor has (and the operating system lets us use), by name.
#pragma once
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tutti::kernels {

struct CpuFeatures {
  // x86-64. avx512 stands for F, BW, DQ and VL together.
  bool sse4 = false, avx2 = false, fma = false, f16c = false, avx_vnni = false;
  bool avx512 = false, avx512_vbmi = false, avx512_vnni = false, avx512_bf16 = false;
  bool avx512_fp16 = false, amx_int8 = false, amx_bf16 = false;
  // Arm.
  bool neon = false, dotprod = false, i8mm = false, bf16 = false, sve = false, sve2 = false;
  // LoongArch and RISC-V.
  bool lsx = false, lasx = false, rvv = false;

  // Those that are there, in the order above: "AVX2", "AVX-512 VNNI", ...
  std::vector<std::string_view> Names() const;
};

// Asked once; the same for the life of the process. Threads: any.
const CpuFeatures& Cpu();

// What the processor calls itself; empty where it does not say.
std::string CpuName();

// The instruction set that an operation runs on here, as its library or file calls it: "AVX3" and
// "SCALAR" are names of Highway, "avx512vnni" and "portable" those of strip_*.cc.
struct KernelChoice {
  std::string_view operation;  // "quantised products"
  std::string_view instruction_set;
};
std::vector<KernelChoice> KernelChoices();

// One line if any of the choices is plain C++ although machines of this kind have better: which
// operations are slow and why. Empty if all is well.
std::string SlowKernels(const CpuFeatures& cpu, std::span<const KernelChoice> choices);

}  // namespace tutti::kernels
