#include "tutti/os/step_buffer.h"

#include <sys/mman.h>

#include <new>

#include "tutti/base/checked_math.h"

namespace tutti::os {

void* AllocateStepBuffer(size_t size_bytes) {
  constexpr size_t kLine = 64;
  constexpr size_t kHugePage = size_t{2} << 20;
  const size_t alignment = size_bytes < kHugePage ? kLine : kHugePage;
  const size_t rounded = RoundUp(size_bytes, alignment);
  if (rounded < size_bytes) throw std::bad_alloc();
  void* data = std::aligned_alloc(alignment, rounded);
  if (data == nullptr) throw std::bad_alloc();
  if (alignment == kHugePage)
    ::madvise(data, rounded, MADV_HUGEPAGE);  // refused: as good as before
  return data;
}

}  // namespace tutti::os
