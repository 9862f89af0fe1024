// What MatMul and MoeExperts share around strip.h: quantised activations of a step and the scratch
// of a member. Internal to kernels/.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "tutti/kernels/context.h"
#include "tutti/kernels/matmul.h"
#include "tutti/kernels/q8_rows.h"
#include "tutti/kernels/strip.h"

namespace tutti::kernels {

// Columns multiplied in one go at most: their sums, 64 KB, stay in the second-level cache.
inline constexpr size_t kColumnBlock = 512;

// Rows of x in Q8Layout; the memory is the context's, valid until the slot is used again.
struct Q8Columns {
  Q8Layout layout;
  std::vector<const std::byte*> rows;
};

// Quantises every row of x. Parallel if there is enough to do: one more fork and join.
Q8Columns QuantizeColumns(const Activations& x, Slot slot, KernelContext& context);

// A member's unpacked slice and the sums of a pair.
struct StripScratch {
  StripScratch(int member, KernelContext& context)
      : buffer(context.workspace.Get<StripPairBuffer>(member, Slot::kMatMul, 1)),
        sums(context.workspace.Get<float>(member, Slot::kMatMulOut, kColumnBlock * kPairRows)) {}
  StripPairBuffer* buffer;
  float* sums;  // [kColumnBlock][kPairRows]
};

}  // namespace tutti::kernels
