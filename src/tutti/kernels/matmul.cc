#include "tutti/kernels/matmul.h"

#include <algorithm>

#include "tutti/base/check.h"
#include "tutti/kernels/dot.h"
#include "tutti/kernels/parallel.h"
#include "tutti/tensor/decode.h"

namespace tutti::kernels {
namespace {

// Rows of weights per task: enough work to be worth handing out.
constexpr int64_t kTaskRows = 16;

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
  const size_t cols = static_cast<size_t>(x.cols);
  RunTasks(context.pool, static_cast<int64_t>(tasks.size()), [&](int member, int64_t index) {
    const Task& task = tasks[static_cast<size_t>(index)];
    const MatMulJob& job = *task.job;
    float* row = context.workspace.Get<float>(member, Slot::kMatMulFloat, cols);
    for (int64_t r = task.begin; r < task.end; ++r) {
      tensor::DecodeRow(job.weight, r, {row, cols});
      const float bias = job.bias != nullptr ? job.bias[r] : 0;
      for (int64_t t = 0; t < x.rows; ++t) {
        job.out[t * job.out_stride + r] = Dot({row, cols}, {x.Row(t), cols}) + bias;
      }
    }
  });
}

}  // namespace tutti::kernels
