// The limits of this machine, measured once per program before the first benchmark.
#pragma once
#include <benchmark/benchmark.h>

#include "tutti/kernels/limits.h"
#include "tutti/os/thread_pool.h"
#include "tutti/os/topology.h"

namespace tutti::bench {

inline os::ThreadPool& Pool() {
  static os::ThreadPool pool(os::DefaultThreads(os::ReadTopology(os::RealSystemFiles())));
  return pool;
}

inline const kernels::MachineLimits& Limits() {
  static const kernels::MachineLimits limits = kernels::LimitsMeter(Pool()).Measure(0.9);
  return limits;
}

// Bytes read in each iteration, as a share of the read limit; nothing where that is not known.
inline void CountRead(benchmark::State& state, double bytes) {
  if (Limits().read_gb_s <= 0) return;
  state.counters["of_read"] =
      benchmark::Counter(bytes / 1e9 / Limits().read_gb_s, benchmark::Counter::kIsRate);
}

}  // namespace tutti::bench
