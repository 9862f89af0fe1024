#include "tutti/cli/scoring.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tutti/engine/fake_engine.h"

namespace tutti::cli {
namespace {

using engine::FakeEngine;

TEST(NegativeLogLikelihood, OfHandComputedDistributions) {
  const std::vector<float> logits = {std::log(1.0f), std::log(2.0f), std::log(5.0f)};
  EXPECT_NEAR(NegativeLogLikelihood(logits, 2), std::log(8.0 / 5), 1e-6);
  EXPECT_NEAR(NegativeLogLikelihood(std::vector<float>{1000, 0}, 1), 1000, 1e-3);
  EXPECT_TRUE(std::isnan(NegativeLogLikelihood(std::vector<float>{0, std::nanf("")}, 0)));
}

// What ComputePerplexity must find for FakeEngine, from its definition: the logits of the predicted
// token are 10, all others 0.
Perplexity Expected(const FakeEngine& engine, const TokenIds& ids, size_t context, size_t windows,
                    TokenId bos) {
  const double vocab_size = engine.spec().vocab_size;
  const double log_sum = std::log(std::exp(10.0) + vocab_size - 1);
  double sum = 0;
  double squares = 0;
  int64_t n = 0;
  for (size_t window = 0; window < windows; ++window) {
    TokenIds seen(ids.begin() + static_cast<ptrdiff_t>(window * context),
                  ids.begin() + static_cast<ptrdiff_t>((window + 1) * context));
    if (bos != kNoToken) seen.front() = bos;
    for (size_t i = context / 2; i + 1 < context; ++i) {
      const TokenIds before(seen.begin(), seen.begin() + static_cast<ptrdiff_t>(i) + 1);
      const double nll = log_sum - (engine.Next(before) == seen[i + 1] ? 10 : 0);
      sum += nll;
      squares += nll * nll;
      ++n;
    }
  }
  const double mean = sum / static_cast<double>(n);
  const double variance = squares / static_cast<double>(n) - mean * mean;
  return {std::exp(mean), std::exp(mean) * std::sqrt(variance / static_cast<double>(n - 1)), n};
}

TokenIds Text(const FakeEngine& engine, size_t size) {
  TokenIds ids = {1};
  // Mostly what the engine predicts, sometimes not.
  while (ids.size() < size) ids.push_back(ids.size() % 3 == 0 ? 2 : engine.Next(ids));
  return ids;
}

TEST(Perplexity, ScoresTheSecondHalfOfEachWindow) {
  FakeEngine engine(20, 64);
  const TokenIds ids = Text(engine, 100);
  for (const TokenId bos : {kNoToken, 7}) {
    const auto result = ComputePerplexity(engine, ids, 16, -1, bos, {});
    const Perplexity expected = Expected(engine, ids, 16, 6, bos);
    ASSERT_TRUE(result.ok());
    EXPECT_EQ(result->tokens, 6 * 7);
    EXPECT_EQ(result->tokens, expected.tokens);
    EXPECT_NEAR(result->perplexity, expected.perplexity, 1e-6 * expected.perplexity);
    EXPECT_NEAR(result->error, expected.error, 1e-6 * expected.error);
  }
}

TEST(Perplexity, LongWindowsAreComputedInPieces) {
  FakeEngine engine(20, 4096);
  const TokenIds ids = Text(engine, 2100);
  const auto result = ComputePerplexity(engine, ids, 2048, -1, kNoToken, {});
  const Perplexity expected = Expected(engine, ids, 2048, 1, kNoToken);
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->tokens, 1023);
  EXPECT_NEAR(result->perplexity, expected.perplexity, 1e-6 * expected.perplexity);
}

TEST(Perplexity, ReportsEveryWindowAndStopsAtTheLimit) {
  FakeEngine engine(20, 64);
  const TokenIds ids = Text(engine, 100);
  std::vector<int64_t> windows;
  const auto result = ComputePerplexity(
      engine, ids, 16, 2, kNoToken, [&](int64_t n, const Perplexity&) { windows.push_back(n); });
  EXPECT_EQ(windows, (std::vector<int64_t>{1, 2}));
  EXPECT_EQ(result->tokens, 14);
}

TEST(Perplexity, TooShortTextsAndForeignIdsAreErrors) {
  FakeEngine engine(20, 64);
  EXPECT_EQ(ComputePerplexity(engine, TokenIds(15, 1), 16, -1, kNoToken, {}).status().code(),
            StatusCode::kData);
  EXPECT_EQ(ComputePerplexity(engine, TokenIds(16, 20), 16, -1, kNoToken, {}).status().code(),
            StatusCode::kData);
}

TEST(Perplexity, NoSequenceStaysOpenAfterAnError) {
  FakeEngine engine(20, 64);
  const TokenIds ids = Text(engine, 64);
  // The context is full in the middle of the window.
  EXPECT_EQ(ComputePerplexity(engine, TokenIds(200, 1), 100, -1, kNoToken, {}).status().code(),
            StatusCode::kResource);
  EXPECT_EQ(engine.sequences(), 0u);
  const auto refuse = [](std::span<const float>) { return DataError("enough"); };
  EXPECT_FALSE(ForEachLogits(engine, ids, 0, refuse).ok());
  EXPECT_EQ(engine.sequences(), 0u);
  EXPECT_TRUE(ComputePerplexity(engine, ids, 16, -1, kNoToken, {}).ok());
  EXPECT_EQ(engine.sequences(), 0u);
}

TEST(ForEachLogits, HandsOnEveryPositionOnce) {
  FakeEngine engine(20, 2000);
  const TokenIds ids = Text(engine, 1500);
  std::vector<float> all;
  ASSERT_TRUE(ForEachLogits(engine, ids, 0, [&](std::span<const float> rows) {
                all.insert(all.end(), rows.begin(), rows.end());
                return Status();
              }).ok());
  ASSERT_EQ(all.size(), 1500u * 20);
  for (size_t i : {size_t{0}, size_t{511}, size_t{512}, size_t{1499}}) {
    const TokenIds before(ids.begin(), ids.begin() + static_cast<ptrdiff_t>(i) + 1);
    EXPECT_EQ(all[i * 20 + static_cast<size_t>(engine.Next(before))], 10) << i;
  }
}

}  // namespace
}  // namespace tutti::cli
