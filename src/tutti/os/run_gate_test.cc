#include "tutti/os/run_gate.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace tutti::os {
namespace {

TEST(RunGateTest, ARunForComersWaitsForNobodyWhoDidNotCome) {
  RunGate gate;
  gate.OpenForComers();
  gate.Close();
  RunGate::Seen late = 0;
  gate.OpenForComers();
  ASSERT_TRUE(gate.Enter(late));  // the run there is, not the one before
  EXPECT_EQ(late, 2u);
  gate.Leave();
  gate.Close();
  gate.Stop();
  EXPECT_FALSE(gate.Enter(late));
}

TEST(RunGateTest, AClosedRunLetsNobodyIn) {
  RunGate gate;
  gate.OpenForComers();
  gate.Close();
  std::atomic<bool> entered{false};
  std::thread member([&] {
    RunGate::Seen seen = 0;
    entered = gate.Enter(seen);
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(5));  // asleep in Enter, most likely
  gate.Stop();
  member.join();
  EXPECT_FALSE(entered.load());
}

TEST(RunGateTest, WhoCameInIsWaitedFor) {
  RunGate gate;
  std::atomic<bool> inside{false};
  int work = 0;  // the sanitizer of threads looks after it, too
  std::thread member([&] {
    RunGate::Seen seen = 0;
    while (gate.Enter(seen)) {
      inside = true;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
      ++work;
      gate.Leave();
    }
  });
  gate.OpenForComers();
  while (!inside.load()) std::this_thread::yield();
  gate.Close();
  EXPECT_EQ(work, 1);
  gate.OpenForAll(1);
  gate.Close();
  EXPECT_EQ(work, 2);
  gate.Stop();
  member.join();
}

// Both kinds in turns, over the end of the numbers of runs; what belongs to a run is gone after it.
TEST(RunGateTest, NobodyIsInARunThatIsOver) {
  constexpr RunGate::Seen kBefore = (RunGate::Seen{1} << 45) - 500;
  RunGate gate(kBefore);
  constexpr int kOthers = 3;
  std::atomic<int>* calls = nullptr;
  std::vector<std::thread> members;
  for (int i = 0; i < kOthers; ++i) {
    members.emplace_back([&] {
      RunGate::Seen seen = kBefore;
      while (gate.Enter(seen)) {
        ++*calls;
        gate.Leave();
      }
    });
  }
  for (int run = 0; run < 2000; ++run) {
    std::atomic<int> own{0};
    calls = &own;
    if (run % 3 == 0) {
      gate.OpenForAll(kOthers);
    } else {
      gate.OpenForComers();
    }
    gate.Close();
    calls = nullptr;
    if (run % 3 == 0) {
      ASSERT_EQ(own.load(), kOthers);
    } else {
      ASSERT_LE(own.load(), kOthers);
    }
  }
  gate.Stop();
  for (std::thread& member : members) member.join();
}

}  // namespace
}  // namespace tutti::os
