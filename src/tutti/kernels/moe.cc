#include "tutti/kernels/moe.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "tutti/base/check.h"
#include "tutti/base/checked_math.h"
#include "tutti/kernels/activation.h"
#include "tutti/kernels/matmul_float.h"
#include "tutti/kernels/parallel.h"
#include "tutti/kernels/q8_columns.h"

namespace tutti::kernels {
namespace {

// One step through the experts. Tokens stand in the order of ExpertGroups: `place` p is the p-th
// pair (token, slot) in the order of experts, and what belongs to one expert lies together.
//
//   Prepare   activations quantised (and gathered, where weights are floats)
//   Gate      per expert and 32 inner rows: gate, up, activation, quantised again in place
//   Down      per 32 rows of the output: all experts in ascending order, weighted and added up
//
// Gate and Down are one fork and join each; Prepare is a third for long prompts only.
class MoeStep {
 public:
  MoeStep(const Activations& x, const Routes& routes, const MoeJob& job, KernelContext& context)
      : x_(x), routes_(routes), job_(job), context_(context) {
    GroupByExpert(routes, static_cast<int64_t>(job.experts.size()), groups_);
    TUTTI_CHECK(!groups_.active.empty(), "a step without tokens");
    inner_ = job.experts[static_cast<size_t>(groups_.active.front())].gate.rows;
    for (const int32_t id : groups_.active) AddActive(id);
  }

  void Run() {
    Prepare();
    os::ThreadPool& pool = context_.pool;
    const RowTasks gate(pool.team(), std::ssize(active_), inner_, kPairRows);
    RunTasks(pool, gate.ends(), [&](int member, int64_t index) {
      const RowTasks::Task task = gate[index];
      Gate(active_[static_cast<size_t>(task.matrix)], task.begin, member);
    });
    const RowTasks down(pool.team(), 1, x_.cols, RowsPerTask(x_.cols, pool.size()));
    RunTasks(pool, down.ends(), [&](int member, int64_t index) {
      const RowTasks::Task task = down[index];
      Down(task.begin, task.end, member);
    });
  }

 private:
  struct Active {
    const ExpertWeights* weights = nullptr;
    int64_t begin = 0;  // places
    int64_t end = 0;
    bool gate_strips = false;  // gate and up take the int8 path
    bool down_strips = false;
  };

  void AddActive(int32_t id) {
    const ExpertWeights& w = job_.experts[static_cast<size_t>(id)];
    TUTTI_CHECK(w.gate.rows == inner_ && w.up.rows == inner_ && w.gate.cols == x_.cols &&
                    w.up.cols == x_.cols && w.down.rows == x_.cols && w.down.cols == inner_,
                "MoeExperts: the shapes do not fit");
    Active expert;
    expert.weights = &w;
    expert.begin = groups_.offsets[static_cast<size_t>(id)];
    expert.end = groups_.offsets[static_cast<size_t>(id) + 1];
    expert.gate_strips = !context_.exact && HasStrips(w.gate) && HasStrips(w.up);
    expert.down_strips = !context_.exact && HasStrips(w.down);
    (expert.gate_strips ? any_gate_strips_ : any_gate_float_) = true;
    (expert.down_strips ? any_down_strips_ : any_down_float_) = true;
    active_.push_back(expert);
  }

  int64_t places() const { return static_cast<int64_t>(groups_.pairs.size()); }
  int64_t TokenAt(int64_t place) const {
    return groups_.pairs[static_cast<size_t>(place)] / routes_.slots;
  }
  float* Shared(Slot slot, int64_t floats) {
    return context_.workspace.Get<float>(Workspace::kShared, slot, static_cast<size_t>(floats));
  }

