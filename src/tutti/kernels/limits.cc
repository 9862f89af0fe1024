#include "tutti/kernels/limits.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "tutti/kernels/peaks.h"
#include "tutti/os/topology.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tutti/kernels/limits.cc"
#include <hwy/foreach_target.h>
// foreach_target.h must come first.
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace tutti::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Reads `count` words (a multiple of 256) and returns something that depends on all of them.
uint64_t ReadAll(const uint64_t* words, size_t count) {
  const hn::ScalableTag<uint64_t> d;
  const size_t lanes = hn::Lanes(d);
  auto s0 = hn::Zero(d), s1 = s0, s2 = s0, s3 = s0;
  for (size_t i = 0; i < count; i += 4 * lanes) {
    s0 = hn::Add(s0, hn::LoadU(d, words + i));
    s1 = hn::Add(s1, hn::LoadU(d, words + i + lanes));
    s2 = hn::Add(s2, hn::LoadU(d, words + i + 2 * lanes));
    s3 = hn::Add(s3, hn::LoadU(d, words + i + 3 * lanes));
  }
  HWY_ALIGN uint64_t sums[HWY_MAX_BYTES / sizeof(uint64_t)];
  hn::Store(hn::Add(hn::Add(s0, s1), hn::Add(s2, s3)), d, sums);
  uint64_t sum = 0;
  for (size_t i = 0; i < lanes; ++i) sum += sums[i];
  return sum;
}

}  // namespace HWY_NAMESPACE
}  // namespace tutti::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tutti::kernels {
namespace {
HWY_EXPORT(ReadAll);

double NowSeconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

constexpr size_t kMiB = size_t{1} << 20;
constexpr size_t kWindows = 8;
// An arithmetic loop runs for a while on all members; the best stretch of each member counts, which
// is shorter than what a scheduler gives to other processes in between.
constexpr double kStretchSeconds = 0.003;
constexpr double kReadStretchSeconds = 0.025;  // about what a token of a model takes
constexpr int64_t kPeakIterations = 5000;      // between two looks at the clock: some 15 us

// 0: so much as would push the caches' content out is too much for this machine.
size_t ReadBytes() {
  const os::Topology topology = os::ReadTopology(os::RealSystemFiles());
  const size_t bytes =
      std::max(4 * static_cast<size_t>(topology.last_level_cache_bytes), 256 * kMiB);
  const auto available = static_cast<size_t>(topology.available_memory_bytes);
  return available > 0 && bytes > available / 2 ? 0 : bytes;
}

// 10^9 operations per second of one member in its best stretch.
double BestStretch(const PeakLoop& loop, double seconds) {
  double best = 0;
  double begin = NowSeconds();
  const double end = begin + seconds;
  int64_t iterations = 0;
  for (double now = begin; now < end;) {
    loop.run(kPeakIterations);
    iterations += kPeakIterations;
    now = NowSeconds();
    if (now - begin < kStretchSeconds) continue;
    best = std::max(best, static_cast<double>(iterations) * loop.operations / (now - begin) / 1e9);
    begin = now;
    iterations = 0;
  }
  return best;
}

// The same for all members together.
double MeasurePeak(os::ThreadPool& pool, const PeakLoop& loop, double seconds) {
  if (loop.run == nullptr) return 0;
  std::vector<double> rates(static_cast<size_t>(pool.size()));
  pool.Run([&](int member) { rates[static_cast<size_t>(member)] = BestStretch(loop, seconds); });
  double sum = 0;
  for (const double rate : rates) sum += rate;
  return sum;
}

}  // namespace

void LimitsMeter::FreeMemory::operator()(uint64_t* p) const { std::free(p); }

// Each part is touched first, and so placed, by the member that reads it.
LimitsMeter::LimitsMeter(os::ThreadPool& pool) : pool_(pool) {
  const auto members = static_cast<size_t>(pool.size());
  window_bytes_ = ReadBytes() / members / kWindows / 4096 * 4096;
  const size_t part_bytes = window_bytes_ * kWindows;
  if (part_bytes == 0) return;
  memory_.reset(static_cast<uint64_t*>(std::aligned_alloc(4096, part_bytes * members)));
  if (memory_ == nullptr) return;
  pool.Run([&](int member) { std::memset(Part(member), member + 1, part_bytes); });
}

LimitsMeter::~LimitsMeter() = default;

uint64_t* LimitsMeter::Part(int member) const {
  return memory_.get() + static_cast<size_t>(member) * window_bytes_ * kWindows / sizeof(uint64_t);
}

// A run reads the next eighth of every part; when it comes again, seven others have pushed it out
// of the cache.
void LimitsMeter::MeasureRead(double seconds, MachineLimits& limits) {
  if (memory_ == nullptr) return;
  const auto members = static_cast<size_t>(pool_.size());
  std::vector<uint64_t> sums(members);
  double stretch_bytes = 0;
  double begin = NowSeconds();
  const double end = begin + std::max(seconds, kReadStretchSeconds);
  for (size_t run = 0; begin < end; ++run) {
    const size_t offset = run % kWindows * window_bytes_ / sizeof(uint64_t);
    pool_.Run([&](int member) {
      sums[static_cast<size_t>(member)] +=
          HWY_DYNAMIC_DISPATCH(ReadAll)(Part(member) + offset, window_bytes_ / sizeof(uint64_t));
    });
    stretch_bytes += static_cast<double>(window_bytes_ * members);
    const double now = NowSeconds();
    if (now - begin < kReadStretchSeconds) continue;
    limits.read_gb_s = std::max(limits.read_gb_s, stretch_bytes / (now - begin) / 1e9);
    stretch_bytes = 0;
    begin = now;
  }
  uint64_t sum = 0;
  for (const uint64_t s : sums) sum += s;
  __asm__ volatile("" : "+r"(sum));  // used
}

MachineLimits LimitsMeter::Measure(double seconds) {
  MachineLimits limits;
  limits.threads = pool_.size();
  MeasureRead(seconds * 2 / 3, limits);
  const PeakLoop int8 = Int8Peak();
  const PeakLoop f32 = F32Peak();
  const PeakLoop bf16 = BF16Peak();
  const auto peak = [&](const PeakLoop& loop) { return MeasurePeak(pool_, loop, seconds / 9); };
  limits.int8_gops = peak(int8);
  limits.int8_instructions = int8.instructions;
  limits.f32_gflops = peak(f32);
  limits.f32_instructions = f32.instructions;
  limits.bf16_gflops = bf16.run == nullptr ? limits.f32_gflops : peak(bf16);
  limits.bf16_instructions = bf16.run == nullptr ? f32.instructions : bf16.instructions;
  return limits;
}

}  // namespace tutti::kernels
#endif  // HWY_ONCE
