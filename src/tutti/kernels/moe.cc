#include "tutti/kernels/moe.h"

#include <algorithm>
#include <vector>

#include "tutti/base/check.h"
#include "tutti/base/checked_math.h"
#include "tutti/kernels/activation.h"
#include "tutti/kernels/matmul_float.h"
#include "tutti/kernels/parallel.h"
#include "tutti/kernels/q8_columns.h"

namespace tutti::kernels {
namespace {

// One step through the experts. What an expert does for one token has a `place`: place p is the
// p-th pair (token, slot) in the order of ExpertGroups; the shared experts' places follow, one per
// token. So what belongs to one expert lies together.
//
//   Prepare   activations quantised (and gathered, where weights are floats)
//   Gate      per expert and 32 inner rows: gate, up, activation, quantised again in place
//   Down      per 32 rows of the output: all experts in ascending order, weighted and added up
//
// Gate and Down are one fork and join each; Prepare is a third for long prompts only.
class MoeStep {
  static constexpr int64_t kManyHiddenBytes = int64_t{8} << 20;
  // Reading and unpacking weights takes as long as multiplying them with so many tokens.
  static constexpr int64_t kReadCost = 8;

 public:
  MoeStep(const Activations& x, const Routes& routes, const MoeJob& job, KernelContext& context)
      : x_(x), routes_(routes), job_(job), context_(context) {
    GroupByExpert(routes, static_cast<int64_t>(job.experts.size()), groups_);
    for (const int32_t id : groups_.active) {
      AddActive(job.experts[static_cast<size_t>(id)], groups_.offsets[static_cast<size_t>(id)],
                groups_.offsets[static_cast<size_t>(id) + 1]);
    }
    if (job.shared != nullptr) AddActive(*job.shared, routed_places(), places());
    TUTTI_CHECK(!active_.empty(), "a step without experts");
  }

  void Run() {
    Prepare();
    os::ThreadPool& pool = context_.pool;
    const std::vector<int64_t> ends = PlanGate(pool.team());
    RunShares(pool, ends, [&](int member, int64_t task) {
      const auto after =
          std::upper_bound(gate_ranges_.begin(), gate_ranges_.end(), task,
                           [](int64_t t, const GateRange& range) { return t < range.first_task; });
      const GateRange& range = *(after - 1);
      Gate(range, range.rows.begin + (task - range.first_task) * kPairRows, member);
    });
    // Each task reads all inner values: with more of them than caches hold, fewer tasks.
    const int tasks_per_member = hidden_bytes_ > kManyHiddenBytes ? 4 : 8;
    const RowTasks down(pool.team(), 1, x_.cols,
                        RowsPerTask(x_.cols, pool.size(), tasks_per_member));
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
    int64_t first_task = 0;          // of Gate
    bool gate_strips = false;        // gate and up take the int8 path
    bool down_strips = false;        // and down
    int64_t values_before = 0;       // inner values of the places before
    std::byte* hidden_q8 = nullptr;  // [places of this expert] rows of Layout(), if down_strips

    int64_t places() const { return end - begin; }
    int64_t inner() const { return weights->gate.rows; }
    Q8Layout Layout() const { return {inner()}; }
  };

  // Inner rows of an expert that belong to one node; a task of Gate has 32 of them.
  struct GateRange {
    const Active* expert = nullptr;
    RowRange rows;
    int64_t first_task = 0;
  };

  int64_t routed_places() const { return static_cast<int64_t>(groups_.pairs.size()); }
  int64_t places() const { return routed_places() + (job_.shared != nullptr ? x_.rows : 0); }
  int64_t TokenAt(int64_t place) const {
    if (place >= routed_places()) return place - routed_places();
    return groups_.pairs[static_cast<size_t>(place)] / routes_.slots;
  }
  float WeightAt(int64_t place) const {
    if (place < routed_places()) {
      return routes_.weights[static_cast<size_t>(groups_.pairs[static_cast<size_t>(place)])];
    }
    return job_.shared_weights == nullptr ? 1.0f : job_.shared_weights[place - routed_places()];
  }

