// How likely a model finds a text: logits at many positions and perplexity.
//
// Threads: one. Errors: those of the engine; kData for ids outside the vocabulary and for logits
// that are not numbers; kCancelled on Ctrl-C.
#pragma once
#include <functional>
#include <span>

#include "tutti/base/ids.h"
#include "tutti/base/status.h"
#include "tutti/engine.h"

namespace tutti::cli {

// Computes `ids` in a sequence of their own and hands on the logits of positions first, first + 1,
// ... in order, some rows [n, vocab_size] at a time, so that no more than a few dozen MB are alive.
Status ForEachLogits(Engine& engine, std::span<const TokenId> ids, size_t first,
                     const std::function<Status(std::span<const float> rows)>& take);

// Negative log-likelihood of `target` under softmax(logits), in nats. NaN where the logits are not
// numbers.
double NegativeLogLikelihood(std::span<const float> logits, TokenId target);

struct Perplexity {
  double perplexity = 0;
  double error = 0;    // standard error of `perplexity`
  int64_t tokens = 0;  // scored
};

// The windowed measure as llama.cpp defines it: `ids` are cut into windows of `context` tokens
// without overlap (the rest at the end is dropped), each computed from an empty cache. In each the
// logits at positions context / 2 ... context - 2 score the tokens after them. `bos`, unless
// kNoToken, takes the place of each window's first token.
//
// The error is that of a mean of independent samples, as a factor of the perplexity:
// sqrt((mean(nll^2) - mean(nll)^2) / (n - 1)).
//
// `max_windows` < 0: all. `report` is called after each window with the measure so far.
Result<Perplexity> ComputePerplexity(
    Engine& engine, std::span<const TokenId> ids, int32_t context, int64_t max_windows, TokenId bos,
    const std::function<void(int64_t windows, const Perplexity&)>& report);

}  // namespace tutti::cli
