// Attention over a paged history, decoding and prefilling, against the machine's limits.
//
// of_read compares the bytes of keys and values with the read limit (decoding), of_bf16 the
// multiply-adds with the bf16 limit (prefilling).
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <cmath>
#include <vector>

#include "bench_limits.h"
#include "tutti/base/checked_math.h"
#include "tutti/base/rng.h"
#include "tutti/kernels/attention.h"

namespace tutti::bench {
namespace {

// Shapes of Qwen3-30B-A3B (32 heads on 4 key heads of 128) and of Llama-3.2-1B (32 on 8 of 64);
// one key head: the latents of DeepSeek-V2-Lite (16 heads) and DeepSeek-V3 (128).
struct Case {
  KvType type;
  int64_t heads, kv_heads, key_dim, value_dim, tokens, rows;
};

// The first row and the last.
bool IsRight(const kernels::AttentionShape& shape, const kernels::AttentionJob& job) {
  for (const int64_t row : {int64_t{0}, job.rows - 1}) {
    std::vector<float> expected(static_cast<size_t>(job.out_stride));
    kernels::AttentionJob one = job;
    one.q += row * job.q_stride;
    one.out = expected.data();
    one.rows = 1;
    one.first_position += row;
    kernels::AttentionReference(shape, one);
    const float* out = job.out + row * job.out_stride;
    for (size_t i = 0; i < expected.size(); ++i) {
      if (!(std::abs(out[i] - expected[i]) <= 2e-3f)) return false;
    }
  }
  return true;
}

void Run(benchmark::State& state, const Case& c) {
  const kernels::KvLayout layout{.type = c.type,
                                 .kv_heads = c.kv_heads,
                                 .key_dim = c.key_dim,
                                 .value_dim = c.value_dim,
                                 .latent = c.kv_heads == 1};
  const kernels::AttentionShape shape{.heads = c.heads,
                                      .scale = 1 / std::sqrt(static_cast<float>(c.key_dim))};
  Rng rng(1);
  const auto random = [&](int64_t count) {
    std::vector<float> values(static_cast<size_t>(count));
    for (float& v : values) v = static_cast<float>(rng.NextDouble() * 2 - 1);
    return values;
  };
  const int64_t page_bytes = layout.BytesPerToken() * kernels::kKvBlockTokens;
  std::vector<std::byte> memory(static_cast<size_t>(c.tokens * layout.BytesPerToken() + 64));
  auto* begin = reinterpret_cast<std::byte*>(
      RoundUp<uintptr_t>(reinterpret_cast<uintptr_t>(memory.data()), 64));
  std::vector<const std::byte*> pages;
  for (int64_t t = 0; t < c.tokens; ++t) {
    std::byte* page = begin + t / kernels::kKvBlockTokens * page_bytes;
    if (t % kernels::kKvBlockTokens == 0) pages.push_back(page);
    kernels::StoreToken(layout, random(c.kv_heads * c.key_dim).data(),
                        random(c.kv_heads * c.value_dim).data(), t % kernels::kKvBlockTokens, page);
  }
  const std::vector<float> q = random(c.rows * c.heads * c.key_dim);
  std::vector<float> out(static_cast<size_t>(c.rows * c.heads * c.value_dim));
  kernels::AttentionJob job{.q = q.data(),
                            .q_stride = c.heads * c.key_dim,
                            .out = out.data(),
                            .out_stride = c.heads * c.value_dim,
                            .rows = c.rows,
                            .first_position = c.tokens - c.rows,
                            .kv = {.layout = layout, .pages = pages}};
  kernels::KernelContext context{Pool()};
  kernels::Attention(shape, {&job, 1}, context);
  if (!IsRight(shape, job)) {
    state.SkipWithError("wrong answer");
    return;
  }
  for (auto _ : state) kernels::Attention(shape, {&job, 1}, context);
  const double calls = static_cast<double>(state.iterations());
  const double bytes = static_cast<double>(c.tokens * layout.BytesPerToken()) * calls;
  const double seen = static_cast<double>(c.rows) *
                      (static_cast<double>(c.tokens) - static_cast<double>(c.rows - 1) / 2);
  const double operations =
      2.0 * seen * static_cast<double>(c.heads * (c.key_dim + c.value_dim)) * calls;
  using Counter = benchmark::Counter;
  state.counters["GB/s"] = Counter(bytes / 1e9, Counter::kIsRate);
  state.counters["GFLOPS"] = Counter(operations / 1e9, Counter::kIsRate);
  CountRead(state, bytes);
  state.counters["of_bf16"] = Counter(operations / 1e9 / Limits().bf16_gflops, Counter::kIsRate);
}

}  // namespace
}  // namespace tutti::bench

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 64;
  using tutti::KvType;
  using tutti::bench::Case;
  const Case shapes[] = {
      {KvType::kF32, 32, 4, 128, 128, 8192, 1},   {KvType::kF32, 32, 8, 64, 64, 8192, 1},
      {KvType::kF32, 16, 1, 576, 512, 8192, 1},   {KvType::kF32, 128, 1, 576, 512, 4096, 1},
      {KvType::kF32, 32, 4, 128, 128, 512, 512},  {KvType::kF32, 32, 4, 128, 128, 2048, 512},
      {KvType::kF32, 32, 8, 64, 64, 2048, 512},   {KvType::kF32, 32, 32, 128, 128, 2048, 512},
      {KvType::kF32, 16, 16, 192, 128, 2048, 512}};
  for (const Case& shape : shapes) {
    for (const KvType type : tutti::kKvTypes) {
      Case c = shape;
      c.type = type;
      const std::string name =
          fmt::format("{}/heads:{}/{}/dim:{}/tokens:{}/rows:{}", tutti::KvTypeName(type), c.heads,
                      c.kv_heads, c.key_dim, c.tokens, c.rows);
      benchmark::RegisterBenchmark(name.c_str(),
                                   [=](benchmark::State& state) { tutti::bench::Run(state, c); })
          ->UseRealTime()
          ->MinTime(0.2)
          ->Unit(benchmark::kMicrosecond);
    }
  }
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
