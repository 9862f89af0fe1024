// The fenced file of assembly behind peaks.h: one loop per instruction set.
//
// Every loop keeps twelve independent sums, because a multiply-add takes four or five cycles and up
// to two can start in each. Assembly, because a compiler that spills one sum halves the figure.
#include "tutti/kernels/peaks.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tutti/kernels/peaks.cc"
#include <hwy/foreach_target.h>
// foreach_target.h must come first.
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace tutti::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

void F32Loop(int64_t iterations) {
  const hn::ScalableTag<float> d;
  float zeros[13] = {};
  // Their values are unknown to the compiler from here on, so it cannot merge sums that are equal;
  // every product contains its sum, so none can be formed once for all.
  __asm__ volatile("" : "+m"(zeros));
  const auto a = hn::Set(d, zeros[12]);
  auto s0 = hn::Set(d, zeros[0]);
  auto s1 = hn::Set(d, zeros[1]);
  auto s2 = hn::Set(d, zeros[2]);
  auto s3 = hn::Set(d, zeros[3]);
  auto s4 = hn::Set(d, zeros[4]);
  auto s5 = hn::Set(d, zeros[5]);
  auto s6 = hn::Set(d, zeros[6]);
  auto s7 = hn::Set(d, zeros[7]);
  auto s8 = hn::Set(d, zeros[8]);
  auto s9 = hn::Set(d, zeros[9]);
  auto s10 = hn::Set(d, zeros[10]);
  auto s11 = hn::Set(d, zeros[11]);
  for (int64_t i = 0; i < iterations; ++i) {
    s0 = hn::MulAdd(s0, a, a);
    s1 = hn::MulAdd(s1, a, a);
    s2 = hn::MulAdd(s2, a, a);
    s3 = hn::MulAdd(s3, a, a);
    s4 = hn::MulAdd(s4, a, a);
    s5 = hn::MulAdd(s5, a, a);
    s6 = hn::MulAdd(s6, a, a);
    s7 = hn::MulAdd(s7, a, a);
    s8 = hn::MulAdd(s8, a, a);
    s9 = hn::MulAdd(s9, a, a);
    s10 = hn::MulAdd(s10, a, a);
    s11 = hn::MulAdd(s11, a, a);
  }
  s0 = hn::Add(hn::Add(hn::Add(s0, s1), hn::Add(s2, s3)), hn::Add(s4, s5));
  s6 = hn::Add(hn::Add(hn::Add(s6, s7), hn::Add(s8, s9)), hn::Add(s10, s11));
  HWY_ALIGN float sums[HWY_MAX_BYTES / sizeof(float)];
  hn::Store(hn::Add(s0, s6), d, sums);
  __asm__ volatile("" : "+m"(sums));  // used, in every lane
}

int64_t F32Lanes() { return static_cast<int64_t>(hn::Lanes(hn::ScalableTag<float>())); }

