// The experts of a layer in the shape of Qwen3-30B-A3B (8 of 128 experts of 768, width 2,048), by
// format and number of tokens, against the machine's limits.
//
// In "skewed" every token goes to the last expert, the other seven are drawn.
//
// of_read counts every touched expert once, of_int8 the multiply-adds of all pairs (token, expert).
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <cmath>
#include <set>
#include <vector>

#include "bench_limits.h"
#include "tutti/base/rng.h"
#include "tutti/kernels/activation.h"
#include "tutti/kernels/moe.h"
#include "tutti/tensor/decode.h"
#include "tutti/tensor/random_blocks.h"

namespace tutti::bench {
namespace {

constexpr int64_t kDim = 2048;
constexpr int64_t kInner = 768;
constexpr int64_t kExperts = 128;
constexpr int64_t kSlots = 8;
constexpr int32_t kHeaviest = kExperts - 1;  // where routing is skewed: the last one in order

class Experts {
 public:
  explicit Experts(DType dtype) : dtype_(dtype) {
    const int64_t bytes = 3 * MatrixBytes(kInner, kDim);
    bytes_.resize(static_cast<size_t>(bytes * kExperts));
    Rng rng(1);
    tensor::FillRandom(dtype, 0.03f, rng, bytes_);
    const std::byte* at = bytes_.data();
    for (int64_t e = 0; e < kExperts; ++e) {
      kernels::ExpertWeights expert;
      expert.gate = Take(kInner, kDim, at);
      expert.up = Take(kInner, kDim, at);
      expert.down = Take(kDim, kInner, at);
      views_.push_back(expert);
    }
  }
  const std::vector<kernels::ExpertWeights>& views() const { return views_; }
  int64_t bytes_of_one() const { return static_cast<int64_t>(bytes_.size()) / kExperts; }

 private:
  int64_t MatrixBytes(int64_t rows, int64_t cols) const {
    const DTypeInfo& info = InfoOf(dtype_);
    return rows * cols / info.block_size * info.block_bytes;
  }
  tensor::WeightView Take(int64_t rows, int64_t cols, const std::byte*& at) const {
    tensor::WeightView view;
    view.dtype = dtype_;
    view.rows = rows;
    view.cols = cols;
    view.row_stride_bytes = MatrixBytes(1, cols);
    view.data = at;
    at += MatrixBytes(rows, cols);
    return view;
  }

