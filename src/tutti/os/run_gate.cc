#include "tutti/os/run_gate.h"

#include <chrono>

namespace tutti::os {
namespace {

// Longer than the gaps between the runs of a decode step (5 us on average), much shorter than a
// scheduler's time slice; 5 to 300 us made no difference on two cores (docs/LOG.md).
constexpr std::chrono::microseconds kSpin{50};
// A pause is 1 to 50 ns, by the processor: often enough to look at the clock.
constexpr int kPausesPerLook = 64;

inline void Pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Waits until done(value): spinning for a while, then asleep until somebody notifies.
template <typename T, typename Done>
T WaitUntil(const std::atomic<T>& value, const Done& done) {
  using Clock = std::chrono::steady_clock;
  T now = value.load(std::memory_order_acquire);
  if (done(now)) return now;
  const Clock::time_point end = Clock::now() + kSpin;
  do {
    for (int i = 0; i < kPausesPerLook; ++i) {
      Pause();
      now = value.load(std::memory_order_acquire);
      if (done(now)) return now;
    }
  } while (Clock::now() < end);
  while (!done(now)) {
    value.wait(now, std::memory_order_acquire);
    now = value.load(std::memory_order_acquire);
  }
  return now;
}

}  // namespace

void RunGate::Begin(uint64_t flag) {
  // Only the leader changes more than the number of those that entered, and after Close that means
  // nothing.
  const uint64_t run = word_.load(std::memory_order_relaxed) / kRun + 1;
  word_.store(run * kRun | flag, std::memory_order_release);
  word_.notify_all();
}

void RunGate::OpenForAll(int others) {
  unfinished_.store(others, std::memory_order_relaxed);
  Begin(kAll);
}

void RunGate::Close() {
  const uint64_t word = word_.fetch_and(~kComers, std::memory_order_acq_rel);
  if ((word & kComers) != 0) {
    unfinished_.fetch_add(static_cast<int32_t>(word & kEntered), std::memory_order_acq_rel);
  }
  WaitUntil(unfinished_, [](int32_t left) { return left == 0; });
}

bool RunGate::Enter(Seen& seen) {
  for (;;) {
    uint64_t word = WaitUntil(word_, [&](uint64_t now) { return now / kRun != seen; });
    // Meanwhile that run may be closed, and another begun: what is entered is what this returns.
    // One member adds to a run once at most, open or not.
    if ((word & kComers) != 0) word = word_.fetch_add(1, std::memory_order_acq_rel);
    seen = word / kRun;
    if ((word & kStop) != 0) return false;
    if ((word & (kAll | kComers)) != 0) return true;
  }
}

void RunGate::Leave() {
  if (unfinished_.fetch_sub(1, std::memory_order_acq_rel) == 1) unfinished_.notify_one();
}

}  // namespace tutti::os