// Bytes widened to 16 bits and multiplied in pairs: what any vector unit can do.
void Int16Loop(int64_t iterations) {
  const hn::ScalableTag<int16_t> d16;
  const hn::Repartition<int32_t, decltype(d16)> d32;
  int16_t ones[7] = {1, 1, 1, 1, 1, 1, 1};
  __asm__ volatile("" : "+m"(ones));
  const auto a0 = hn::Set(d16, ones[0]);
  const auto a1 = hn::Set(d16, ones[1]);
  const auto a2 = hn::Set(d16, ones[2]);
  const auto a3 = hn::Set(d16, ones[3]);
  const auto a4 = hn::Set(d16, ones[4]);
  const auto a5 = hn::Set(d16, ones[5]);
  auto b = hn::Set(d16, ones[6]);
  auto s0 = hn::Zero(d32), s1 = s0, s2 = s0, s3 = s0, s4 = s0, s5 = s0;
  auto r0 = s0, r1 = s0, r2 = s0, r3 = s0, r4 = s0, r5 = s0;
  for (int64_t i = 0; i < iterations; ++i) {
    s0 = hn::ReorderWidenMulAccumulate(d32, a0, b, s0, r0);
    s1 = hn::ReorderWidenMulAccumulate(d32, a1, b, s1, r1);
    s2 = hn::ReorderWidenMulAccumulate(d32, a2, b, s2, r2);
    s3 = hn::ReorderWidenMulAccumulate(d32, a3, b, s3, r3);
    s4 = hn::ReorderWidenMulAccumulate(d32, a4, b, s4, r4);
    s5 = hn::ReorderWidenMulAccumulate(d32, a5, b, s5, r5);
    b = hn::Xor(b, hn::BitCast(d16, s5));  // new factors, so that no product can be kept
  }
  s0 = hn::Add(hn::Add(hn::Add(s0, s1), hn::Add(s2, s3)), hn::Add(s4, s5));
  r0 = hn::Add(hn::Add(hn::Add(r0, r1), hn::Add(r2, r3)), hn::Add(r4, r5));
  HWY_ALIGN int32_t sums[HWY_MAX_BYTES / sizeof(int32_t)];
  hn::Store(hn::Add(s0, r0), d32, sums);
  __asm__ volatile("" : "+m"(sums));
}

}  // namespace HWY_NAMESPACE
}  // namespace tutti::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tutti::kernels {
namespace {
HWY_EXPORT(F32Loop);
HWY_EXPORT(F32Lanes);
HWY_EXPORT(Int16Loop);

void RunF32(int64_t iterations) { HWY_DYNAMIC_DISPATCH(F32Loop)(iterations); }
void RunInt16(int64_t iterations) { HWY_DYNAMIC_DISPATCH(Int16Loop)(iterations); }

// clang-format off
// (It does not settle on a layout for what follows.)

// An instruction for each of the twelve sums.
#define TUTTI_TWELVE(op)                                                     \
  op("0") op("1") op("2") op("3") op("4") op("5") op("6") op("7") op("8") op("9") op("10") op("11")

#if defined(__x86_64__)

// Registers 12 to 15 hold the factors, zeros, which are as fast as any number.
#define TUTTI_CLEAR(k) "vpxor %%xmm" k ",%%xmm" k ",%%xmm" k "\n\t"
#define TUTTI_CLEAR_ALL \
  TUTTI_TWELVE(TUTTI_CLEAR) TUTTI_CLEAR("12") TUTTI_CLEAR("13") TUTTI_CLEAR("14") TUTTI_CLEAR("15")
#define TUTTI_LOOP(op)                                                                     \
  __asm__ volatile(TUTTI_CLEAR_ALL                                                         \
                   "1:\n\t" TUTTI_TWELVE(op)                                               \
                   "dec %0\n\t"                                                            \
                   "jnz 1b\n\t"                                                            \
                   "vzeroupper"                                                            \
                   : "+r"(iterations)                                                      \
                   :                                                                       \
                   : "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", \
                     "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15")
#define TUTTI_AVX512_VNNI(k) "vpdpbusd %%zmm15,%%zmm14,%%zmm" k "\n\t"
#define TUTTI_AVX_VNNI(k) "%{vex%} vpdpbusd %%ymm15,%%ymm14,%%ymm" k "\n\t"
#define TUTTI_AVX512_BF16(k) "vdpbf16ps %%zmm15,%%zmm14,%%zmm" k "\n\t"
// Without a dot product: bytes to pairs in 16 bits, pairs to fours in 32 bits, sum.
#define TUTTI_AVX2(k)                      \
  "vpmaddubsw %%ymm15,%%ymm14,%%ymm13\n\t" \
  "vpmaddwd %%ymm13,%%ymm12,%%ymm13\n\t"   \
  "vpaddd %%ymm13,%%ymm" k ",%%ymm" k "\n\t"

void RunAvx512Vnni(int64_t iterations) { TUTTI_LOOP(TUTTI_AVX512_VNNI); }
void RunAvxVnni(int64_t iterations) { TUTTI_LOOP(TUTTI_AVX_VNNI); }
void RunAvx2(int64_t iterations) { TUTTI_LOOP(TUTTI_AVX2); }
void RunAvx512BF16(int64_t iterations) { TUTTI_LOOP(TUTTI_AVX512_BF16); }

#undef TUTTI_CLEAR
#undef TUTTI_CLEAR_ALL
#undef TUTTI_LOOP
#undef TUTTI_AVX512_VNNI
#undef TUTTI_AVX_VNNI
#undef TUTTI_AVX512_BF16
#undef TUTTI_AVX2

#elif defined(__aarch64__)

#define TUTTI_CLEAR(k) "movi v" k ".16b, #0\n\t"
#define TUTTI_LOOP(op)                                                                        \
  __asm__ volatile(TUTTI_TWELVE(TUTTI_CLEAR) TUTTI_CLEAR("30") TUTTI_CLEAR("31")              \
                   "1:\n\t" TUTTI_TWELVE(op)                                                  \
                   "subs %0, %0, #1\n\t"                                                      \
                   "b.ne 1b\n\t"                                                              \
                   : "+r"(iterations)                                                         \
                   :                                                                          \
                   : "cc", "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10", \
                     "v11", "v30", "v31")
// Spelled as numbers, because assemblers differ in how an extension is switched on:
// sdot vk.4s, v30.16b, v31.16b; smmla vk.4s, v30.16b, v31.16b; bfmmla vk.4s, v30.8h, v31.8h.
#define TUTTI_SDOT(k) ".inst 0x4e9f97c0 + " k "\n\t"
#define TUTTI_SMMLA(k) ".inst 0x4e9fa7c0 + " k "\n\t"
#define TUTTI_BFMMLA(k) ".inst 0x6e5fefc0 + " k "\n\t"

void RunDotprod(int64_t iterations) { TUTTI_LOOP(TUTTI_SDOT); }
void RunI8mm(int64_t iterations) { TUTTI_LOOP(TUTTI_SMMLA); }
void RunBF16(int64_t iterations) { TUTTI_LOOP(TUTTI_BFMMLA); }

#undef TUTTI_CLEAR
#undef TUTTI_LOOP
#undef TUTTI_SDOT
#undef TUTTI_SMMLA
#undef TUTTI_BFMMLA

#endif
#undef TUTTI_TWELVE
// clang-format on

}  // namespace

