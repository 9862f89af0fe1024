#include "tutti/kernels/limits.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "tutti/kernels/cpu_features.h"
#include "tutti/kernels/peaks.h"

namespace tutti::kernels {
namespace {

// Figures differ from machine to machine; what must hold everywhere is their order of magnitude and
// their relation to each other.
TEST(LimitsTest, AreThoseOfAComputer) {
  os::ThreadPool pool(2);
  const MachineLimits limits = LimitsMeter(pool).Measure(0.3);
  RecordProperty("read_gb_s", std::to_string(limits.read_gb_s));
  RecordProperty("int8_gops", std::to_string(limits.int8_gops));
  RecordProperty("bf16_gflops", std::to_string(limits.bf16_gflops));
  RecordProperty("f32_gflops", std::to_string(limits.f32_gflops));
  EXPECT_EQ(limits.threads, 2);
  EXPECT_GT(limits.read_gb_s, 0.1);
  EXPECT_LT(limits.read_gb_s, 10000);
  EXPECT_GT(limits.int8_gops, 0.1);
  EXPECT_GT(limits.f32_gflops, 0.1);
  EXPECT_GT(limits.bf16_gflops, 0.1);
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
  for (const KernelChoice& choice : KernelChoices()) {
    EXPECT_FALSE(choice.instruction_set.empty()) << choice.family;
    if (choice.family == "int8 products" && cpu.avx512_vnni) {
      EXPECT_EQ(choice.instruction_set, "avx512vnni");
    }
  }
}

}  // namespace
}  // namespace tutti::kernels
