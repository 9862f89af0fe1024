#include "tutti/os/thread_pool.h"

#include <gtest/gtest.h>
#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <thread>
#include <vector>

namespace tutti::os {
namespace {

TEST(ThreadPoolTest, EveryMemberRunsOnceInEveryRun) {
  for (int threads : {1, 2, 5}) {
    ThreadPool pool(threads);
    std::vector<int> calls(static_cast<size_t>(threads), 0);
    for (int run = 0; run < 200; ++run) {
      pool.Run([&](int member) { ++calls[static_cast<size_t>(member)]; });
    }
    EXPECT_EQ(calls, std::vector<int>(static_cast<size_t>(threads), 200));
  }
}

TEST(ThreadPoolTest, ParallelForCoversTheRangeOnceInWholeGrains) {
  ThreadPool pool(3);
  for (int64_t count = 0; count < 70; ++count) {
    for (int64_t grain : {1, 4, 16, 100}) {
      std::vector<std::atomic<int>> hits(static_cast<size_t>(count));
      pool.ParallelFor(count, grain, [&](int64_t begin, int64_t end) {
        EXPECT_EQ(begin % grain, 0);
        for (int64_t i = begin; i < end; ++i) ++hits[static_cast<size_t>(i)];
      });
      for (const auto& hit : hits) ASSERT_EQ(hit.load(), 1) << count << " by " << grain;
    }
  }
}

std::atomic<bool> held{false};
std::atomic<bool> release{false};

// What a thread without a processor looks like: it comes to nothing until it is let go.
void HoldThread(int) {
  held = true;
  while (!release) {
  }
}

// In each of the runs one of the members is held where it waits for a run; if it were waited for,
// this would not end.
TEST(ThreadPoolTest, AMemberWithoutAProcessorDoesNotHoldUpARunWithComers) {
  struct sigaction hold = {};
  hold.sa_handler = HoldThread;
  struct sigaction before = {};
  ASSERT_EQ(sigaction(SIGUSR1, &hold, &before), 0);
  constexpr int kMembers = 3;
  ThreadPool pool(kMembers);
  std::vector<pthread_t> threads(kMembers);
  pool.Run([&](int member) { threads[static_cast<size_t>(member)] = pthread_self(); });
  for (int victim = 1; victim < kMembers; ++victim) {
    held = false;
    release = false;
    ASSERT_EQ(pthread_kill(threads[static_cast<size_t>(victim)], SIGUSR1), 0);
    while (!held) std::this_thread::yield();
    for (int run = 0; run < 200; ++run) {
      std::vector<std::atomic<int>> hits(50);
      std::atomic<size_t> next{0};
      std::atomic<bool> came{false};
      pool.RunWithComers([&](int member) {
        if (member == victim) came = true;
        for (size_t task; (task = next++) < hits.size();) ++hits[task];
      });
      for (const auto& hit : hits) ASSERT_EQ(hit.load(), 1);
      ASSERT_FALSE(came.load());
    }
    release = true;
    std::vector<int> calls(kMembers, 0);
    pool.Run([&](int member) { ++calls[static_cast<size_t>(member)]; });
    EXPECT_EQ(calls, std::vector<int>(kMembers, 1));
  }
  sigaction(SIGUSR1, &before, nullptr);
}

TEST(ThreadPoolTest, AnExceptionOfAnyMemberReachesTheCallerAfterAllAreDone) {
  ThreadPool pool(3);
  for (int thrower = 0; thrower < 3; ++thrower) {
    std::atomic<int> calls{0};
    const auto body = [&](int member) {
      ++calls;
      if (member == thrower) throw std::bad_alloc();
    };
    EXPECT_THROW(pool.Run(body), std::bad_alloc);
    EXPECT_EQ(calls.load(), 3);
    pool.Run([&](int) { ++calls; });  // and the next run is as before
    EXPECT_EQ(calls.load(), 6);
  }
}

TEST(ThreadPoolTest, AnExceptionOfAComerReachesTheCaller) {
  ThreadPool pool(3);
  for (int run = 0; run < 100; ++run) {
    std::atomic<bool> came{false};
    const auto body = [&](int member) {
      if (member != 0) {
        came = true;
        throw std::bad_alloc();
      }
      while (!came) std::this_thread::yield();
    };
    ASSERT_THROW(pool.RunWithComers(body), std::bad_alloc);
    EXPECT_THROW(pool.RunWithComers([](int member) {
      if (member == 0) throw std::bad_alloc();
    }),
                 std::bad_alloc);
  }
  pool.RunWithComers([](int) {});
}

TEST(ThreadPoolTest, TimesAreKeptWhileWanted) {
  for (int threads : {1, 3}) {
    ThreadPool pool(threads);
    std::atomic<uint64_t> sum{0};
    const auto run = [&] {
      pool.Run([&](int) {
        for (uint64_t i = 0; i < 1000; ++i) sum += i;
      });
    };
    run();
    EXPECT_EQ(pool.times().run_s, 0);
    pool.KeepTimes(true);
    run();
    const RunTimes times = pool.times();
    EXPECT_GT(times.busy_s, 0);
    EXPECT_LE(times.busy_s, times.run_s * threads);
    pool.KeepTimes(false);
    run();
    EXPECT_EQ(pool.times().run_s, times.run_s);
    EXPECT_EQ(pool.times().busy_s, times.busy_s);
  }
}

// A child whose address space is full, so that no stack for another thread can be had.
void CreateWithoutMemory() {
  std::ifstream file("/proc/self/statm");
  rlim_t pages = 0;
  file >> pages;
  // Room for a few objects, not for a stack.
  const rlim_t bytes = pages * static_cast<rlim_t>(::sysconf(_SC_PAGESIZE)) + (2 << 20);
  const rlimit limit{bytes, bytes};
  setrlimit(RLIMIT_AS, &limit);
  const auto pool =
      ThreadPool::Create(Team::OnOneNode(64));  // more than the stacks kept of earlier threads
  const bool told = !pool.ok() && pool.status().code() == StatusCode::kResource &&
                    pool.status().message().find("64 threads") != std::string::npos;
  std::_Exit(told ? 0 : 1);
}

TEST(ThreadPoolTest, RefusedThreadsAreAnError) {
#ifdef TUTTI_SANITIZED
  GTEST_SKIP() << "a sanitizer needs address space of its own";
#endif
  EXPECT_EXIT(CreateWithoutMemory(), ::testing::ExitedWithCode(0), "");
}

TEST(ThreadPoolTest, WakesAfterTheMembersFellAsleep) {
  ThreadPool pool(2);
  std::atomic<int> calls{0};
  for (int run = 0; run < 3; ++run) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    pool.Run([&](int) { ++calls; });
  }
  EXPECT_EQ(calls.load(), 6);
}

}  // namespace
}  // namespace tutti::os
