// What every parallel kernel needs, passed by reference instead of reached for.
#pragma once
#include <cstdint>

#include "tutti/os/thread_pool.h"

namespace tutti::kernels {

struct KernelContext {
  os::ThreadPool& pool;
  // Multiply dequantised weights in float32 (--exact) instead of quantised activations.
  bool exact = false;
};

}  // namespace tutti::kernels
