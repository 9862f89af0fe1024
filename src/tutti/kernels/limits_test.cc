#include "tutti/kernels/limits.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <utility>

#include "tutti/kernels/cpu_features.h"
#include "tutti/kernels/peaks.h"

namespace tutti::kernels {
namespace {

// Figures differ from machine to machine, emulated ones among them; what must hold everywhere is
// that they are numbers, and their relation to each other.
TEST(LimitsTest, AreThoseOfAComputer) {
  os::ThreadPool pool(2);
  const MachineLimits limits = LimitsMeter(pool).Measure(0.3);
  RecordProperty("read_gb_s", std::to_string(limits.read_gb_s));
  RecordProperty("int8_gops", std::to_string(limits.int8_gops));
  RecordProperty("bf16_gflops", std::to_string(limits.bf16_gflops));
  RecordProperty("f32_gflops", std::to_string(limits.f32_gflops));
  EXPECT_EQ(limits.threads, 2);
  EXPECT_GT(limits.read_gb_s, 0);
  EXPECT_LT(limits.read_gb_s, 10000);
  EXPECT_GT(limits.int8_gops, 0);
  EXPECT_GT(limits.f32_gflops, 0);
  EXPECT_GT(limits.bf16_gflops, 0);
  EXPECT_FALSE(limits.int8_instructions.empty());
  EXPECT_FALSE(limits.bf16_instructions.empty());
  EXPECT_FALSE(limits.f32_instructions.empty());
}

TEST(LimitsTest, ChosenInstructionsAreAmongThoseFound) {
  const std::vector<std::string_view> names = Cpu().Names();
  const auto found = [&](std::string_view name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  EXPECT_EQ(found("AVX-512 BF16"), BF16Peak().instructions == "AVX-512 BF16");
  const std::string_view int8 = Int8Peak().instructions;
  EXPECT_TRUE(int8 == "16-bit products" || found(int8)) << int8;
  EXPECT_EQ(found("AVX-512 VNNI"), int8 == "AVX-512 VNNI");
}

// Every loop that this machine can run comes to its end, also those it would not choose.
TEST(LimitsTest, EveryLoopRuns) {
  const CpuFeatures& here = Cpu();
  std::vector<CpuFeatures> variants = {CpuFeatures(), here, here, here};
  variants[1].avx512_vnni = variants[1].i8mm = false;
  variants[2].avx512_vnni = variants[2].avx_vnni = variants[2].i8mm = false;
  std::vector<PeakLoop> loops = {F32Peak(), BF16Peak()};
  for (const CpuFeatures& cpu : variants) loops.push_back(Int8Peak(cpu));
  EXPECT_EQ(loops[2].instructions, "16-bit products");
  for (const PeakLoop& loop : loops) {
    if (loop.run == nullptr) continue;
    EXPECT_GT(loop.operations, 0) << loop.instructions;
    loop.run(1);
    loop.run(1000);
  }
}

TEST(LimitsTest, FeaturesComeWithTheirBases) {
  const CpuFeatures& cpu = Cpu();
  EXPECT_TRUE(!cpu.avx512 || cpu.avx2);
  EXPECT_TRUE(!cpu.avx512_vnni || cpu.avx512);
  EXPECT_TRUE(!cpu.sve2 || cpu.sve);
#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))
  EXPECT_EQ(cpu.avx2, __builtin_cpu_supports("avx2") != 0);
  EXPECT_EQ(cpu.fma, __builtin_cpu_supports("fma") != 0);
  EXPECT_EQ(cpu.avx512_vnni,
            __builtin_cpu_supports("avx512vnni") != 0 && __builtin_cpu_supports("avx512bw") != 0);
#endif
}

TEST(LimitsTest, TheBestInstructionSetIsChosenAndPlainCodeIsNotSilent) {
  const CpuFeatures& cpu = Cpu();
  const std::vector<KernelChoice> choices = KernelChoices();
  ASSERT_FALSE(choices.empty());
  for (const auto& [operation, instruction_set] : choices) {
    std::printf("%s: %s\n", std::string(operation).c_str(), std::string(instruction_set).c_str());
    EXPECT_NE(instruction_set, "") << operation;
    EXPECT_NE(instruction_set, "Unknown") << operation;
  }
  const std::pair<bool, std::string_view> best_first[] = {{cpu.avx512_vnni, "avx512vnni"},
                                                          {cpu.avx_vnni && cpu.fma, "avxvnni"},
                                                          {cpu.avx2 && cpu.fma, "avx2"},
                                                          {cpu.i8mm && cpu.dotprod, "neon-i8mm"},
                                                          {cpu.dotprod, "neon-dotprod"},
                                                          {cpu.neon, "neon"},
                                                          {true, "portable"}};
  const auto* best = std::find_if(std::begin(best_first), std::end(best_first),
                                  [](const auto& entry) { return entry.first; });
  EXPECT_EQ(choices[0].instruction_set, best->second);
  EXPECT_EQ(SlowKernels(cpu, choices).empty(), best->second != "portable");

  const KernelChoice fast[] = {{"a", "avx2"}, {"b", "NEON"}};
  EXPECT_EQ(SlowKernels(cpu, fast), "");
  const KernelChoice mixed[] = {{"a", "portable"}, {"b", "NEON"}, {"c", "SCALAR"}, {"d", "EMU128"}};
  EXPECT_TRUE(SlowKernels(cpu, mixed).starts_with("slow, in plain C++: a, c, d ("))
      << SlowKernels(cpu, mixed);
}

}  // namespace
}  // namespace tutti::kernels