  void AddActive(const ExpertWeights& w, int64_t begin, int64_t end) {
    TUTTI_CHECK(w.gate.cols == x_.cols && w.up.rows == w.gate.rows && w.up.cols == x_.cols &&
                    w.down.rows == x_.cols && w.down.cols == w.gate.rows,
                "MoeExperts: the shapes do not fit");
    Active expert;
    expert.weights = &w;
    expert.begin = begin;
    expert.end = end;
    expert.values_before = inner_values_;
    expert.gate_strips = !context_.exact && HasStrips(w.gate) && HasStrips(w.up);
    expert.down_strips = !context_.exact && HasStrips(w.down);
    inner_values_ += (end - begin) * expert.inner();
    if (expert.down_strips) hidden_bytes_ += (end - begin) * expert.Layout().row_bytes();
    (expert.gate_strips ? any_gate_strips_ : any_gate_float_) = true;
    if (!expert.down_strips) any_down_float_ = true;
    active_.push_back(expert);
  }

  float* Shared(Slot slot, int64_t floats) {
    return context_.workspace.Get<float>(Workspace::kShared, slot, static_cast<size_t>(floats));
  }

  void Prepare() {
    if (any_gate_strips_) {
      const Q8Columns tokens = QuantizeColumns(x_, Slot::kMoe, context_);
      columns_.resize(static_cast<size_t>(places()));
      for (int64_t p = 0; p < places(); ++p) {
        columns_[static_cast<size_t>(p)] = tokens.rows[static_cast<size_t>(TokenAt(p))];
      }
    }
    if (any_gate_float_) {
      gathered_ = Shared(Slot::kMoeGathered, routed_places() * x_.cols + 2 * inner_values_);
      gate_ = gathered_ + routed_places() * x_.cols;
      up_ = gate_ + inner_values_;
      for (int64_t p = 0; p < routed_places(); ++p) {
        std::copy_n(x_.Row(TokenAt(p)), x_.cols, gathered_ + p * x_.cols);
      }
    }
    if (any_down_float_) {
      hidden_ = Shared(Slot::kMoeHidden, inner_values_ + places() * x_.cols);
      down_ = hidden_ + inner_values_;
    }
    if (hidden_bytes_ == 0) return;
    std::byte* memory = context_.workspace.Get<std::byte>(Workspace::kShared, Slot::kMoeHiddenQ8,
                                                          static_cast<size_t>(hidden_bytes_));
    hidden_columns_.resize(static_cast<size_t>(places()));
    for (Active& expert : active_) {
      if (!expert.down_strips) continue;
      expert.hidden_q8 = memory;
      for (int64_t p = expert.begin; p < expert.end; ++p) {
        hidden_columns_[static_cast<size_t>(p)] = memory;
        memory += expert.Layout().row_bytes();
      }
    }
  }

