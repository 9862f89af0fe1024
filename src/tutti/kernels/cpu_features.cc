#include "tutti/kernels/cpu_features.h"

#include <fmt/format.h>
#include <hwy/highway.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <utility>

#include "tutti/kernels/attention_isa.h"
#include "tutti/kernels/fixed_vectors.h"
#include "tutti/kernels/strip.h"

#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__linux__)
#include <sys/auxv.h>
#endif

namespace tutti::kernels {
namespace {

bool Bit(uint64_t word, int bit) { return (word >> bit) & 1u; }

#if defined(__x86_64__)

struct Leaf {
  uint32_t eax = 0, ebx = 0, ecx = 0, edx = 0;
};

Leaf Cpuid(uint32_t leaf, uint32_t subleaf) {
  Leaf out;
  if (__get_cpuid_count(leaf, subleaf, &out.eax, &out.ebx, &out.ecx, &out.edx) == 0) return {};
  return out;
}

// The register states that the operating system saves: without its help an instruction set that the
// processor has would lose its registers.
uint64_t SavedStates() {
  uint32_t low = 0;
  uint32_t high = 0;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return static_cast<uint64_t>(high) << 32 | low;
}

// Bits: Intel Software Developer's Manual, volume 2, CPUID.
CpuFeatures Detect() {
  CpuFeatures cpu;
  const Leaf basic = Cpuid(1, 0);
  const Leaf extended = Cpuid(7, 0);
  const Leaf extended1 = extended.eax >= 1 ? Cpuid(7, 1) : Leaf{};
  const uint64_t saved = Bit(basic.ecx, 27) ? SavedStates() : 0;
  const bool ymm = (saved & 0x6) == 0x6;
  const bool zmm = ymm && (saved & 0xe0) == 0xe0;
  const bool tiles = (saved & 0x60000) == 0x60000;
  cpu.sse4 = Bit(basic.ecx, 19) && Bit(basic.ecx, 20);
  cpu.avx2 = ymm && Bit(basic.ecx, 28) && Bit(extended.ebx, 5);
  cpu.fma = ymm && Bit(basic.ecx, 12);
  cpu.f16c = ymm && Bit(basic.ecx, 29);
  cpu.avx_vnni = cpu.avx2 && Bit(extended1.eax, 4);
  cpu.avx512 = zmm && Bit(extended.ebx, 16) && Bit(extended.ebx, 17) && Bit(extended.ebx, 30) &&
               Bit(extended.ebx, 31);
  cpu.avx512_vbmi = cpu.avx512 && Bit(extended.ecx, 1);
  cpu.avx512_vnni = cpu.avx512 && Bit(extended.ecx, 11);
  cpu.avx512_bf16 = cpu.avx512 && Bit(extended1.eax, 5);
  cpu.avx512_fp16 = cpu.avx512 && Bit(extended.edx, 23);
  cpu.amx_int8 = tiles && Bit(extended.edx, 24) && Bit(extended.edx, 25);
  cpu.amx_bf16 = tiles && Bit(extended.edx, 24) && Bit(extended.edx, 22);
  return cpu;
}

#elif defined(__linux__)

// Bits: the kernel's asm/hwcap.h of each architecture.
CpuFeatures Detect() {
  CpuFeatures cpu;
  [[maybe_unused]] const uint64_t caps = getauxval(AT_HWCAP);
  [[maybe_unused]] const uint64_t caps2 = getauxval(AT_HWCAP2);
#if defined(__aarch64__)
  cpu.neon = Bit(caps, 1);
  cpu.dotprod = Bit(caps, 20);
  cpu.sve = Bit(caps, 22);
  cpu.sve2 = Bit(caps2, 1);
  cpu.i8mm = Bit(caps2, 13);
  cpu.bf16 = Bit(caps2, 14);
#elif defined(__loongarch__)
  cpu.lsx = Bit(caps, 4);
  cpu.lasx = Bit(caps, 5);
#elif defined(__riscv)
  cpu.rvv = Bit(caps, 'V' - 'A');
#endif
  return cpu;
}

#if defined(__aarch64__)
// Highway counts AES to NEON and would complain on standard error where it is missing (Cortex-A72
// in the Raspberry Pi 4). None of our code uses it.
const bool kNeonWithoutAes = [] {
  const bool missing = !Bit(getauxval(AT_HWCAP), 3);
  if (missing) hwy::SetSupportedTargetsForTest(HWY_NEON);
  return missing;
}();
#endif

#else

CpuFeatures Detect() { return {}; }

#endif

}  // namespace

std::vector<std::string_view> CpuFeatures::Names() const {
  const std::pair<bool, std::string_view> all[] = {
      {sse4, "SSE4"},
      {avx2, "AVX2"},
      {fma, "FMA"},
      {f16c, "F16C"},
      {avx_vnni, "AVX-VNNI"},
      {avx512, "AVX-512"},
      {avx512_vbmi, "AVX-512 VBMI"},
      {avx512_vnni, "AVX-512 VNNI"},
      {avx512_bf16, "AVX-512 BF16"},
      {avx512_fp16, "AVX-512 FP16"},
      {amx_int8, "AMX INT8"},
      {amx_bf16, "AMX BF16"},
      {neon, "NEON"},
      {dotprod, "DOTPROD"},
      {i8mm, "I8MM"},
      {bf16, "BF16"},
      {sve, "SVE"},
      {sve2, "SVE2"},
      {lsx, "LSX"},
      {lasx, "LASX"},
      {rvv, "RVV"},
  };
  std::vector<std::string_view> names;
  for (const auto& [found, name] : all) {
    if (found) names.push_back(name);
  }
  return names;
}

const CpuFeatures& Cpu() {
  static const CpuFeatures cpu = Detect();
  return cpu;
}

std::string CpuName() {
#if defined(__x86_64__)
  std::array<char, 49> name{};
  for (uint32_t part = 0; part < 3; ++part) {
    const Leaf leaf = Cpuid(0x80000002u + part, 0);
    std::memcpy(name.data() + 16 * part, &leaf, sizeof(leaf));
  }
  const std::string text(name.data());
  const size_t begin = text.find_first_not_of(' ');
  if (begin == std::string::npos) return {};
  return text.substr(begin, text.find_last_not_of(' ') - begin + 1);
#else
  return {};
#endif
}

std::vector<KernelChoice> KernelChoices() {
  // Highway takes the best target that both this build and this processor have: the lowest bit.
  const auto best = [](int64_t built) {
    const int64_t targets = hwy::SupportedTargets() & built;
    return hwy::TargetName(targets != 0 ? targets & -targets : int64_t{HWY_STATIC_TARGET});
  };
  return {{"quantised products", BestStripIsa().name},
          {"float products", best(HWY_TARGETS)},
          {"attention", Bf16AttentionIsa() != nullptr
                            ? Bf16AttentionIsa()->name
                            : best(HWY_TARGETS & ~int64_t{TUTTI_SCALABLE_TARGETS})},
          {"norms, rotation, activation, routing", best(HWY_TARGETS)}};
}

std::string SlowKernels(const CpuFeatures& cpu, std::span<const KernelChoice> choices) {
  std::string slow;
  for (const auto& [operation, instruction_set] : choices) {
    // EMU128 is Highway's four lanes of plain C++.
    if (instruction_set != "portable" && instruction_set != "SCALAR" &&
        instruction_set != "EMU128") {
      continue;
    }
    slow += slow.empty() ? "" : ", ";
    slow += operation;
  }
  if (slow.empty()) return {};
#if defined(__x86_64__)
  const std::string_view reason =
      cpu.avx2 && cpu.fma && cpu.f16c
          ? "this build leaves out AVX2"
          : "the processor, or what Tutti runs in, offers no AVX2 with FMA and F16C";
#elif defined(__riscv)
  const std::string_view reason =
      cpu.rvv ? "this build has no code for RVV" : "the processor offers no vectors (RVV)";
#else
  const std::string_view reason = cpu.Names().empty()
                                      ? "Tutti finds no vector instructions that it knows"
                                      : "this build has no code for the processor's vectors";
#endif
  return fmt::format("slow, in plain C++: {} ({})", slow, reason);
}

}  // namespace tutti::kernels
