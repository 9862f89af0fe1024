// Matrices that no published tensor has in the order in which the kernels read: rewritten once at
// loading, into memory of our own.
//
// Plain numbers keep their type, everything else becomes F32; no value is rounded.
// Ownership: the bytes go to `owned`, whose elements must not be dropped while a view is used.
// Threads: one at a time. Errors: kResource beyond the limit, before anything is allocated.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "tutti/base/status.h"
#include "tutti/tensor/view.h"

namespace tutti::model {

class WeightCopies {
 public:
  WeightCopies(std::vector<std::vector<std::byte>>& owned, int64_t limit_bytes)
      : owned_(owned), left_bytes_(limit_bytes), limit_bytes_(limit_bytes) {}

  // [cols, rows] from [rows, cols].
  Result<tensor::WeightView> Transposed(const tensor::WeightView& matrix);
  // The same matrix as F32, without blocks and scales.
  Result<tensor::WeightView> Decoded(const tensor::WeightView& matrix);

 private:
  Result<std::byte*> Allocate(int64_t size_bytes);

  std::vector<std::vector<std::byte>>& owned_;
  int64_t left_bytes_;
  int64_t limit_bytes_;
};

}  // namespace tutti::model