  DType dtype_;
  std::vector<std::byte> bytes_;
  std::vector<kernels::ExpertWeights> views_;
};

// Every token draws its own experts, the first of them only if not skewed; with `tokens` many, all
// are touched.
kernels::Routes RandomRoutes(int64_t tokens, bool skewed) {
  kernels::Routes routes{.tokens = tokens, .slots = kSlots, .experts = {}, .weights = {}};
  Rng rng(2);
  for (int64_t t = 0; t < tokens; ++t) {
    std::set<int32_t> chosen;
    if (skewed) chosen.insert(kHeaviest);
    while (std::ssize(chosen) < kSlots) {
      chosen.insert(static_cast<int32_t>(rng.NextU64() % kExperts));
    }
    for (const int32_t id : chosen) {
      routes.experts.push_back(id);
      routes.weights.push_back(1.0f / kSlots);
    }
  }
  return routes;
}

std::vector<double> Product(const tensor::WeightView& w, const std::vector<double>& x) {
  std::vector<double> out;
  std::vector<float> row(static_cast<size_t>(w.cols));
  for (int64_t r = 0; r < w.rows; ++r) {
    tensor::DecodeRow(w, r, row);
    double sum = 0;
    for (size_t c = 0; c < row.size(); ++c) sum += row[c] * x[c];
    out.push_back(sum);
  }
  return out;
}

// One token in double arithmetic on decoded weights: within the error of 8 bits.
bool IsRight(const Experts& experts, const kernels::Routes& routes, int64_t token,
             const std::vector<float>& x, const std::vector<float>& all) {
  const std::vector<double> in(x.begin() + token * kDim, x.begin() + (token + 1) * kDim);
  const float* out = all.data() + token * kDim;
  std::vector<double> sum(kDim);
  for (int64_t slot = token * kSlots; slot < (token + 1) * kSlots; ++slot) {
    const auto pair = static_cast<size_t>(slot);
    const kernels::ExpertWeights& e = experts.views()[static_cast<size_t>(routes.experts[pair])];
    std::vector<double> hidden = Product(e.gate, in);
    const std::vector<double> up = Product(e.up, in);
    for (size_t i = 0; i < hidden.size(); ++i) {
      hidden[i] = kernels::GatedActivationReference(Activation::kSilu, 0, hidden[i], up[i]);
    }
    const std::vector<double> down = Product(e.down, hidden);
    for (size_t i = 0; i < sum.size(); ++i) sum[i] += routes.weights[pair] * down[i];
  }
  double error = 0;
  double size = 0;
  for (size_t i = 0; i < sum.size(); ++i) {
    error += std::pow(sum[i] - out[i], 2);
    size += sum[i] * sum[i];
  }
  return std::sqrt(error / size) < 0.03;
}

void Run(benchmark::State& state, DType dtype, bool skewed) {
  const Experts experts(dtype);
  const int64_t tokens = state.range(0);
  kernels::KernelContext context{Pool()};
  Rng rng(3);
  std::vector<float> x(static_cast<size_t>(tokens * kDim)), out(x.size());
  for (float& v : x) v = static_cast<float>(rng.NextDouble() * 2 - 1);
  const kernels::Routes routes = RandomRoutes(tokens, skewed);
  const kernels::MoeJob job{.experts = experts.views(), .out = out.data(), .out_stride = kDim};
  const kernels::Activations in{x.data(), tokens, kDim, kDim};
  kernels::MoeExperts(in, routes, job, context);
  for (const int64_t token : {int64_t{0}, tokens - 1}) {
    if (!IsRight(experts, routes, token, x, out)) {
      state.SkipWithError("wrong answer");
      return;
    }
  }
  for (auto _ : state) kernels::MoeExperts(in, routes, job, context);
  const double calls = static_cast<double>(state.iterations());
  const std::set<int32_t> touched(routes.experts.begin(), routes.experts.end());
  const double bytes = static_cast<double>(std::ssize(touched) * experts.bytes_of_one()) * calls;
  const double operations = 2.0 * 3 * kDim * kInner * static_cast<double>(tokens * kSlots) * calls;
  using Counter = benchmark::Counter;
  state.counters["experts"] = static_cast<double>(touched.size());
  CountRead(state, bytes);
  state.counters["of_int8"] = Counter(operations / 1e9 / Limits().int8_gops, Counter::kIsRate);
}

}  // namespace
}  // namespace tutti::bench

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 64;
  using tutti::DType;
  for (const DType dtype : {DType::kQ4_K, DType::kQ6_K, DType::kQ8_0, DType::kMXFP4}) {
    auto* registered = benchmark::RegisterBenchmark(
        fmt::format("{}/tokens", NameOf(dtype)).c_str(),
        [=](benchmark::State& state) { tutti::bench::Run(state, dtype, false); });
    registered->UseRealTime()->MinTime(0.2)->Unit(benchmark::kMicrosecond);
    for (const int64_t tokens : {1, 4, 16, 64, 512}) registered->Arg(tokens);
  }
  benchmark::RegisterBenchmark(
      "Q4_K/skewed/tokens",
      [](benchmark::State& state) { tutti::bench::Run(state, DType::kQ4_K, true); })
      ->UseRealTime()
      ->MinTime(0.2)
      ->Unit(benchmark::kMicrosecond)
      ->Arg(64)
      ->Arg(512);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
