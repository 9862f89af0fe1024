#include "tutti/cli/last_resort.h"

#include <gtest/gtest.h>

#include <future>

namespace tutti::cli {
namespace {

TEST(LastResortDeathTest, EndsTheProcessThatWaitsForEver) {
  ::testing::GTEST_FLAG(death_test_style) = "threadsafe";
  EXPECT_EXIT(
      {
        LastResort last_resort;
        last_resort.EndAfter(std::chrono::milliseconds(20), 130);
        std::promise<void> never;
        std::async(std::launch::async, [&] { never.get_future().wait(); }).wait();
      },
      ::testing::ExitedWithCode(130), "ended without waiting for what still ran");
}

TEST(LastResortTest, DoesNothingWhereAllEnds) {
  LastResort unused;
  LastResort last_resort;
  last_resort.EndAfter(std::chrono::hours(1), 1);
}

}  // namespace
}  // namespace tutti::cli
