#include "tutti/os/thread_pool.h"

#include <gtest/gtest.h>

#include <numeric>

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
