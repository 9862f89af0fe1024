// Runs the tests of `tutti bench` on an engine, with the machine's limits measured in between.
//
// Ownership: refers to the engine; its sequences are closed after each test. Threads: one. Errors:
// those of the engine; kInternal where the engine's answers are wrong.
#pragma once
#include <functional>
#include <vector>

#include "tutti/base/status.h"
#include "tutti/cli/bench_plan.h"
#include "tutti/engine.h"
#include "tutti/kernels/limits.h"

namespace tutti::cli {

struct BenchResult {
  BenchTest test;
  std::vector<double> tokens_per_s;            // of each repetition
  std::vector<kernels::MachineLimits> limits;  // measured before each repetition and after the last
  BenchWork work;
  StepProfile profile;  // of one more repetition; empty unless wanted
};

struct BenchPlan {
  std::vector<BenchTest> tests;
  int repetitions = 3;
  bool profile = false;
  bool absorbed = false;  // latent attention in this form only, as the server computes
};

// Repetitions of one test, the one that warms up and the profiled one included.
inline int RunsOf(const BenchPlan& plan) { return plan.repetitions + 1 + (plan.profile ? 1 : 0); }

// Context that CheckAnswer needs to compare more than a token with itself.
inline constexpr int32_t kCheckedContext = 17;

// A fast wrong answer is no result: a prompt computed at once and piece by piece, its end token by
// token, must give the same bits. Where long prompts take another form of attention, this one is
// long enough for both, as far as the engine's context allows.
Status CheckAnswer(Engine& engine, const BenchPlan& plan);

// `progress` is called after every repetition. Interrupted: kInterrupted.
Result<std::vector<BenchResult>> RunBench(Engine& engine, const BenchPlan& plan,
                                          const std::function<void()>& progress);

}  // namespace tutti::cli