  // Returns where each member's tasks end. Experts of many tokens come first, so that what is left
  // at the end are small tasks; with one token each (decoding) they stay in the order of their ids,
  // in which their weights lie.
  std::vector<int64_t> PlanGate(const os::Team& team) {
    std::vector<const Active*> heaviest_first;
    for (const Active& expert : active_) heaviest_first.push_back(&expert);
    std::stable_sort(heaviest_first.begin(), heaviest_first.end(),
                     [](const Active* a, const Active* b) { return a->places() > b->places(); });
    std::vector<int64_t> ends;
    std::vector<TaskGroup> groups;
    int64_t tasks = 0;
    for (size_t n = 0; n < team.nodes.size(); ++n) {
      groups.clear();
      const int64_t first = tasks;
      for (const Active* expert : heaviest_first) {
        const RowRange rows = RowsOfNode(expert->inner(), team, n);
        if (rows.begin == rows.end) continue;
        gate_ranges_.push_back({expert, rows, tasks});
        groups.push_back({DivCeil(rows.end - rows.begin, kPairRows), kReadCost + expert->places()});
        tasks += groups.back().tasks;
      }
      DealByCost(groups, first, team.nodes[n].members, ends);
    }
    return ends;
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
  void Gate(const GateRange& range, int64_t row, int member) {
    const Active& expert = *range.expert;
    const ExpertWeights& w = *expert.weights;
    const int64_t rows = std::min(kPairRows, range.rows.end - row);
    if (!expert.gate_strips) return GateFloat(expert, row, rows, member);
    StripPairBuffer* buffer = context_.workspace.Get<StripPairBuffer>(member, Slot::kMatMul, 1);
    float* gate = Sums(member);
    float* up = gate + kColumnBlock * kPairRows;
    for (int64_t begin = expert.begin; begin < expert.end; begin += kColumnBlock) {
      const int64_t end = std::min<int64_t>(begin + kColumnBlock, expert.end);
      const auto columns = Columns(columns_, begin, end);
      MultiplyPair(*context_.strips, w.gate, row, columns, *buffer, gate, RowOf(w.up, row));
      MultiplyPair(*context_.strips, w.up, row, columns, *buffer, up, AfterGate(range, row));
      const int64_t count = end - begin;
      if (w.gate_bias != nullptr) AddBias(w.gate_bias + row, rows, count, gate);
      if (w.up_bias != nullptr) AddBias(w.up_bias + row, rows, count, up);
      Activate(count * kPairRows, gate, up);
      KeepHidden(expert, begin, count, row, rows, gate, kPairRows);
    }
  }

  void GateFloat(const Active& expert, int64_t row, int64_t rows, int member) {
    const ExpertWeights& w = *expert.weights;
    const int64_t inner = expert.inner();
    const int64_t count = expert.end - expert.begin;
    Activations in = x_;
    if (expert.begin < routed_places()) {
      in = {gathered_ + expert.begin * x_.cols, count, x_.cols, x_.cols};
    }
    const std::span<float> scratch = FloatScratch(member, x_.cols);
    float* gate = gate_ + expert.values_before;
    float* up = up_ + expert.values_before;
    MatMulFloatRows(in, {w.gate, w.gate_bias, gate, inner}, row, row + rows, scratch);
    MatMulFloatRows(in, {w.up, w.up_bias, up, inner}, row, row + rows, scratch);
    for (int64_t i = 0; i < count; ++i)
      Activate(rows, gate + i * inner + row, up + i * inner + row);
    KeepHidden(expert, expert.begin, count, row, rows, gate + row, inner);
  }

  static const std::byte* RowOf(const tensor::WeightView& w, int64_t row) {
    return w.data + row * w.row_stride_bytes;
  }
  // What the task after Gate(range, row) begins with.
  const std::byte* AfterGate(const GateRange& range, int64_t row) const {
    if (row + kPairRows < range.rows.end)
      return RowOf(range.expert->weights->gate, row + kPairRows);
    const GateRange* next = &range + 1;
    if (next >= gate_ranges_.data() + gate_ranges_.size()) return nullptr;
    return RowOf(next->expert->weights->gate, next->rows.begin);
  }

  // To each of `count` columns of sums.
  static void AddBias(const float* bias, int64_t rows, int64_t count, float* sums) {
    for (int64_t c = 0; c < count; ++c, sums += kPairRows) {
      for (int64_t r = 0; r < rows; ++r) sums[r] += bias[r];
    }
  }

  // Into `gate`.
  void Activate(int64_t count, float* gate, const float* up) const {
    const std::span<float> values(gate, static_cast<size_t>(count));
    GatedActivation(job_.activation, job_.swiglu_limit, values, {up, values.size()}, values);
  }

  // Inner values [row, row + rows) of `count` places from `place` on, `stride` floats apart.
  void KeepHidden(const Active& expert, int64_t place, int64_t count, int64_t row, int64_t rows,
                  const float* values, int64_t stride) {
    if (!expert.down_strips) {
      float* to = hidden_ + expert.values_before + (place - expert.begin) * expert.inner() + row;
      for (int64_t i = 0; i < count; ++i) {
        std::copy_n(values + i * stride, rows, to + i * expert.inner());
      }
      return;
    }
    const Q8Layout layout = expert.Layout();
    QuantizeQ8Rows(values, stride, count, layout, row, SumsOf(FormOf(expert.weights->down.dtype)),
                   expert.hidden_q8 + (place - expert.begin) * layout.row_bytes());
  }

  // Rows [begin, end) of the output, for all tokens.
  void Down(int64_t begin, int64_t end, int member) {
    for (int64_t t = 0; t < x_.rows; ++t) {
      std::fill(job_.out + t * job_.out_stride + begin, job_.out + t * job_.out_stride + end, 0.0f);
    }
    for (const Active& expert : active_) {
      if (!expert.down_strips) {
        DownFloat(expert, begin, end, member);
        continue;
      }
      for (int64_t row = begin; row < end; row += kPairRows) {
        const Active* next = &expert + 1;
        const std::byte* after = nullptr;  // the next pair of this expert
        if (row + kPairRows >= end && next < active_.data() + active_.size()) {
          after = RowOf(next->weights->down, begin);
        }
        DownPair(expert, row, std::min(kPairRows, end - row), after, member);
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
      for (int64_t p = begin; p < end; ++p) PrefetchOut(p, row, rows);
      MultiplyPair(*context_.strips, w.down, row, Columns(hidden_columns_, begin, end), *buffer,
                   sums, after);
      if (w.down_bias != nullptr) AddBias(w.down_bias + row, rows, end - begin, sums);
      for (int64_t p = begin; p < end; ++p) {
        AddWeighted(p, row, rows, sums + (p - begin) * kPairRows);
      }
    }
  }

  void DownFloat(const Active& expert, int64_t begin, int64_t end, int member) {
    const int64_t inner = expert.inner();
    const Activations in{hidden_ + expert.values_before, expert.end - expert.begin, inner, inner};
    const ExpertWeights& w = *expert.weights;
    MatMulFloatRows(in, {w.down, w.down_bias, down_ + expert.begin * x_.cols, x_.cols}, begin, end,
                    FloatScratch(member, inner));
    for (int64_t p = expert.begin; p < expert.end; ++p) {
      AddWeighted(p, begin, end - begin, down_ + p * x_.cols + begin);
    }
  }

  // Asks for what AddWeighted will add to: a prompt's output is larger than the second-level cache,
  // and its rows lie a power of two apart.
  void PrefetchOut(int64_t place, int64_t row, int64_t rows) const {
    constexpr int64_t kLine = 64 / sizeof(float);
    const float* out = job_.out + TokenAt(place) * job_.out_stride + row;
    for (int64_t i = 0; i < rows; i += kLine) __builtin_prefetch(out + i, 1);
  }

  void AddWeighted(int64_t place, int64_t row, int64_t rows, const float* values) {
    const float weight = WeightAt(place);
    float* out = job_.out + TokenAt(place) * job_.out_stride + row;
    if (rows == kPairRows) {  // nearly always; the compiler knows what to do with a constant
      for (int64_t i = 0; i < kPairRows; ++i) out[i] += weight * values[i];
    } else {
      for (int64_t i = 0; i < rows; ++i) out[i] += weight * values[i];
    }
  }

  const Activations& x_;
  const Routes& routes_;
  const MoeJob& job_;
  KernelContext& context_;
  ExpertGroups groups_;
  std::vector<Active> active_;          // ascending ids, the shared ones last
  std::vector<GateRange> gate_ranges_;  // ascending tasks
  int64_t inner_values_ = 0;            // of all places
  int64_t hidden_bytes_ = 0;
  bool any_gate_strips_ = false;
  bool any_gate_float_ = false;
  bool any_down_float_ = false;

  std::vector<const std::byte*> columns_;         // [places], the tokens' quantised rows
  std::vector<const std::byte*> hidden_columns_;  // [places]
  float* gathered_ = nullptr;                     // [routed places][dim]
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
