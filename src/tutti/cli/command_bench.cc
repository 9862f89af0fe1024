// tutti bench: how fast a model runs, beside what the machine could do at best.
#include <CLI/CLI.hpp>

#include <algorithm>
#include <boost/json.hpp>
#include <chrono>
#include <cmath>

#include "tutti/base/rng.h"
#include "tutti/cli/command.h"
#include "tutti/cli/json_text.h"
#include "tutti/cli/model_loader.h"
#include "tutti/cli/options.h"
#include "tutti/cli/progress.h"
#include "tutti/kernels/limits.h"
#include "tutti/os/thread_pool.h"

namespace tutti::cli {
namespace {

namespace json = boost::json;

struct BenchResult {
  std::string test;
  double tokens_per_s = 0;
  double of_limit = 0;
};

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

TokenIds RandomIds(int32_t vocab_size, int64_t count) {
  Rng rng(1);
  TokenIds ids;
  for (int64_t i = 0; i < count; ++i) {
    ids.push_back(static_cast<TokenId>(rng.NextU64() % static_cast<uint64_t>(vocab_size)));
  }
  return ids;
}

// Runs one sequence of an engine against the clock.
class Runner {
 public:
  static Result<Runner> Create(Engine& engine) {
    TUTTI_ASSIGN_OR_RETURN(const SequenceId sequence, engine.NewSequence());
    return Runner(engine, sequence);
  }

  // Computes the ids at once (or one by one) from an empty sequence; returns the last logits.
  Result<std::vector<float>> Whole(std::span<const TokenId> ids) {
    engine_->Truncate(sequence_, 0);
    return Step(ids);
  }
  Result<std::vector<float>> OneByOne(std::span<const TokenId> ids) {
    engine_->Truncate(sequence_, 0);
    std::vector<float> logits;
    for (size_t i = 0; i < ids.size(); ++i) {
      if (Interrupted()) return InterruptedError();
      TUTTI_ASSIGN_OR_RETURN(logits, Step(ids.subspan(i, 1)));
    }
    return logits;
  }

  // The median of `repeat` runs in tokens per second, after one that warms up.
  template <typename Body>
  Result<double> Speed(size_t tokens, int repeat, const Body& body, Progress& progress,
                       int64_t& done) {
    std::vector<double> speeds;
    for (int run = 0; run <= repeat; ++run) {
      if (Interrupted()) return InterruptedError();
      const auto start = std::chrono::steady_clock::now();
      TUTTI_RETURN_IF_ERROR(body().status());
      const double seconds =
          std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
      if (run > 0) speeds.push_back(static_cast<double>(tokens) / seconds);
      progress.Update(++done);
    }
    return Median(std::move(speeds));
  }

 private:
  Runner(Engine& engine, SequenceId sequence) : engine_(&engine), sequence_(sequence) {}
  Result<std::vector<float>> Step(std::span<const TokenId> ids) {
    Batch batch;
    batch.entries.push_back({sequence_, ids, LogitsWanted::kLast});
    TUTTI_ASSIGN_OR_RETURN(StepResult step, engine_->Forward(batch));
    return std::move(step.logits);
  }

  Engine* engine_;
  SequenceId sequence_;
};

// A fast wrong answer is no result: a prompt computed at once and token by token must agree.
Status CheckAnswer(Runner& runner, std::span<const TokenId> ids) {
  TUTTI_ASSIGN_OR_RETURN(const std::vector<float> whole, runner.Whole(ids));
  TUTTI_ASSIGN_OR_RETURN(const std::vector<float> single, runner.OneByOne(ids));
  const auto [low, high] = std::minmax_element(whole.begin(), whole.end());
  const double tolerance = 1e-3 * (static_cast<double>(*high) - *low);
  for (size_t i = 0; i < whole.size(); ++i) {
    const double difference = std::abs(static_cast<double>(whole[i]) - single[i]);
    if (!(difference <= tolerance)) {
      return Error(StatusCode::kInternal,
                   "the logit of token {} is {} after a whole prompt and {} token by token", i,
                   whole[i], single[i]);
    }
  }
  return {};
}

class BenchCommand final : public Command {
 public:
  void Declare(CLI::App& app) override {
    model_.DeclareModel(app, false);
    app.add_option("--prompt", prompt_, "tokens of the prompt (default 512)")
        ->type_name("N")
        ->check(Between(16, 1 << 20));
    app.add_option("--generate", generate_, "tokens that are written (default 64)")
        ->type_name("N")
        ->check(Between(1, 1 << 20));
    app.add_option("--repeat", repeat_, "runs, of which the median counts (default 3)")
        ->type_name("N")
        ->check(Between(1, 1000));
    model_.DeclareEngine(app, false);
    DeclareJson(app, json_);
  }

