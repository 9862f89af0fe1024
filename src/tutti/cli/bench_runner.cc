#include "tutti/cli/bench_runner.h"

#include <algorithm>
#include <chrono>

#include "tutti/base/rng.h"
#include "tutti/cli/console.h"
#include "tutti/kernels/attention_unfold.h"
#include "tutti/os/team.h"
#include "tutti/os/thread_pool.h"

namespace tutti::cli {
namespace {

constexpr double kLimitsSeconds = 0.3;
constexpr int64_t kCheckedTokens = kCheckedContext - 1;  // one by one

TokenIds RandomIds(int32_t vocab_size, int64_t count, uint64_t seed) {
  Rng rng(seed);
  TokenIds ids;
  for (int64_t i = 0; i < count; ++i) {
    ids.push_back(static_cast<TokenId>(rng.NextU64() % static_cast<uint64_t>(vocab_size)));
  }
  return ids;
}

// The sequences of one test.
class TestRun {
 public:
  TestRun(Engine& engine, const BenchTest& test, bool absorbed)
      : engine_(engine), test_(test), absorbed_(absorbed) {}
  TestRun(const TestRun&) = delete;
  TestRun& operator=(const TestRun&) = delete;
  ~TestRun() {
    for (const SequenceId id : sequences_) engine_.EndSequence(id);
  }

  // Sequences as deep as the test wants them. Their past is noise: computing it would take longer
  // than all else and not change the speed.
  Status Open() {
    for (int32_t i = 0; i < test_.sequences; ++i) {
      TUTTI_ASSIGN_OR_RETURN(const SequenceId id, engine_.NewSequence());
      sequences_.push_back(id);
      ids_.push_back(RandomIds(engine_.spec().vocab_size, test_.tokens, 1 + uint64_t(i)));
      if (test_.depth > 0) TUTTI_RETURN_IF_ERROR(engine_.ExtendWithNoise(id, test_.depth));
    }
    return {};
  }

  // Seconds of one repetition; the sequences are at their depth again afterwards.
  Result<double> Repeat() {
    const auto begin = std::chrono::steady_clock::now();
    if (test_.kind == BenchKind::kPrefill) {
      TUTTI_RETURN_IF_ERROR(Forward(0, ids_.front().size()));
    } else {
      for (size_t i = 0; i < ids_.front().size(); ++i) TUTTI_RETURN_IF_ERROR(Forward(i, 1));
    }
    const auto end = std::chrono::steady_clock::now();
    for (const SequenceId id : sequences_) engine_.Truncate(id, test_.depth);
    return std::chrono::duration<double>(end - begin).count();
  }

 private:
  Status Forward(size_t first, size_t count) {
    if (Interrupted()) return InterruptedError();
    const int32_t prompt = test_.depth + (test_.kind == BenchKind::kPrefill ? test_.tokens : 0);
    Batch batch;
    for (size_t s = 0; s < sequences_.size(); ++s) {
      batch.entries.push_back({.sequence = sequences_[s],
                               .tokens = std::span<const TokenId>(ids_[s]).subspan(first, count),
                               .logits = LogitsWanted::kLast,
                               .prompt_length = absorbed_ ? 0 : prompt});
    }
    return engine_.Forward(batch).status();
  }

