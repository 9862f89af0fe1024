// The results of `tutti bench` as tables for people and as JSON; docs/benchmarks.md says what the
// columns mean.
#pragma once
#include <string>
#include <vector>

#include "tutti/cli/bench_runner.h"
#include "tutti/cli/console.h"
#include "tutti/engine.h"

namespace tutti::cli {

struct BenchReport {
  std::string model;
  const Engine* engine = nullptr;
  bool exact = false;
  bool absorbed = false;  // see BenchPlan
  bool explain = false;
  std::vector<BenchResult> results;  // at least one
};

void PrintBenchTables(Console& console, const BenchReport& report);
void PrintBenchJson(Console& console, const BenchReport& report);

}  // namespace tutti::cli
