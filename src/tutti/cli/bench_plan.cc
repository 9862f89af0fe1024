#include "tutti/cli/bench_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace tutti::cli {
namespace {

constexpr int32_t kMaxTokens = 1 << 20;
constexpr int32_t kMaxSequences = 1024;

// Takes "<prefix><number>" from the front of `rest`; false where it is something else.
bool TakeNumber(std::string_view prefix, int32_t low, int32_t high, std::string_view& rest,
                int32_t& value) {
  if (!rest.starts_with(prefix)) return false;
  rest.remove_prefix(prefix.size());
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), value);
  if (error != std::errc() || value < low || value > high) return false;
  rest.remove_prefix(static_cast<size_t>(end - rest.data()));
  return true;
}

bool ParseTest(std::string_view text, BenchTest& test) {
  const bool prefill = text.starts_with("pp");
  test.kind = prefill ? BenchKind::kPrefill : BenchKind::kDecode;
  if (!TakeNumber(prefill ? "pp" : "tg", 1, kMaxTokens, text, test.tokens)) return false;
  if (text.starts_with('x') && !TakeNumber("x", 1, kMaxSequences, text, test.sequences)) {
    return false;
  }
  if (text.starts_with('@') && !TakeNumber("@", 0, kMaxTokens, text, test.depth)) return false;
  return text.empty();
}

}  // namespace

std::string BenchTest::Name() const {
  std::string name = fmt::format("{}{}", kind == BenchKind::kPrefill ? "pp" : "tg", tokens);
  if (sequences != 1) name += fmt::format("x{}", sequences);
  if (depth != 0) name += fmt::format("@{}", depth);
  return name;
}

Result<std::vector<BenchTest>> ParseBenchTests(std::string_view text) {
  std::vector<BenchTest> tests;
  for (;;) {
    const size_t comma = std::min(text.find(','), text.size());
    BenchTest test;
    if (!ParseTest(text.substr(0, comma), test)) {
      return UsageError(
          "--tests: '{}' is not a test: write ppN or tgN (N tokens, 1 to {}), then xS for S "
          "sequences (1 to {}) and @D for a depth of D tokens (0 to {}), for example tg32x16@4096",
          text.substr(0, comma), kMaxTokens, kMaxSequences, kMaxTokens);
    }
    tests.push_back(test);
    if (comma == text.size()) return tests;
    text.remove_prefix(comma + 1);
  }
}

int64_t KvBytesRead(const ModelSpec& spec, const EngineCosts& costs, int64_t depth) {
  int64_t bytes = 0;
  for (size_t i = 0; i < costs.kv_bytes_by_layer.size(); ++i) {
    const int64_t window = spec.layers[i].window;
    bytes += costs.kv_bytes_by_layer[i] * (window > 0 ? std::min(depth, window - 1) : depth);
  }
  return bytes;
}

BenchWork WorkOf(const BenchTest& test, const ModelSpec& spec, const EngineCosts& costs,
                 const StepProfile& profile) {
  const bool decode = test.kind == BenchKind::kDecode;
  const double tokens = static_cast<double>(test.total_tokens());
  const TokenCosts& token = costs.per_token;
  BenchWork work;
  work.steps = profile.steps;
  // Logits are wanted of every decoded token, but only of a prompt's last one.
  const int64_t outputs = decode ? test.total_tokens() : test.sequences;
  work.layer_bytes = static_cast<double>(profile.steps) * static_cast<double>(token.layers.bytes);
  work.expert_bytes = static_cast<double>(profile.expert_bytes);
  work.output_bytes = static_cast<double>(std::min(profile.steps, outputs)) *
                      static_cast<double>(token.output.bytes);
  if (decode) {
    for (int32_t i = 0; i < test.tokens; ++i) {
      work.kv_bytes += static_cast<double>(KvBytesRead(spec, costs, test.depth + i));
    }
  } else {
    work.kv_bytes = static_cast<double>(KvBytesRead(spec, costs, test.depth));
  }
  work.kv_bytes *= test.sequences;
  const auto products = [&](int64_t WeightCosts::*kind) {
    return tokens * static_cast<double>(token.layers.*kind + token.experts.*kind) +
           static_cast<double>(outputs) * static_cast<double>(token.output.*kind);
  };
  work.int8_products = products(&WeightCosts::int8_weights);
  work.float_products = products(&WeightCosts::float_weights);
  if (profile.expert_layers > 0) {
    work.experts_per_layer =
        static_cast<double>(profile.experts) / static_cast<double>(profile.expert_layers);
  }
  return work;
}

BenchLimit LimitOf(const BenchTest& test, const BenchWork& work,
                   const kernels::MachineLimits& limits, bool exact) {
  const double int8 = exact ? limits.f32_gflops : limits.int8_gops;
  const double floats = exact ? limits.f32_gflops : limits.bf16_gflops;
  BenchLimit limit;
  limit.reading_s = limits.read_gb_s > 0 ? work.bytes() / (limits.read_gb_s * 1e9) : 0;
  limit.multiplying_s =
      2 * work.int8_products / (int8 * 1e9) + 2 * work.float_products / (floats * 1e9);
  if (!limit.known()) return limit;
  limit.tokens_per_s =
      static_cast<double>(test.total_tokens()) / std::max(limit.reading_s, limit.multiplying_s);
  return limit;
}

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

kernels::MachineLimits MedianLimits(const std::vector<kernels::MachineLimits>& measured) {
  kernels::MachineLimits median = measured.front();
  for (double kernels::MachineLimits::*figure :
       {&kernels::MachineLimits::read_gb_s, &kernels::MachineLimits::int8_gops,
        &kernels::MachineLimits::bf16_gflops, &kernels::MachineLimits::f32_gflops}) {
    std::vector<double> values;
    for (const kernels::MachineLimits& limits : measured) values.push_back(limits.*figure);
    median.*figure = Median(std::move(values));
  }
  return median;
}

}  // namespace tutti::cli
