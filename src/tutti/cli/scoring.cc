#include "tutti/cli/scoring.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "tutti/cli/console.h"

namespace tutti::cli {
namespace {

constexpr int64_t kLogitBytes = 64 << 20;

struct Sums {
  double nll = 0;
  double nll_squared = 0;
  int64_t tokens = 0;

  Perplexity Measure() const {
    Perplexity result;
    result.tokens = tokens;
    const auto n = static_cast<double>(tokens);
    const double mean = nll / n;
    const double variance = nll_squared / n - mean * mean;
    result.perplexity = std::exp(mean);
    if (variance > 0 && tokens > 1) {
      result.error = std::sqrt(variance / (n - 1)) * result.perplexity;
    }
    return result;
  }
};

Status AppendAndTake(Engine& engine, SequenceId sequence, std::span<const TokenId> ids,
                     size_t first, const std::function<Status(std::span<const float> rows)>& take) {
  const int64_t vocab_size = engine.spec().vocab_size;
  const auto rows = static_cast<size_t>(
      std::max<int64_t>(kLogitBytes / (vocab_size * static_cast<int64_t>(sizeof(float))), 16));
  const auto chunk = static_cast<size_t>(engine.prefill_chunk());
  for (size_t begin = 0; begin < ids.size();) {
    if (Interrupted()) return InterruptedError();
    const bool wanted = begin >= first;
    const size_t end = wanted ? std::min(begin + std::min(rows, chunk), ids.size())
                              : std::min(begin + chunk, first);
    Batch batch;
    batch.entries.push_back({sequence, ids.subspan(begin, end - begin),
                             wanted ? LogitsWanted::kAll : LogitsWanted::kNone,
                             static_cast<int32_t>(ids.size())});
    TUTTI_ASSIGN_OR_RETURN(const StepResult step, engine.Forward(batch));
    if (wanted) TUTTI_RETURN_IF_ERROR(take(step.logits));
    begin = end;
  }
  return {};
}

}  // namespace

Status ForEachLogits(Engine& engine, std::span<const TokenId> ids, size_t first,
                     const std::function<Status(std::span<const float> rows)>& take) {
  TUTTI_ASSIGN_OR_RETURN(const SequenceId sequence, engine.NewSequence());
  const Status status = AppendAndTake(engine, sequence, ids, first, take);
  engine.EndSequence(sequence);
  return status;
}

double NegativeLogLikelihood(std::span<const float> logits, TokenId target) {
  float largest = -std::numeric_limits<float>::infinity();
  for (const float logit : logits) {
    if (std::isnan(logit)) return logit;
    largest = std::max(largest, logit);
  }
  double sum = 0;
  for (const float logit : logits) sum += std::exp(static_cast<double>(logit) - largest);
  return std::log(sum) + largest - logits[static_cast<size_t>(target)];
}

Result<Perplexity> ComputePerplexity(
    Engine& engine, std::span<const TokenId> ids, int32_t context, int64_t max_windows, TokenId bos,
    const std::function<void(int64_t windows, const Perplexity&)>& report) {
  const auto size = static_cast<size_t>(context);
  if (size < 4) return UsageError("--context {} is too short to score anything", context);
  int64_t windows = static_cast<int64_t>(ids.size() / size);
  if (windows == 0) {
    return DataError("the text has {} tokens, one window needs {}: lower --context", ids.size(),
                     context);
  }
  const auto vocab_size = static_cast<size_t>(engine.spec().vocab_size);
  for (const TokenId id : ids) {
    if (id >= 0 && static_cast<size_t>(id) < vocab_size) continue;
    return DataError("token {} is not in the model's vocabulary of {} tokens", id, vocab_size);
  }
  if (max_windows >= 0) windows = std::min(windows, max_windows);
  Sums sums;
  for (int64_t window = 0; window < windows; ++window) {
    const auto tokens = ids.subspan(static_cast<size_t>(window) * size, size);
    TokenIds input(tokens.begin(), tokens.end() - 1);  // nothing is after the last one
    if (bos != kNoToken) input.front() = bos;
    size_t position = size / 2;
    TUTTI_RETURN_IF_ERROR(ForEachLogits(engine, input, position, [&](std::span<const float> rows) {
      for (; !rows.empty(); rows = rows.subspan(vocab_size)) {
        const double nll = NegativeLogLikelihood(rows.first(vocab_size), tokens[++position]);
        if (!std::isfinite(nll)) {
          return DataError("the logits at token {} of window {} are not numbers", position - 1,
                           window);
        }
        sums.nll += nll;
        sums.nll_squared += nll * nll;
        ++sums.tokens;
      }
      return Status();
    }));
    if (report) report(window + 1, sums.Measure());
  }
  return sums.Measure();
}

}  // namespace tutti::cli