  void Prepare() {
    if (any_gate_strips_) {
      const Q8Columns tokens = QuantizeColumns(x_, Slot::kMoe, context_);
      columns_.resize(groups_.pairs.size());
      for (int64_t p = 0; p < places(); ++p) {
        columns_[static_cast<size_t>(p)] = tokens.rows[static_cast<size_t>(TokenAt(p))];
      }
    }
    if (any_gate_float_) {
      gathered_ = Shared(Slot::kMoeGathered, places() * (x_.cols + 2 * inner_));
      gate_ = gathered_ + places() * x_.cols;
      up_ = gate_ + places() * inner_;
      for (int64_t p = 0; p < places(); ++p) {
        std::memcpy(gathered_ + p * x_.cols, x_.Row(TokenAt(p)),
                    static_cast<size_t>(x_.cols) * sizeof(float));
      }
    }
    if (any_down_strips_) {
      hidden_layout_.cols = inner_;
      std::byte* memory = context_.workspace.Get<std::byte>(
          Workspace::kShared, Slot::kMoeHiddenQ8,
          static_cast<size_t>(places() * hidden_layout_.row_bytes()));
      for (int64_t p = 0; p < places(); ++p) {
        hidden_rows_.push_back(memory + p * hidden_layout_.row_bytes());
      }
      hidden_columns_.assign(hidden_rows_.begin(), hidden_rows_.end());
    }
    if (any_down_float_) {
      hidden_ = Shared(Slot::kMoeHidden, places() * (inner_ + x_.cols));
      down_ = hidden_ + places() * inner_;
    }
  }

  // Memory of a member: sums of gate (or down) and of up, [kColumnBlock][kPairRows] each.
  float* Sums(int member) {
    return context_.workspace.Get<float>(member, Slot::kMoeSums, 2 * kColumnBlock * kPairRows);
  }
  std::span<const std::byte* const> Columns(const std::vector<const std::byte*>& all, int64_t begin,
                                            int64_t end) const {
    return std::span(all).subspan(static_cast<size_t>(begin), static_cast<size_t>(end - begin));
  }
  std::span<float> FloatScratch(int member, int64_t cols) {
    const size_t count = MatMulFloatScratch(cols);
    return {context_.workspace.Get<float>(member, Slot::kMatMulFloat, count), count};
  }

  // Inner rows [row, row + 32) of one expert, for all its tokens.
  void Gate(const Active& expert, int64_t row, int member) {
    const ExpertWeights& w = *expert.weights;
    const int64_t rows = std::min(kPairRows, inner_ - row);
    if (!expert.gate_strips) {
      const Activations in{gathered_ + expert.begin * x_.cols, expert.end - expert.begin, x_.cols,
                           x_.cols};
      const std::span<float> scratch = FloatScratch(member, x_.cols);
      float* gate = gate_ + expert.begin * inner_;
      float* up = up_ + expert.begin * inner_;
      MatMulFloatRows(in, {w.gate, w.gate_bias, gate, inner_}, row, row + rows, scratch);
      MatMulFloatRows(in, {w.up, w.up_bias, up, inner_}, row, row + rows, scratch);
      for (int64_t p = expert.begin; p < expert.end; ++p) {
        Activate(expert, p, row, rows, gate_ + p * inner_ + row, up_ + p * inner_ + row);
      }
      return;
    }
    StripPairBuffer* buffer = context_.workspace.Get<StripPairBuffer>(member, Slot::kMatMul, 1);
    float* gate = Sums(member);
    float* up = gate + kColumnBlock * kPairRows;
    for (int64_t begin = expert.begin; begin < expert.end; begin += kColumnBlock) {
      const int64_t end = std::min<int64_t>(begin + kColumnBlock, expert.end);
      const auto columns = Columns(columns_, begin, end);
      MultiplyPair(*context_.strips, w.gate, row, columns, *buffer, gate, RowOf(w.up, row));
      MultiplyPair(*context_.strips, w.up, row, columns, *buffer, up, AfterGate(expert, row));
      for (int64_t i = 0; i < end - begin; ++i) {
        float* g = gate + i * kPairRows;
        float* u = up + i * kPairRows;
        if (w.gate_bias != nullptr) AddBias(w.gate_bias + row, rows, g);
        if (w.up_bias != nullptr) AddBias(w.up_bias + row, rows, u);
        Activate(expert, begin + i, row, rows, g, u);
      }
    }
  }

  static const std::byte* RowOf(const tensor::WeightView& w, int64_t row) {
    return w.data + row * w.row_stride_bytes;
  }
  // What the task after Gate(expert, row) begins with.
  const std::byte* AfterGate(const Active& expert, int64_t row) const {
    if (row + kPairRows < inner_) return RowOf(expert.weights->gate, row + kPairRows);
    const Active* next = &expert + 1;
    return next < active_.data() + active_.size() ? RowOf(next->weights->gate, 0) : nullptr;
  }

  static void AddBias(const float* bias, int64_t count, float* out) {
    for (int64_t i = 0; i < count; ++i) out[i] += bias[i];
  }

