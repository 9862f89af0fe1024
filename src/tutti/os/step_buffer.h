// Memory that every step of a model walks through: activations, scratch of kernels.
//
// From 2 MB on it lies on huge pages where the system has them: rows that are gathered from all
// over such a buffer are a miss of the TLB each otherwise. Smaller pieces are ordinary memory.
//
// Threads: any. Errors: std::bad_alloc, as everywhere memory is taken; sizes are limited before.
#pragma once
#include <cstddef>
#include <cstdlib>
#include <vector>

namespace tutti::os {

// Aligned to a cache line at least, contents undefined; std::free gives it back.
void* AllocateStepBuffer(size_t size_bytes);

template <typename T>
struct StepBufferAllocator {
  using value_type = T;
  StepBufferAllocator() = default;
  template <typename U>
  StepBufferAllocator(const StepBufferAllocator<U>&) {}
  T* allocate(size_t count) { return static_cast<T*>(AllocateStepBuffer(count * sizeof(T))); }
  void deallocate(T* data, size_t) { std::free(data); }
  template <typename U>
  bool operator==(const StepBufferAllocator<U>&) const {
    return true;
  }
};

using StepFloats = std::vector<float, StepBufferAllocator<float>>;

}  // namespace tutti::os
