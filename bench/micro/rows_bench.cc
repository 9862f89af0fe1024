// What happens to rows of activations between the products: norm, rotary embedding, rounding to 8
// bits, gated activation, routing; of one token and of a prompt.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>
#include <vector>

#include "bench_limits.h"
#include "tutti/base/rng.h"
#include "tutti/kernels/activation.h"
#include "tutti/kernels/q8_columns.h"
#include "tutti/kernels/rms_norm.h"
#include "tutti/kernels/rope.h"
#include "tutti/kernels/router.h"

namespace tutti::bench {
namespace {

constexpr int64_t kDim = 2048;

std::vector<float> Random(int64_t count, uint64_t seed) {
  Rng rng(seed);
  std::vector<float> values(static_cast<size_t>(count));
  for (float& v : values) v = static_cast<float>(rng.NextDouble() * 4 - 2);
  return values;
}

bool IsClose(std::span<const float> a, std::span<const float> b, double tolerance) {
  for (size_t i = 0; i < b.size(); ++i) {
    if (!(std::abs(static_cast<double>(a[i]) - b[i]) <= tolerance)) return false;
  }
  return true;
}

// A row of values.
std::span<const float> RowOf(const std::vector<float>& values, int64_t row) {
  return std::span(values).subspan(static_cast<size_t>(row * kDim), kDim);
}

// Times `work`, which handles so many values in each of the rows, after `is_right` has seen the
// first row and the last of its first result.
void Time(benchmark::State& state, int64_t row_values, const std::function<void()>& work,
          const std::function<bool(int64_t row)>& is_right) {
  const int64_t rows = state.range(0);
  const int64_t values = rows * row_values;
  work();
  if (!is_right(0) || !is_right(rows - 1)) {
    state.SkipWithError("wrong answer");
    return;
  }
  for (auto _ : state) work();
  const double calls = static_cast<double>(state.iterations());
  state.counters["Gvalues/s"] =
      benchmark::Counter(static_cast<double>(values) * calls / 1e9, benchmark::Counter::kIsRate);
}

void Norm(benchmark::State& state) {
  const int64_t rows = state.range(0);
  kernels::KernelContext context{Pool()};
  const std::vector<float> x = Random(rows * kDim, 1);
  const std::vector<float> weight = Random(kDim, 2);
  std::vector<float> out(x.size());
  Time(
      state, kDim,
      [&] {
        kernels::RmsNormRows(x.data(), rows, 1, kDim, weight, 1e-6f, out.data(), kDim, context);
      },
      [&](int64_t row) {
        std::vector<float> expected(kDim);
        kernels::RmsNormReference(RowOf(x, row), weight, 1e-6f, expected);
        return IsClose(RowOf(out, row), expected, 1e-5);
      });
}

void Rope(benchmark::State& state) {
  constexpr int64_t kHead = 128;
  const int64_t rows = state.range(0);
  kernels::KernelContext context{Pool()};
  RopeSpec spec;
  spec.dim = kHead;
  kernels::RopeTable table(spec);
  std::vector<int32_t> positions(static_cast<size_t>(rows));
  std::iota(positions.begin(), positions.end(), 100);
  table.Fill(positions);
  std::vector<float> x = Random(rows * kDim, 1);
  const std::vector<float> before = x;
  Time(
      state, kDim, [&] { table.Apply(x.data(), kDim, kDim / kHead, kHead, context); },
      [&](int64_t row) {
        const std::span<const float> head = RowOf(before, row).last(kHead);
        std::vector<float> expected(head.begin(), head.end());
        kernels::RopeReference(spec, positions[static_cast<size_t>(row)], expected);
        return IsClose(RowOf(x, row).last(kHead), expected, 1e-5);
      });
}

void Quantise(benchmark::State& state) {
  const int64_t rows = state.range(0);
  kernels::KernelContext context{Pool()};
  const std::vector<float> x = Random(rows * kDim, 1);
  kernels::Q8Columns columns;
  Time(
      state, kDim,
      [&] {
        columns = kernels::QuantizeColumns({x.data(), rows, kDim, kDim},
                                           kernels::Slot::kActivations, context);
      },
      [&](int64_t row) {
        std::vector<float> back(kDim);
        kernels::DequantizeQ8(columns.rows[static_cast<size_t>(row)], columns.layout, back);
        return IsClose(back, RowOf(x, row), 2.0 / 127);  // a step, for values up to 2
      });
}

void Gate(benchmark::State& state) {
  const int64_t rows = state.range(0);
  const std::vector<float> gate = Random(rows * kDim, 1);
  const std::vector<float> up = Random(rows * kDim, 2);
  std::vector<float> out(gate.size());
  Time(
      state, kDim, [&] { kernels::GatedActivation(Activation::kSilu, 0, gate, up, out); },
      [&](int64_t row) {
        std::vector<float> expected;
        for (size_t i = 0; i < kDim; ++i) {
          expected.push_back(static_cast<float>(kernels::GatedActivationReference(
              Activation::kSilu, 0, RowOf(gate, row)[i], RowOf(up, row)[i])));
        }
        return IsClose(RowOf(out, row), expected, 1e-5);
      });
}

void Route(benchmark::State& state) {
  constexpr int32_t kExperts = 128;
  constexpr int32_t kChosen = 8;
  const int64_t rows = state.range(0);
  kernels::KernelContext context{Pool()};
  MoeSpec spec;
  spec.experts = kExperts;
  spec.experts_per_token = kChosen;
  spec.normalize_weights = true;
  const std::vector<float> logits = Random(rows * kExperts, 1);
  kernels::Routes routes;
  Time(
      state, kExperts, [&] { kernels::Route(spec, logits.data(), rows, nullptr, routes, context); },
      [&](int64_t row) {
        const float* scores = logits.data() + row * kExperts;
        std::vector<int32_t> ids(kExperts);
        std::iota(ids.begin(), ids.end(), 0);
        std::stable_sort(ids.begin(), ids.end(),
                         [&](int32_t a, int32_t b) { return scores[a] > scores[b]; });
        return std::equal(ids.begin(), ids.begin() + kChosen,
                          routes.experts.begin() + row * kChosen);
      });
}

}  // namespace
}  // namespace tutti::bench

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 64;
  using namespace tutti::bench;
  for (const auto& [name, body] :
       {std::pair{"rms_norm", &Norm}, std::pair{"rope", &Rope}, std::pair{"quantise", &Quantise},
        std::pair{"gated_activation", &Gate}, std::pair{"route", &Route}}) {
    auto* registered = benchmark::RegisterBenchmark(fmt::format("{}/rows", name).c_str(), body);
    registered->UseRealTime()->MinTime(0.1)->Unit(benchmark::kMicrosecond);
    for (const int64_t rows : {1, 16, 512}) registered->Arg(rows);
  }
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