PeakLoop Int8Peak([[maybe_unused]] const CpuFeatures& cpu) {
#if defined(__x86_64__)
  if (cpu.avx512_vnni) return {"AVX-512 VNNI", 12 * 64 * 2, RunAvx512Vnni};
  if (cpu.avx_vnni) return {"AVX-VNNI", 12 * 32 * 2, RunAvxVnni};
  if (cpu.avx2) return {"AVX2", 12 * 32 * 2, RunAvx2};
#elif defined(__aarch64__)
  if (cpu.i8mm) return {"I8MM", 12 * 32 * 2, RunI8mm};
  if (cpu.dotprod) return {"DOTPROD", 12 * 16 * 2, RunDotprod};
#endif
  // Twice as many lanes of 16 bits as floats, six times.
  return {"16-bit products", 6.0 * 2 * 2 * static_cast<double>(HWY_DYNAMIC_DISPATCH(F32Lanes)()),
          RunInt16};
}

PeakLoop BF16Peak([[maybe_unused]] const CpuFeatures& cpu) {
#if defined(__x86_64__)
  if (cpu.avx512_bf16) return {"AVX-512 BF16", 12 * 32 * 2, RunAvx512BF16};
#elif defined(__aarch64__)
  if (cpu.bf16) return {"BFMMLA", 12 * 16 * 2, RunBF16};
#endif
  return {};
}

PeakLoop F32Peak() {
  const int64_t targets = hwy::SupportedTargets() & HWY_TARGETS;
  return {hwy::TargetName(targets & -targets),
          12.0 * 2 * static_cast<double>(HWY_DYNAMIC_DISPATCH(F32Lanes)()), RunF32};
}

}  // namespace tutti::kernels
#endif  // HWY_ONCE
