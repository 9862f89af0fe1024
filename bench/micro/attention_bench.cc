// Attention over a paged history, decoding and prefilling, against the machine's limits.
//
// of_read compares the bytes of keys and values with the read limit (decoding), of_f32 the
// multiply-adds with the float32 limit (prefilling).
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <cmath>
#include <vector>

#include "bench_limits.h"
#include "tutti/base/rng.h"
#include "tutti/kernels/attention.h"

namespace tutti::bench {
namespace {

// Shapes of Qwen3-30B-A3B (32 heads on 4 key heads of 128) and of Llama-3.2-1B (32 on 8 of 64).
struct Case {
  int64_t heads, kv_heads, dim, tokens, rows;
};

void Run(benchmark::State& state, const Case& c) {
  constexpr int64_t kPage = 64;
  const kernels::AttentionShape shape{.heads = c.heads,
                                      .kv_heads = c.kv_heads,
                                      .key_dim = c.dim,
                                      .value_dim = c.dim,
                                      .scale = 1 / std::sqrt(static_cast<float>(c.dim))};
  const int64_t width = c.kv_heads * c.dim;
  Rng rng(1);
  std::vector<float> row(static_cast<size_t>(width));
  std::vector<std::byte> keys(static_cast<size_t>(c.tokens * width * 2));
  std::vector<std::byte> values(keys.size());
  for (int64_t t = 0; t < c.tokens; ++t) {
    for (std::vector<std::byte>* store : {&keys, &values}) {
      for (float& v : row) v = static_cast<float>(rng.NextDouble() * 2 - 1);
      kernels::StoreKv(kernels::KvType::kF16, row, store->data() + t * width * 2);
    }
  }
  std::vector<const std::byte*> key_pages, value_pages;
  for (int64_t t = 0; t < c.tokens; t += kPage) {
    key_pages.push_back(keys.data() + t * width * 2);
    value_pages.push_back(values.data() + t * width * 2);
  }
  std::vector<float> q(static_cast<size_t>(c.rows * c.heads * c.dim)), out(q.size());
  for (float& v : q) v = static_cast<float>(rng.NextDouble() * 2 - 1);
  kernels::AttentionJob job{.q = q.data(),
                            .q_stride = c.heads * c.dim,
                            .out = out.data(),
                            .out_stride = c.heads * c.dim,
                            .rows = c.rows,
                            .first_position = c.tokens - c.rows,
                            .kv = {.type = kernels::KvType::kF16,
                                   .page_tokens = kPage,
                                   .key_pages = key_pages,
                                   .value_pages = value_pages,
                                   .key_token_stride = width,
                                   .key_head_stride = c.dim,
                                   .value_token_stride = width,
                                   .value_head_stride = c.dim}};
  kernels::KernelContext context{Pool()};
  kernels::Attention(shape, {&job, 1}, context);
  std::vector<float> expected(out.size());
  kernels::AttentionJob first = job;
  first.rows = 1;
  first.out = expected.data();
  kernels::AttentionReference(shape, first);
  for (int64_t i = 0; i < c.heads * c.dim; ++i) {
    if (std::abs(out[static_cast<size_t>(i)] - expected[static_cast<size_t>(i)]) > 1e-5f) {
      state.SkipWithError("wrong answer");
      return;
    }
  }
  for (auto _ : state) kernels::Attention(shape, {&job, 1}, context);
  const double calls = static_cast<double>(state.iterations());
  const double bytes = 2.0 * static_cast<double>(keys.size()) * calls;
  const double seen = static_cast<double>(c.rows) *
                      (static_cast<double>(c.tokens) - static_cast<double>(c.rows - 1) / 2);
  const double operations = 4.0 * seen * static_cast<double>(c.heads * c.dim) * calls;
  using Counter = benchmark::Counter;
  state.counters["GB/s"] = Counter(bytes / 1e9, Counter::kIsRate);
  state.counters["GFLOPS"] = Counter(operations / 1e9, Counter::kIsRate);
  state.counters["of_read"] = Counter(bytes / 1e9 / Limits().read_gb_s, Counter::kIsRate);
  state.counters["of_f32"] = Counter(operations / 1e9 / Limits().f32_gflops, Counter::kIsRate);
}

}  // namespace
}  // namespace tutti::bench

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 64;
  using tutti::bench::Case;
  for (const Case& c :
       {Case{32, 4, 128, 8192, 1}, Case{32, 8, 64, 8192, 1}, Case{32, 32, 128, 4096, 1},
        Case{32, 4, 128, 512, 512}, Case{32, 8, 64, 2048, 512}}) {
    const std::string name = fmt::format("heads:{}/{}/dim:{}/tokens:{}/rows:{}", c.heads,
                                         c.kv_heads, c.dim, c.tokens, c.rows);
    benchmark::RegisterBenchmark(name.c_str(),
                                 [=](benchmark::State& state) { tutti::bench::Run(state, c); })
        ->UseRealTime()
        ->MinTime(0.2)
        ->Unit(benchmark::kMicrosecond);
  }
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
