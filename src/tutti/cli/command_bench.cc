// tutti bench: how fast a model runs, beside what the machine could do at best.
#include <CLI/CLI.hpp>

#include <algorithm>
#include <boost/json.hpp>

#include "tutti/cli/bench_plan.h"
#include "tutti/cli/bench_report.h"
#include "tutti/cli/bench_runner.h"
#include "tutti/cli/command.h"
#include "tutti/cli/kernel_report.h"
#include "tutti/cli/model_loader.h"
#include "tutti/cli/options.h"
#include "tutti/cli/progress.h"
#include "tutti/memory/kv_pool.h"

namespace tutti::cli {
namespace {

constexpr std::string_view kDefaultTests = "pp512,tg64";

// Room for the largest of the tests.
void MakeRoom(const std::vector<BenchTest>& tests, EngineOptions& options) {
  for (const BenchTest& test : tests) {
    const int32_t length = test.depth + test.tokens;
    const int64_t pages = (int64_t{length} + memory::kPageTokens - 1) / memory::kPageTokens;
    options.context = std::max(options.context, length);
    options.kv_tokens = std::max(options.kv_tokens, pages * memory::kPageTokens * test.sequences);
  }
}

class BenchCommand final : public Command {
 public:
  void Declare(CLI::App& app) override {
    model_.DeclareModel(app, false);
    app.add_option("--tests", tests_, "what to measure (default pp512,tg64; see below)")
        ->type_name("LIST");
    app.add_option("--repetitions", plan_.repetitions, "of which the median counts (default 3)")
        ->type_name("N")
        ->check(Between(1, 1000));
    app.add_flag("--explain", report_.explain, "show the arithmetic of the limits");
    app.add_flag("--profile", plan_.profile, "show where the time goes, by operation");
    app.add_flag("--absorbed", plan_.absorbed, "latent attention in the one form that serve uses");
    model_.DeclareEngine(app, false);
    DeclareJson(app, json_);
    app.footer(
        "A test is ppN (a prompt of N tokens) or tgN (N tokens one by one), then xS for\n"
        "S sequences at once and @D for a depth of D tokens: tg32x16@4096. The past of\n"
        "a deep sequence is noise. The machine's limits are measured in between.");
  }

  Status Run(Console& console) override {
    TUTTI_ASSIGN_OR_RETURN(plan_.tests, ParseBenchTests(tests_.empty() ? kDefaultTests : tests_));
    model_.engine.context = 0;
    if (!tests_.empty()) MakeRoom(plan_.tests, model_.engine);
    WarnOfSlowKernels(console);
    TUTTI_ASSIGN_OR_RETURN(const LoadedModel loaded, Load());
    Engine& engine = *loaded.engine;
    // The tests that nobody asked for fit any model.
    for (BenchTest& test : plan_.tests) test.tokens = std::min(test.tokens, engine.context());
    TUTTI_RETURN_IF_ERROR(CheckAnswer(engine, plan_));

    Progress progress(console, "bench", std::ssize(plan_.tests) * RunsOf(plan_));
    progress.Update(0);
    int64_t done = 0;
    TUTTI_ASSIGN_OR_RETURN(report_.results,
                           RunBench(engine, plan_, [&] { progress.Update(++done); }));
    progress.Finish();
    report_.model = loaded.choice.name;
    report_.engine = &engine;
    report_.exact = model_.engine.exact;
    report_.absorbed = plan_.absorbed;
    if (json_) {
      PrintBenchJson(console, report_);
    } else {
      PrintBenchTables(console, report_);
    }
    return {};
  }

 private:
  // With room for CheckAnswer too, unless the model was made for less.
  Result<LoadedModel> Load() const {
    EngineOptions engine = model_.engine;
    if (engine.context > 0) engine.context = std::max(engine.context, kCheckedContext);
    Result<LoadedModel> loaded = LoadModel(model_.model, engine);
    const bool roomier = engine.context != model_.engine.context;
    if (loaded.ok() || !roomier || loaded.status().code() != StatusCode::kUsage) return loaded;
    return LoadModel(model_.model, model_.engine);
  }

  ModelOptions model_;
  std::string tests_;
  BenchPlan plan_;
  BenchReport report_;
  bool json_ = false;
};

}  // namespace

std::unique_ptr<Command> MakeBenchCommand() { return std::make_unique<BenchCommand>(); }

}  // namespace tutti::cli
