// The limits of this machine, measured once per program before the first benchmark.
#pragma once
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

}  // namespace tutti::bench
