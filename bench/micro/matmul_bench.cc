// Quantised products by format and number of columns, against the machine's limits.
//
//   micro.matmul --benchmark_filter=Q4_K --benchmark_repetitions=5
//   --benchmark_report_aggregates_only
//
// Columns of the output: GB/s of weights and GOPS; of_read and of_int8 are shares of the limits
// measured at the start of the same run. The matrices are larger than the caches together, so one
// column reads memory.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <cmath>
#include <string>
#include <vector>

#include "bench_limits.h"
#include "tutti/base/rng.h"
#include "tutti/kernels/matmul.h"
#include "tutti/tensor/decode.h"
#include "tutti/tensor/random_blocks.h"

namespace tutti::bench {
namespace {

constexpr int64_t kCols = 2048;
constexpr int64_t kRows = 8192;
// Several matrices in turn: 8 of Q4_K are 75 MB.
constexpr int64_t kMatrices = 8;

class Weights {
 public:
  explicit Weights(DType dtype) {
    const DTypeInfo& info = InfoOf(dtype);
    Rng rng(1);
    const int64_t row_bytes = kCols / info.block_size * info.block_bytes;
    bytes_.resize(static_cast<size_t>(row_bytes * kRows * kMatrices));
    tensor::FillRandom(dtype, 0.05f, rng, bytes_);
    for (int64_t i = 0; i < kMatrices; ++i) {
      tensor::WeightView view;
      view.dtype = dtype;
      view.rows = kRows;
      view.cols = kCols;
      view.row_stride_bytes = row_bytes;
      view.data = bytes_.data() + i * kRows * row_bytes;
      views_.push_back(view);
    }
  }
  const tensor::WeightView& operator[](int64_t i) const {
    return views_[static_cast<size_t>(i % kMatrices)];
  }

 private:
  std::vector<std::byte> bytes_;
  std::vector<tensor::WeightView> views_;
};

// Some rows of one column against double arithmetic on the decoded weights: within the error of 8
// bits.
bool IsRight(const tensor::WeightView& w, const float* x, const float* out) {
  double error = 0;
  double size = 0;
  std::vector<float> row(kCols);
  for (int64_t r = 0; r < kRows; r += 509) {
    tensor::DecodeRow(w, r, row);
    double sum = 0;
    for (size_t c = 0; c < row.size(); ++c) sum += static_cast<double>(row[c]) * x[c];
    error += std::pow(sum - out[r], 2);
    size += sum * sum;
  }
  return std::sqrt(error / size) < 0.02;
}

void Run(benchmark::State& state, DType dtype, const kernels::StripIsa* isa) {
  const Weights weights(dtype);
  const int64_t columns = state.range(0);
  kernels::KernelContext context{Pool()};
  context.strips = isa;
  Rng rng(2);
  std::vector<float> x(static_cast<size_t>(columns * kCols));
  for (float& v : x) v = static_cast<float>(rng.NextDouble() * 2 - 1);
  std::vector<float> out(static_cast<size_t>(columns * kRows));
  const auto multiply = [&](int64_t i) {
    const kernels::MatMulJob job{weights[i], nullptr, out.data(), kRows};
    kernels::MatMul({x.data(), columns, kCols, kCols}, {&job, 1}, context);
  };
  multiply(0);
  for (const int64_t column : {int64_t{0}, columns - 1}) {
    if (!IsRight(weights[0], x.data() + column * kCols, out.data() + column * kRows)) {
      state.SkipWithError("wrong answer");
      return;
    }
  }
  int64_t i = 0;
  for (auto _ : state) multiply(i++);
  const double calls = static_cast<double>(state.iterations());
  const double bytes = static_cast<double>(weights[0].ReadBytes()) * calls;
  const double operations = 2.0 * kRows * kCols * static_cast<double>(columns) * calls;
  using Counter = benchmark::Counter;
  state.counters["GB/s"] = Counter(bytes / 1e9, Counter::kIsRate);
  state.counters["GOPS"] = Counter(operations / 1e9, Counter::kIsRate);
  CountRead(state, bytes);
  state.counters["of_int8"] = Counter(operations / 1e9 / Limits().int8_gops, Counter::kIsRate);
}

void RegisterAll() {
  for (const DType dtype : {DType::kQ4_K, DType::kQ8_0, DType::kQ6_K, DType::kQ5_K, DType::kQ4_0,
                            DType::kQ4_1, DType::kQ5_0, DType::kQ5_1, DType::kQ3_K, DType::kQ2_K,
                            DType::kIQ4_NL, DType::kIQ4_XS, DType::kMXFP4}) {
    for (const kernels::StripIsa* isa : kernels::SupportedStripIsas()) {
      const std::string name = fmt::format("{}/{}", NameOf(dtype), isa->name);
      auto* registered = benchmark::RegisterBenchmark(
          name.c_str(), [=](benchmark::State& state) { Run(state, dtype, isa); });
      registered->UseRealTime()->MinTime(0.2)->Unit(benchmark::kMicrosecond);
      for (const int64_t columns : {1, 4, 16, 64, 512}) registered->Arg(columns);
    }
  }
}

}  // namespace
}  // namespace tutti::bench

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 64;
  const auto& limits = tutti::bench::Limits();
  fmt::print("limits on {} threads: read {:.1f} GB/s, int8 {:.0f} GOPS ({}), f32 {:.0f} GFLOPS\n",
             limits.threads, limits.read_gb_s, limits.int8_gops, limits.int8_instructions,
             limits.f32_gflops);
  tutti::bench::RegisterAll();
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
