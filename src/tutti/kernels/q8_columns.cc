#include "tutti/kernels/q8_columns.h"

namespace tutti::kernels {

Q8Columns QuantizeColumns(const Activations& x, Slot slot, KernelContext& context) {
  Q8Columns columns;
  columns.layout.cols = x.cols;
  const int64_t row_bytes = columns.layout.row_bytes();
  std::byte* memory = context.workspace.Get<std::byte>(Workspace::kShared, slot,
                                                       static_cast<size_t>(x.rows * row_bytes));
  columns.rows.reserve(static_cast<size_t>(x.rows));
  for (int64_t t = 0; t < x.rows; ++t) columns.rows.push_back(memory + t * row_bytes);
  // About a nanosecond per three values: below this many, waking the team costs more.
  constexpr int64_t kValuesPerMember = 16384;
  const int64_t grain = std::max<int64_t>(1, kValuesPerMember / x.cols);
  context.pool.ParallelFor(x.rows, grain, [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t) {
      QuantizeQ8({x.Row(t), static_cast<size_t>(x.cols)}, columns.layout, 0,
                 memory + t * row_bytes);
    }
  });
  return columns;
}

}  // namespace tutti::kernels
