// The limits of this machine, measured once per program before the first benchmark.
#pragma once
#include <unistd.h>

#include "tutti/kernels/limits.h"
#include "tutti/os/thread_pool.h"

namespace tutti::bench {

inline os::ThreadPool& Pool() {
  static os::ThreadPool pool(static_cast<int>(sysconf(_SC_NPROCESSORS_ONLN)));
  return pool;
}

inline const kernels::MachineLimits& Limits() {
  static const kernels::MachineLimits limits = kernels::MeasureLimits(Pool());
  return limits;
}

}  // namespace tutti::bench
