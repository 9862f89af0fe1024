#include "tutti/kernels/moe.h"

#include <algorithm>
#include <cstring>

#include "tutti/base/check.h"
#include "tutti/kernels/activation.h"
#include "tutti/kernels/elementwise.h"

namespace tutti::kernels {

void MoeExperts(const Activations& x, const Routes& routes, const MoeJob& job,
                KernelContext& context) {
  TUTTI_CHECK(routes.tokens == x.rows, "MoeExperts: routes of another step");
  ExpertGroups groups;
  GroupByExpert(routes, static_cast<int64_t>(job.experts.size()), groups);
  for (int64_t t = 0; t < x.rows; ++t) std::fill_n(job.out + t * job.out_stride, x.cols, 0.0f);
  const size_t dim = static_cast<size_t>(x.cols);
  for (const int32_t id : groups.active) {
    const ExpertWeights& expert = job.experts[static_cast<size_t>(id)];
    const int64_t begin = groups.offsets[static_cast<size_t>(id)];
    const int64_t rows = groups.offsets[static_cast<size_t>(id) + 1] - begin;
    const int64_t inner = expert.gate.rows;
    const size_t n = static_cast<size_t>(rows);
    float* gathered = context.workspace.Get<float>(Workspace::kShared, Slot::kMoe,
                                                   n * (2 * dim + 2 * static_cast<size_t>(inner)));
    float* gate = gathered + n * dim;
    float* up = gate + rows * inner;
    float* down = up + rows * inner;
    for (int64_t i = 0; i < rows; ++i) {
      const int64_t token = groups.pairs[static_cast<size_t>(begin + i)] / routes.slots;
      std::memcpy(gathered + i * x.cols, x.Row(token), dim * sizeof(float));
    }
    const MatMulJob first[] = {{expert.gate, expert.gate_bias, gate, inner},
                               {expert.up, expert.up_bias, up, inner}};
    MatMul({gathered, rows, x.cols, x.cols}, first, context);
    GatedActivationRows(job.activation, job.swiglu_limit, gate, up, rows, inner, inner, gate, inner,
                        context);
    const MatMulJob second[] = {{expert.down, expert.down_bias, down, x.cols}};
    MatMul({gate, rows, inner, inner}, second, context);
    for (int64_t i = 0; i < rows; ++i) {
      const int32_t pair = groups.pairs[static_cast<size_t>(begin + i)];
      AddScaledTo({down + i * x.cols, dim}, routes.weights[static_cast<size_t>(pair)],
                  {job.out + pair / routes.slots * job.out_stride, dim});
    }
  }
}

}  // namespace tutti::kernels
