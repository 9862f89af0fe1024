#include "tutti/kernels/workspace.h"

#include <algorithm>

#include "tutti/base/check.h"
#include "tutti/os/step_buffer.h"

namespace tutti::kernels {

void* Workspace::GetBytes(int member, Slot slot, size_t size_bytes) {
  const size_t index = static_cast<size_t>(member + 1) * static_cast<size_t>(Slot::kCount) +
                       static_cast<size_t>(slot);
  TUTTI_CHECK(index < buffers_.size(), "no such member of the team");
  Buffer& buffer = buffers_[index];
  if (buffer.size_bytes < size_bytes) {
    // Grows by half at least, so that a growing context does not reallocate every step.
    const size_t wanted = std::max(size_bytes, buffer.size_bytes + buffer.size_bytes / 2);
    buffer.data.reset();
    buffer.size_bytes = 0;
    buffer.data.reset(os::AllocateStepBuffer(wanted));
    buffer.size_bytes = wanted;
  }
  return buffer.data.get();
}

}  // namespace tutti::kernels