  Status Run(Console& console) override {
    model_.engine.context = 0;
    TUTTI_ASSIGN_OR_RETURN(const LoadedModel loaded, LoadModel(model_.model, model_.engine));
    Engine& engine = *loaded.engine;
    prompt_ = std::min(prompt_, engine.context());
    generate_ = std::min(generate_, engine.context());
    TUTTI_ASSIGN_OR_RETURN(Runner runner, Runner::Create(engine));
    const TokenIds ids = RandomIds(engine.spec().vocab_size, std::max(prompt_, generate_));
    const std::span<const TokenId> all(ids);
    TUTTI_RETURN_IF_ERROR(CheckAnswer(runner, all.first(std::min<size_t>(16, all.size()))));

    Progress progress(console, "bench", 2 * (repeat_ + 1) + 1);
    progress.Update(0);
    os::ThreadPool pool(engine.threads());
    const kernels::MachineLimits limits = kernels::MeasureLimits(pool);
    int64_t done = 1;
    std::vector<BenchResult> results;
    const auto prompt = all.first(static_cast<size_t>(prompt_));
    TUTTI_ASSIGN_OR_RETURN(
        const double prompt_speed,
        runner.Speed(
            prompt.size(), repeat_, [&] { return runner.Whole(prompt); }, progress, done));
    results.push_back(
        {fmt::format("pp{}", prompt_), prompt_speed, prompt_speed / PromptLimit(engine, limits)});
    const auto written = all.first(static_cast<size_t>(generate_));
    TUTTI_ASSIGN_OR_RETURN(
        const double write_speed,
        runner.Speed(
            written.size(), repeat_, [&] { return runner.OneByOne(written); }, progress, done));
    results.push_back(
        {fmt::format("tg{}", generate_), write_speed, write_speed / DecodeLimit(engine, limits)});
    progress.Finish();
    if (json_) {
      PrintJson(console, limits, results);
    } else {
      PrintTable(console, loaded, limits, results);
    }
    return {};
  }

 private:
  // Tokens per second if memory were read at full speed and nothing else took time: the weights
  // that one token needs, and the keys and values of half the written text on average.
  double DecodeLimit(const Engine& engine, const kernels::MachineLimits& limits) const {
    const EngineCosts costs = engine.costs();
    const double bytes =
        static_cast<double>(costs.weight_bytes_per_token) +
        static_cast<double>(costs.kv_bytes_per_token) * static_cast<double>(generate_) / 2;
    return limits.read_gb_s * 1e9 / bytes;
  }

  // The same for a prompt: two operations per weight and token at the peak of the arithmetic that
  // the weights meet (logits are wanted of one token only), or all weights read once, whichever is
  // slower.
  double PromptLimit(const Engine& engine, const kernels::MachineLimits& limits) const {
    const EngineCosts costs = engine.costs();
    const ModelSpec& spec = engine.spec();
    const double tokens = prompt_;
    const double output = static_cast<double>(spec.vocab_size) * spec.dim;
    const double weights =
        (static_cast<double>(costs.active_parameters) - output) * tokens + output;
    const double peak =
        (HasFloatWeights(costs) || model_.engine.exact ? limits.bf16_gflops : limits.int8_gops) *
        1e9;
    const double arithmetic_s = 2 * weights / peak;
    const double reading_s = static_cast<double>(costs.weight_bytes) / (limits.read_gb_s * 1e9);
    return tokens / std::max(arithmetic_s, reading_s);
  }

  // Weights of 16 bits or more are not multiplied in int8.
  static bool HasFloatWeights(const EngineCosts& costs) {
    return costs.weight_bytes >= 2 * costs.parameters;
  }

  static void PrintJson(Console& console, const kernels::MachineLimits& limits,
                        const std::vector<BenchResult>& results) {
    json::array list;
    for (const BenchResult& result : results) {
      list.push_back({{"test", result.test},
                      {"tokens_per_s", result.tokens_per_s},
                      {"of_limit", result.of_limit}});
    }
    json::object answer;
    answer["limits"] = {{"read_gb_s", limits.read_gb_s},
                        {"int8_gops", limits.int8_gops},
                        {"bf16_gflops", limits.bf16_gflops}};
    answer["results"] = std::move(list);
    console.Write(ToJson(answer) + "\n");
  }

  static void PrintTable(Console& console, const LoadedModel& loaded,
                         const kernels::MachineLimits& limits,
                         const std::vector<BenchResult>& results) {
    console.Print(
        "{}, {} threads; limits: {:.1f} GB/s read, {:.0f} int8 Gop/s, {:.0f} bf16 "
        "Gflop/s\n",
        loaded.choice.name, loaded.engine->threads(), limits.read_gb_s, limits.int8_gops,
        limits.bf16_gflops);
    console.Print("{:<8} {:>12} {:>9}\n", "TEST", "TOKENS/S", "OF LIMIT");
    for (const BenchResult& result : results) {
      console.Print("{:<8} {:>12.1f} {:>8.0f}%\n", result.test, result.tokens_per_s,
                    100 * result.of_limit);
    }
  }

  ModelOptions model_;
  int32_t prompt_ = 512;
  int32_t generate_ = 64;
  int repeat_ = 3;
  bool json_ = false;
};

}  // namespace

std::unique_ptr<Command> MakeBenchCommand() { return std::make_unique<BenchCommand>(); }

}  // namespace tutti::cli