  Engine& engine_;
  const BenchTest test_;
  const bool absorbed_;
  std::vector<SequenceId> sequences_;
  std::vector<TokenIds> ids_;  // [sequences][tokens]
};

Result<BenchResult> RunTest(Engine& engine, const BenchPlan& plan, const BenchTest& test,
                            kernels::LimitsMeter& meter, const std::function<void()>& progress) {
  BenchResult result{.test = test, .tokens_per_s = {}, .limits = {}, .work = {}, .profile = {}};
  TestRun run(engine, test, plan.absorbed);
  TUTTI_RETURN_IF_ERROR(run.Open());
  // The first repetition warms up; what it touches is what the others touch.
  engine.StartProfile();
  const Status warm = run.Repeat().status();
  result.work = WorkOf(test, engine.spec(), engine.costs(), engine.StopProfile());
  TUTTI_RETURN_IF_ERROR(warm);
  progress();
  for (int i = 0; i < plan.repetitions; ++i) {
    result.limits.push_back(meter.Measure(kLimitsSeconds));
    TUTTI_ASSIGN_OR_RETURN(const double seconds, run.Repeat());
    result.tokens_per_s.push_back(static_cast<double>(test.total_tokens()) / seconds);
    progress();
  }
  result.limits.push_back(meter.Measure(kLimitsSeconds));
  if (plan.profile) {
    engine.StartProfile();
    const Status status = run.Repeat().status();
    result.profile = engine.StopProfile();
    TUTTI_RETURN_IF_ERROR(status);
    progress();
  }
  return result;
}

// Tokens of a prompt from which on latent attention takes its form for long prompts; 0: none does.
int64_t UnfoldingRows(const ModelSpec& spec) {
  int64_t rows = 0;
  for (const AttentionSpec& a : spec.attention) {
    if (a.kind != AttentionKind::kLatent) continue;
    rows = std::max(
        rows, kernels::UnfoldingRows(a.kv_rank, a.key_dim - a.nope_dim, a.nope_dim, a.value_dim));
  }
  return rows;
}

}  // namespace

Status CheckAnswer(Engine& engine, const BenchPlan& plan) {
  const int64_t count =
      std::min<int64_t>(UnfoldingRows(engine.spec()) + kCheckedContext, engine.context());
  const auto prompt_length = static_cast<int32_t>(plan.absorbed ? 0 : count);
  const TokenIds ids = RandomIds(engine.spec().vocab_size, count, 1);
  const auto last_logits = [&](const std::vector<int64_t>& pieces) -> Result<std::vector<float>> {
    TUTTI_ASSIGN_OR_RETURN(const SequenceId sequence, engine.NewSequence());
    std::vector<float> logits;
    Status status;
    auto rest = std::span<const TokenId>(ids);
    for (size_t i = 0; i < pieces.size() && status.ok(); ++i) {
      const auto piece = static_cast<size_t>(pieces[i]);
      Result<StepResult> step = engine.Forward(
          {{{.sequence = sequence, .tokens = rest.first(piece), .prompt_length = prompt_length}}});
      status = step.status();
      if (step.ok()) logits = std::move(step->logits);
      rest = rest.subspan(piece);
    }
    engine.EndSequence(sequence);
    TUTTI_RETURN_IF_ERROR(status);
    return logits;
  };
  std::vector<int64_t> pieces;
  for (int64_t left = count; left > 0; left -= pieces.back()) {
    pieces.push_back(left > kCheckedTokens ? std::min(left - kCheckedTokens, kCheckedTokens) : 1);
  }
  TUTTI_ASSIGN_OR_RETURN(const std::vector<float> whole, last_logits({count}));
  TUTTI_ASSIGN_OR_RETURN(const std::vector<float> single, last_logits(pieces));
  for (size_t i = 0; i < whole.size(); ++i) {
    if (!(whole[i] == single[i])) {  // nor NaN
      return Error(StatusCode::kInternal,
                   "the logit of token {} is {} after a whole prompt and {} piece by piece", i,
                   whole[i], single[i]);
    }
  }
  return {};
}

Result<std::vector<BenchResult>> RunBench(Engine& engine, const BenchPlan& plan,
                                          const std::function<void()>& progress) {
  TUTTI_ASSIGN_OR_RETURN(
      const auto pool, os::ThreadPool::Create(os::MakeTeam(os::ReadTopology(os::RealSystemFiles()),
                                                           engine.threads())));
  const os::BindToNode bound(pool->team(), 0);
  kernels::LimitsMeter meter(*pool);
  std::vector<BenchResult> results;
  for (const BenchTest& test : plan.tests) {
    TUTTI_ASSIGN_OR_RETURN(BenchResult result, RunTest(engine, plan, test, meter, progress));
    results.push_back(std::move(result));
  }
  return results;
}

}  // namespace tutti::cli
