// A large block of zeroed memory whose pages the system hands out when they are first touched.
//
// Reserving costs address space only, so a pool may be as large as its limit says and cost what is
// used, rounded up to huge pages (2 MB) where the system has them. Threads: as any memory. Errors:
// kResource where the system refuses the reservation. Touching more than the machine has is
// answered by the system, not by us: compare with Topology::available_memory_bytes first.
#pragma once
#include <cstddef>

#include "tutti/base/status.h"

namespace tutti::os {

class ReservedMemory {
 public:
  static Result<ReservedMemory> Reserve(size_t size_bytes);

  ReservedMemory() = default;
  ReservedMemory(ReservedMemory&& other) noexcept;
  ReservedMemory& operator=(ReservedMemory&& other) noexcept;
  ReservedMemory(const ReservedMemory&) = delete;
  ReservedMemory& operator=(const ReservedMemory&) = delete;
  ~ReservedMemory();

  // Gives the pages back to the system: zeroed again when they are touched.
  void Clear();

  std::byte* data() const { return data_; }  // aligned to a page of the system
  size_t size_bytes() const { return size_bytes_; }

 private:
  std::byte* data_ = nullptr;
  size_t size_bytes_ = 0;
};

}  // namespace tutti::os
