#include "tutti/scheduler/step_times.h"

#include <gtest/gtest.h>

namespace tutti::scheduler {
namespace {

TEST(StepTimesTest, TheLeastWhileNothingIsKnown) {
  const StepTimes times;
  EXPECT_EQ(times.TokensWithin(0.1, 16, 512), 16);
  EXPECT_EQ(times.TokensWithin(0.1, 16, 8), 8);
}

TEST(StepTimesTest, InterpolatesWhatWasMeasured) {
  StepTimes times;
  times.Measured(10, 0.010);
  times.Measured(100, 0.100);
  EXPECT_DOUBLE_EQ(times.Predict(5), 0.010);
  EXPECT_DOUBLE_EQ(times.Predict(10), 0.010);
  EXPECT_DOUBLE_EQ(times.Predict(55), 0.055);
  EXPECT_DOUBLE_EQ(times.Predict(100), 0.100);
  EXPECT_DOUBLE_EQ(times.Predict(200), 0.200);  // as if every token took the same
  EXPECT_EQ(times.TokensWithin(0.0551, 1, 512), 55);
  EXPECT_EQ(times.TokensWithin(0.2001, 1, 512), 200);
  EXPECT_EQ(times.TokensWithin(9, 1, 512), 512);
  EXPECT_EQ(times.TokensWithin(0.001, 16, 512), 16);
}

TEST(StepTimesTest, ForgetsWhatIsNoLongerTrue) {
  StepTimes times;
  times.Measured(20, 5.0);  // the first step read weights from the disk
  EXPECT_EQ(times.TokensWithin(0.1, 16, 512), 16);
  for (int i = 0; i < 60; ++i) times.Measured(20, 0.02);
  EXPECT_NEAR(times.Predict(20), 0.02, 1e-4);
}

// With experts a step of a few tokens is nearly as dear as one of many.
TEST(StepTimesTest, ReachesTheBudgetFromBelow) {
  const auto seconds = [](int64_t tokens) {
    return 0.04 + 1e-4 * static_cast<double>(tokens) + (tokens > 8 ? 0.02 : 0);
  };
  StepTimes times;
  int64_t tokens = 1;
  for (int step = 0; step < 100; ++step) {
    times.Measured(tokens, seconds(tokens));
    tokens = times.TokensWithin(0.1, 16, 4096);
    ASSERT_LE(seconds(tokens), 0.1 + 1e-9);
  }
  EXPECT_GT(tokens, 350);  // of 400
}

}  // namespace
}  // namespace tutti::scheduler
