// Matrices that no published tensor has in the order in which the kernels read: rewritten once at
// loading, into memory of our own; or, for those who need every matrix once only (conversion), when
// each is wanted.
//
// Plain numbers keep their type, everything else becomes F32; no value is rounded.
// Ownership: the bytes go to `owned` or `late`, which must outlive the views. Threads: one at a
// time. Errors: kResource beyond the limit, before anything is allocated.
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <vector>

#include "tutti/base/status.h"
#include "tutti/os/reserved_memory.h"
#include "tutti/tensor/view.h"

namespace tutti::model {

// Transposed matrices that have an address from the beginning and values from Make to Drop. Views
// of other memory are left alone. One thread.
class LateCopies {
 public:
  void Make(const tensor::WeightView& view);
  void Drop(const tensor::WeightView& view);

 private:
  friend class WeightCopies;
  struct Copy {
    tensor::WeightView from;
    os::ReservedMemory memory;
  };
  Copy* Find(const std::byte* data);

  std::map<const std::byte*, Copy, std::less<>> copies_;  // by where the memory begins
};

class WeightCopies {
 public:
  // `late` may be null: all copies are made at once. Otherwise the limit is for those that are.
  WeightCopies(std::vector<std::vector<std::byte>>& owned, int64_t limit_bytes,
               LateCopies* late = nullptr)
      : owned_(owned), left_bytes_(limit_bytes), limit_bytes_(limit_bytes), late_(late) {}

  // [cols, rows] from [rows, cols]; the one that may be late.
  Result<tensor::WeightView> Transposed(const tensor::WeightView& matrix);
  // The same matrix as F32, without blocks and scales.
  Result<tensor::WeightView> Decoded(const tensor::WeightView& matrix);

 private:
  Result<std::byte*> Allocate(int64_t size_bytes);

  std::vector<std::vector<std::byte>>& owned_;
  int64_t left_bytes_;
  int64_t limit_bytes_;
  LateCopies* late_;
};

}  // namespace tutti::model
