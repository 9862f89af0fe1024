#include "tutti/cli/bench_report.h"

#include <algorithm>
#include <boost/json.hpp>

#include "tutti/cli/json_text.h"
#include "tutti/cli/kernel_report.h"
#include "tutti/cli/size_text.h"
#include "tutti/kernels/cpu_features.h"

namespace tutti::cli {
namespace {

namespace json = boost::json;

// The medians of one test and what they are compared with.
struct Summary {
  double tokens_per_s = 0;
  double low = 0;
  double high = 0;
  kernels::MachineLimits limits;
  BenchLimit limit;
  double of_limit() const { return tokens_per_s / limit.tokens_per_s; }
  const char* bound() const {
    if (!limit.known()) return "not known";
    return limit.by_reading() ? "reading" : "multiplying";
  }
};

Summary Summarize(const BenchReport& report, const BenchResult& result) {
  Summary summary;
  summary.tokens_per_s = Median(result.tokens_per_s);
  const auto [low, high] =
      std::minmax_element(result.tokens_per_s.begin(), result.tokens_per_s.end());
  summary.low = *low;
  summary.high = *high;
  summary.limits = MedianLimits(result.limits);
  summary.limit = LimitOf(result.test, result.work, summary.limits, report.exact);
  return summary;
}

kernels::MachineLimits LimitsOfRun(const BenchReport& report) {
  std::vector<kernels::MachineLimits> all;
  for (const BenchResult& result : report.results) {
    all.insert(all.end(), result.limits.begin(), result.limits.end());
  }
  return MedianLimits(all);
}

void Explain(Console& console, const BenchResult& result, const Summary& summary) {
  const BenchWork& work = result.work;
  const double steps = static_cast<double>(work.steps);
  const double step_tokens = static_cast<double>(result.test.total_tokens()) / steps;
  const auto mb = [&](double bytes) { return bytes / steps / 1e6; };
  console.Print("\n{}: {} step{} of {:.0f} token{}, each at best\n", result.test.Name(), work.steps,
                work.steps == 1 ? "" : "s", step_tokens, step_tokens == 1 ? "" : "s");
  console.Print("  reads      {:10.2f} MB of layers\n", mb(work.layer_bytes));
  if (work.expert_bytes > 0) {
    console.Print("           + {:10.2f} MB of experts, {:.1f} a layer (as they were routed)\n",
                  mb(work.expert_bytes), work.experts_per_layer);
  }
  console.Print("           + {:10.2f} MB of the output\n", mb(work.output_bytes));
  console.Print("           + {:10.2f} MB of keys and values\n", mb(work.kv_bytes));
  console.Print("           = {:10.2f} MB", mb(work.bytes()));
  if (summary.limit.known()) {
    console.Print(", at {:.1f} GB/s {:.3f} ms", summary.limits.read_gb_s,
                  summary.limit.reading_s / steps * 1e3);
  }
  console.Print("\n");
  console.Print("  multiplies {:10.2f} million weights in int8, {:.2f} million in floats\n",
                work.int8_products / steps / 1e6, work.float_products / steps / 1e6);
  console.Print("             at {:.0f} and {:.0f} Gop/s, two for each: {:.3f} ms\n",
                summary.limits.int8_gops, summary.limits.bf16_gflops,
                summary.limit.multiplying_s / steps * 1e3);
  if (!summary.limit.known()) return;
  console.Print("  so {:.0f} token{} in {:.3f} ms: {:.1f} tokens/s, bound by {}\n", step_tokens,
                step_tokens == 1 ? "" : "s",
                std::max(summary.limit.reading_s, summary.limit.multiplying_s) / steps * 1e3,
                summary.limit.tokens_per_s, summary.bound());
}

// What the operations leave of a profile: allocation, copies, page tables.
OperationTime Rest(const StepProfile& profile) {
  OperationTime rest{
      .name = "other", .seconds = profile.seconds, .synchronisations = profile.synchronisations};
  for (const OperationTime& operation : profile.operations) {
    rest.seconds -= operation.seconds;
    rest.synchronisations -= operation.synchronisations;
  }
  return rest;
}

OperationTime Total(const StepProfile& profile) {
  OperationTime total{.name = "all",
                      .calls = profile.steps,
                      .seconds = profile.seconds,
                      .synchronisations = profile.synchronisations};
  for (const OperationTime& operation : profile.operations) {
    total.parallel_seconds += operation.parallel_seconds;
    total.waiting_seconds += operation.waiting_seconds;
  }
  return total;
}

void PrintProfile(Console& console, const BenchResult& result) {
  const StepProfile& profile = result.profile;
  const double steps = static_cast<double>(profile.steps);
  console.Print("\n{:<17} {:>7} {:>10} {:>10} {:>6} {:>8} {:>6} {:>7}\n",
                fmt::format("{} PROFILE", result.test.Name()), "CALLS", "US/STEP", "US/CALL",
                "SHARE", "WAITING", "ALONE", "SYNCS");
  const auto row = [&](const OperationTime& operation) {
    const double us = operation.seconds * 1e6;
    const double calls = static_cast<double>(operation.calls);
    const auto share = [&](double seconds) { return 100 * seconds / profile.seconds; };
    console.Print("{:<17} {:>7.1f} {:>10.1f} {:>10} {:>5.1f}% {:>7.1f}% {:>5.1f}% {:>7.1f}\n",
                  operation.name, calls / steps, us / steps,
                  calls > 0 ? fmt::format("{:.1f}", us / calls) : "", share(operation.seconds),
                  share(operation.waiting_seconds),
                  share(operation.seconds - operation.parallel_seconds),
                  static_cast<double>(operation.synchronisations) / steps);
  };
  for (const OperationTime& operation : profile.operations) row(operation);
  row(Rest(profile));
  row(Total(profile));
}

json::object LimitsJson(const kernels::MachineLimits& limits) {
  return {{"read_gb_s", limits.read_gb_s > 0 ? json::value(limits.read_gb_s) : nullptr},
          {"int8_gops", limits.int8_gops},
          {"bf16_gflops", limits.bf16_gflops},
          {"f32_gflops", limits.f32_gflops}};
}

json::object WorkJson(const BenchWork& work) {
  return {{"steps", work.steps},
          {"layer_bytes", work.layer_bytes},
          {"expert_bytes", work.expert_bytes},
          {"output_bytes", work.output_bytes},
          {"kv_bytes", work.kv_bytes},
          {"int8_multiply_adds", work.int8_products},
          {"float_multiply_adds", work.float_products},
          {"experts_per_layer", work.experts_per_layer}};
}

json::object ProfileJson(const StepProfile& profile) {
  const double steps = static_cast<double>(profile.steps);
  const auto operation_json = [&](const OperationTime& operation) -> json::object {
    const double us = operation.seconds * 1e6;
    const double calls = static_cast<double>(operation.calls);
    return {{"operation", operation.name},
            {"calls_per_step", calls / steps},
            {"us_per_step", us / steps},
            {"us_per_call", calls > 0 ? json::value(us / calls) : nullptr},
            {"waiting_us_per_step", operation.waiting_seconds * 1e6 / steps},
            {"alone_us_per_step", (operation.seconds - operation.parallel_seconds) * 1e6 / steps},
            {"synchronisations_per_step", static_cast<double>(operation.synchronisations) / steps}};
  };
  json::array operations;
  for (const OperationTime& operation : profile.operations) {
    operations.push_back(operation_json(operation));
  }
  operations.push_back(operation_json(Rest(profile)));
  const OperationTime total = Total(profile);
  return {{"steps", profile.steps},
          {"us_per_step", total.seconds * 1e6 / steps},
          {"waiting_us_per_step", total.waiting_seconds * 1e6 / steps},
          {"alone_us_per_step", (total.seconds - total.parallel_seconds) * 1e6 / steps},
          {"synchronisations_per_step", static_cast<double>(total.synchronisations) / steps},
          {"operations", std::move(operations)}};
}

json::object ResultJson(const BenchReport& report, const BenchResult& result) {
  const Summary summary = Summarize(report, result);
  const bool known = summary.limit.known();
  json::object answer = {
      {"test", result.test.Name()},
      {"tokens_per_s", summary.tokens_per_s},
      {"limit_tokens_per_s", known ? json::value(summary.limit.tokens_per_s) : nullptr},
      {"of_limit", known ? json::value(summary.of_limit()) : nullptr},
      {"bound_by", known ? json::value(summary.bound()) : nullptr},
      {"min_tokens_per_s", summary.low},
      {"max_tokens_per_s", summary.high},
      {"repetitions", json::array(result.tokens_per_s.begin(), result.tokens_per_s.end())},
      {"limits", LimitsJson(summary.limits)},
      {"work", WorkJson(result.work)}};
  if (result.profile.steps > 0) answer["profile"] = ProfileJson(result.profile);
  return answer;
}

}  // namespace

void PrintBenchTables(Console& console, const BenchReport& report) {
  const kernels::MachineLimits limits = LimitsOfRun(report);
  const EngineCosts costs = report.engine->costs();
  console.Print("{}, {}, {} threads\n", report.model,
                SizeText(static_cast<uint64_t>(costs.weight_bytes)), report.engine->threads());
  console.Print("limits: read {}, int8 {:.0f} Gop/s, bf16 {:.0f}, float32 {:.0f} Gflop/s\n\n",
                ReadLimitText(limits), limits.int8_gops, limits.bf16_gflops, limits.f32_gflops);
  console.Print("{:<16} {:>9} {:>19} {:>9} {:>9}  {}\n", "TEST", "TOKENS/S", "LOWEST - HIGHEST",
                "LIMIT", "OF LIMIT", "BOUND BY");
  for (const BenchResult& result : report.results) {
    const Summary summary = Summarize(report, result);
    const bool known = summary.limit.known();
    console.Print("{:<16} {:>9.1f} {:>19} {:>9} {:>9}  {}\n", result.test.Name(),
                  summary.tokens_per_s, fmt::format("{:.1f} - {:.1f}", summary.low, summary.high),
                  known ? fmt::format("{:.1f}", summary.limit.tokens_per_s) : "-",
                  known ? fmt::format("{:.1f}%", 100 * summary.of_limit()) : "-", summary.bound());
  }
  for (const BenchResult& result : report.results) {
    if (report.explain) Explain(console, result, Summarize(report, result));
    if (result.profile.steps > 0) PrintProfile(console, result);
  }
}

void PrintBenchJson(Console& console, const BenchReport& report) {
  const Engine& engine = *report.engine;
  const EngineCosts costs = engine.costs();
  json::object used;
  for (const kernels::KernelChoice& choice : kernels::KernelChoices()) {
    used[choice.operation] = choice.instruction_set;
  }
  json::array results;
  for (const BenchResult& result : report.results) results.push_back(ResultJson(report, result));
  json::object answer;
  answer["model"] = {{"name", report.model},
                     {"architecture", engine.spec().architecture},
                     {"weight_bytes", costs.weight_bytes},
                     {"weight_bytes_per_token", costs.per_token.bytes()},
                     {"kv_type", KvTypeName(costs.kv_type)},
                     {"kv_bytes_per_token", costs.kv_bytes_per_token},
                     {"parameters", costs.parameters},
                     {"active_parameters", costs.per_token.weights()}};
  answer["machine"] = {
      {"processor", kernels::CpuName()}, {"threads", engine.threads()}, {"used", std::move(used)}};
  answer["exact"] = report.exact;
  answer["absorbed"] = report.absorbed;
  answer["limits"] = LimitsJson(LimitsOfRun(report));
  answer["results"] = std::move(results);
  console.Write(ToJson(answer) + "\n");
}

}  // namespace tutti::cli
