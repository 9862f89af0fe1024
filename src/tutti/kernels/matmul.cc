#include "tutti/kernels/matmul.h"

#include <algorithm>

#include "tutti/base/check.h"
#include "tutti/kernels/matmul_float.h"
#include "tutti/kernels/parallel.h"

namespace tutti::kernels {
namespace {

// Rows of weights per task: enough work to be worth handing out.
constexpr int64_t kTaskRows = 32;

struct Task {
  const MatMulJob* job;
  int64_t begin;
  int64_t end;
};

}  // namespace

void MatMul(const Activations& x, std::span<const MatMulJob> jobs, KernelContext& context) {
  std::vector<Task> tasks;
  for (const MatMulJob& job : jobs) {
    TUTTI_CHECK(job.weight.cols == x.cols, "MatMul: the shapes do not fit");
    for (int64_t row = 0; row < job.weight.rows; row += kTaskRows) {
      tasks.push_back({&job, row, std::min(row + kTaskRows, job.weight.rows)});
    }
  }
  const size_t scratch_size = MatMulFloatScratch(x.cols);
  RunTasks(context.pool, static_cast<int64_t>(tasks.size()), [&](int member, int64_t index) {
    const Task& task = tasks[static_cast<size_t>(index)];
    float* scratch = context.workspace.Get<float>(member, Slot::kMatMulFloat, scratch_size);
    MatMulFloatRows(x, *task.job, task.begin, task.end, {scratch, scratch_size});
  });
}

}  // namespace tutti::kernels