  // Inner values [row, row + rows) of one place from gate and up; `gate` is overwritten.
  void Activate(const Active& expert, int64_t place, int64_t row, int64_t rows, float* gate,
                const float* up) {
    const std::span<float> values(gate, static_cast<size_t>(rows));
    GatedActivation(job_.activation, job_.swiglu_limit, values, {up, values.size()}, values);
    if (expert.down_strips) {
      QuantizeQ8(values, hidden_layout_, row, hidden_rows_[static_cast<size_t>(place)]);
    } else {
      std::copy(values.begin(), values.end(), hidden_ + place * inner_ + row);
    }
  }

  // Rows [begin, end) of the output, for all tokens.
  void Down(int64_t begin, int64_t end, int member) {
    for (int64_t t = 0; t < x_.rows; ++t) {
      std::fill(job_.out + t * job_.out_stride + begin, job_.out + t * job_.out_stride + end, 0.0f);
    }
    for (const Active& expert : active_) {
      if (expert.down_strips) {
        for (int64_t row = begin; row < end; row += kPairRows) {
          const Active* next = &expert + 1;
          const std::byte* after = nullptr;  // the next pair of this expert
          if (row + kPairRows >= end && next < active_.data() + active_.size()) {
            after = RowOf(next->weights->down, begin);
          }
          DownPair(expert, row, std::min(kPairRows, end - row), after, member);
        }
        continue;
      }
      const Activations in{hidden_ + expert.begin * inner_, expert.end - expert.begin, inner_,
                           inner_};
      const ExpertWeights& w = *expert.weights;
      MatMulFloatRows(in, {w.down, w.down_bias, down_ + expert.begin * x_.cols, x_.cols}, begin,
                      end, FloatScratch(member, inner_));
      for (int64_t p = expert.begin; p < expert.end; ++p) {
        AddWeighted(p, begin, end - begin, down_ + p * x_.cols + begin);
      }
    }
  }

  void DownPair(const Active& expert, int64_t row, int64_t rows, const std::byte* after,
                int member) {
    const ExpertWeights& w = *expert.weights;
    StripPairBuffer* buffer = context_.workspace.Get<StripPairBuffer>(member, Slot::kMatMul, 1);
    float* sums = Sums(member);
    for (int64_t begin = expert.begin; begin < expert.end; begin += kColumnBlock) {
      const int64_t end = std::min<int64_t>(begin + kColumnBlock, expert.end);
      MultiplyPair(*context_.strips, w.down, row, Columns(hidden_columns_, begin, end), *buffer,
                   sums, after);
      for (int64_t i = 0; i < end - begin; ++i) {
        if (w.down_bias != nullptr) AddBias(w.down_bias + row, rows, sums + i * kPairRows);
        AddWeighted(begin + i, row, rows, sums + i * kPairRows);
      }
    }
  }

  void AddWeighted(int64_t place, int64_t row, int64_t rows, const float* values) {
    const float weight =
        routes_.weights[static_cast<size_t>(groups_.pairs[static_cast<size_t>(place)])];
    float* out = job_.out + TokenAt(place) * job_.out_stride + row;
    for (int64_t i = 0; i < rows; ++i) out[i] += weight * values[i];
  }

  const Activations& x_;
  const Routes& routes_;
  const MoeJob& job_;
  KernelContext& context_;
  int64_t inner_ = 0;
  ExpertGroups groups_;
  std::vector<Active> active_;  // ascending ids
  bool any_gate_strips_ = false;
  bool any_gate_float_ = false;
  bool any_down_strips_ = false;
  bool any_down_float_ = false;

  std::vector<const std::byte*> columns_;  // [places], the tokens' quantised rows
  Q8Layout hidden_layout_;
  std::vector<std::byte*> hidden_rows_;           // [places]
  std::vector<const std::byte*> hidden_columns_;  // the same, to be read
  float* gathered_ = nullptr;                     // [places][dim]
  float* gate_ = nullptr;                         // [places][inner]
  float* up_ = nullptr;                           // [places][inner]
  float* hidden_ = nullptr;                       // [places][inner]
  float* down_ = nullptr;                         // [places][dim]
};

}  // namespace

void MoeExperts(const Activations& x, const Routes& routes, const MoeJob& job,
                KernelContext& context) {
  TUTTI_CHECK(routes.tokens == x.rows, "MoeExperts: routes of another step");
  if (x.rows == 0) return;
  MoeStep(x, routes, job, context).Run();
}

}  // namespace tutti::kernels
