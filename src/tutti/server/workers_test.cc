#include "tutti/server/workers.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <latch>
#include <memory>
#include <new>
#include <thread>
#include <vector>

namespace tutti::server {
namespace {

TEST(WorkersTest, ATaskThatThrowsEndsAlone) {
  Workers workers(1);
  const auto held = std::make_shared<int>(1);
  workers.Post([held] { throw std::bad_alloc(); });
  std::promise<void> next;
  workers.Post([&] { next.set_value(); });
  EXPECT_EQ(next.get_future().wait_for(std::chrono::seconds(20)), std::future_status::ready);
  EXPECT_EQ(held.use_count(), 1);
}

// Whoever wakes up wakes the next one.
TEST(WorkersTest, AsManyTasksAtOnceAsThreads) {
  Workers workers(4);
  for (int round = 0; round < 200; ++round) {
    std::latch together(4);
    std::latch ended(4);
    for (int i = 0; i < 4; ++i) {
      workers.Post([&] {
        together.arrive_and_wait();
        ended.count_down();
      });
    }
    ended.wait();
  }
}

TEST(WorkersTest, WhatIsPostedLaterAndDueSoonerComesFirst) {
  Workers workers(2);
  std::promise<void> soon;
  std::promise<void> later;
  std::atomic<bool> second = false;
  workers.PostAfter(0.2, [&] {
    EXPECT_TRUE(second);
    later.set_value();
  });
  workers.PostAfter(0.1, [&] {
    second = true;
    soon.set_value();
  });
  workers.Post([] {});
  EXPECT_EQ(soon.get_future().wait_for(std::chrono::seconds(20)), std::future_status::ready);
  EXPECT_EQ(later.get_future().wait_for(std::chrono::seconds(20)), std::future_status::ready);
}

TEST(WorkersTest, AllTasksOfManyWhoPost) {
  Workers workers(3);
  std::atomic<int> done = 0;
  {
    std::vector<std::thread> posters;
    for (int i = 0; i < 4; ++i) {
      posters.emplace_back([&] {
        for (int task = 0; task < 1000; ++task) workers.Post([&] { ++done; });
      });
    }
    for (std::thread& poster : posters) poster.join();
  }
  for (int i = 0; i < 20000 && done < 4000; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  EXPECT_EQ(done, 4000);
}

}  // namespace
}  // namespace tutti::server
