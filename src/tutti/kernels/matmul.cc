#include "tutti/kernels/matmul.h"

#include <algorithm>
#include <vector>

#include "tutti/base/check.h"
#include "tutti/base/checked_math.h"
#include "tutti/kernels/matmul_float.h"
#include "tutti/kernels/parallel.h"
#include "tutti/kernels/q8_columns.h"

namespace tutti::kernels {
namespace {

// The rows of x that a job takes.
Activations RowsOf(const MatMulJob& job, const Activations& x) {
  return {.data = x.Row(job.first),
          .rows = DivCeil(x.rows - job.first, job.step),
          .cols = x.cols,
          .stride = x.stride * job.step};
}
std::vector<const std::byte*> RowsOf(const MatMulJob& job,
                                     const std::vector<const std::byte*>& columns) {
  std::vector<const std::byte*> rows;
  for (size_t i = static_cast<size_t>(job.first); i < columns.size();
       i += static_cast<size_t>(job.step)) {
    rows.push_back(columns[i]);
  }
  return rows;
}

struct Task {
  const MatMulJob* job = nullptr;
  int64_t begin = 0;  // rows of the matrix
  int64_t end = 0;
  bool strips = false;
};

// Of one node's rows.
void AddTasks(const MatMulJob& job, bool strips, const os::Team& team, size_t node,
              std::vector<Task>& tasks) {
  const int64_t step = RowsPerTask(job.weight.rows, team.size());
  const RowRange rows = RowsOfNode(job.weight.rows, team, node);
  for (int64_t row = rows.begin; row < rows.end; row += step) {
    tasks.push_back({&job, row, std::min(row + step, rows.end), strips});
  }
}

// Rows of one task from strips: a pair at a time, for blocks of columns.
void MultiplyStrips(const Task& task, std::span<const std::byte* const> columns, int member,
                    KernelContext& context) {
  const MatMulJob& job = *task.job;
  const StripScratch scratch(member, context);
  for (size_t c = 0; c < columns.size(); c += kColumnBlock) {
    const auto block = columns.subspan(c, std::min<size_t>(kColumnBlock, columns.size() - c));
    for (int64_t row = task.begin; row < task.end; row += kPairRows) {
      MultiplyPair(*context.strips, job.weight, row, block, *scratch.buffer, scratch.sums);
      const int64_t rows = std::min(kPairRows, task.end - row);
      for (size_t i = 0; i < block.size(); ++i) {
        const float* sums = scratch.sums + i * static_cast<size_t>(kPairRows);
        float* out = job.out + static_cast<int64_t>(c + i) * job.out_stride + row;
        if (job.bias != nullptr) {
          for (int64_t r = 0; r < rows; ++r) out[r] = sums[r] + job.bias[row + r];
        } else {
          std::copy_n(sums, rows, out);
        }
      }
    }
  }
}

}  // namespace

void MatMul(const Activations& x, std::span<const MatMulJob> jobs, KernelContext& context) {
  if (x.rows == 0) return;
  if (context.observer != nullptr) context.observer->Observe(x, jobs);
  const os::Team& team = context.pool.team();
  std::vector<Task> tasks;
  std::vector<int64_t> node_ends;
  bool any_strips = false;
  bool any_float = false;
  for (size_t node = 0; node < team.nodes.size(); ++node) {
    for (const MatMulJob& job : jobs) {
      TUTTI_CHECK(job.weight.cols == x.cols, "MatMul: the shapes do not fit");
      const bool strips = !context.exact && HasStrips(job.weight);
      (strips ? any_strips : any_float) = true;
      AddTasks(job, strips, team, node, tasks);
    }
    node_ends.push_back(std::ssize(tasks));
  }
  Q8Columns columns;
  if (any_strips) columns = QuantizeColumns(x, Slot::kActivations, context);
  std::vector<std::vector<const std::byte*>> picked;  // [jobs], of those that take some rows only
  for (const MatMulJob& job : jobs) {
    if (job.step == 1 || columns.rows.empty()) continue;
    picked.resize(jobs.size());
    picked[static_cast<size_t>(&job - jobs.data())] = RowsOf(job, columns.rows);
  }
  const size_t scratch_floats = any_float ? MatMulFloatScratch(x.cols) : 0;
  RunTasks(context.pool, std::span<const int64_t>(node_ends), [&](int member, int64_t index) {
    const Task& task = tasks[static_cast<size_t>(index)];
    if (task.strips) {
      if (task.job->step == 1) return MultiplyStrips(task, columns.rows, member, context);
      MultiplyStrips(task, picked[static_cast<size_t>(task.job - jobs.data())], member, context);
    } else {
      float* scratch = context.workspace.Get<float>(member, Slot::kMatMulFloat, scratch_floats);
      MatMulFloatRows(RowsOf(*task.job, x), *task.job, task.begin, task.end,
                      {scratch, scratch_floats});
    }
  });
}

}  // namespace tutti::kernels
