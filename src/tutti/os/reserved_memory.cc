#include "tutti/os/reserved_memory.h"

#include <sys/mman.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace tutti::os {

Result<ReservedMemory> ReservedMemory::Reserve(size_t size_bytes) {
  ReservedMemory memory;
  if (size_bytes == 0) return memory;
  void* data = ::mmap(nullptr, size_bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (data == MAP_FAILED) {
    return Error(StatusCode::kResource, "cannot reserve {} bytes of memory: {}", size_bytes,
                 std::strerror(errno));
  }
  // Where the system has huge pages: scattered blocks of 4 KB are a miss of the TLB each otherwise.
  // Refused, it is as good as before.
  ::madvise(data, size_bytes, MADV_HUGEPAGE);
  memory.data_ = static_cast<std::byte*>(data);
  memory.size_bytes_ = size_bytes;
  return memory;
}

void ReservedMemory::Clear() {
  if (data_ != nullptr) ::madvise(data_, size_bytes_, MADV_DONTNEED);
}

ReservedMemory::ReservedMemory(ReservedMemory&& other) noexcept { *this = std::move(other); }

ReservedMemory& ReservedMemory::operator=(ReservedMemory&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_bytes_, other.size_bytes_);
  return *this;
}

ReservedMemory::~ReservedMemory() {
  if (data_ != nullptr) ::munmap(data_, size_bytes_);
}

}  // namespace tutti::os
