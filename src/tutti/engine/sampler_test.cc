#include "tutti/engine/sampler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>

namespace tutti::engine {
namespace {

using ::testing::HasSubstr;

SamplingSpec Plain(float temperature) {
  SamplingSpec spec;
  spec.temperature = temperature;
  spec.top_k = 0;
  spec.top_p = 1;
  spec.min_p = 0;
  return spec;
}

TokenId SampleOne(const SamplingSpec& spec, const std::vector<float>& logits,
                  const TokenIds& history = {}) {
  Sampler sampler = Sampler::Create(spec, static_cast<int32_t>(logits.size())).value();
  return sampler.Sample(logits, history).value().id;
}

// How often each token comes in `draws` draws.
std::map<TokenId, double> Frequencies(const SamplingSpec& spec, const std::vector<float>& logits,
                                      int draws = 20000) {
  Sampler sampler = Sampler::Create(spec, static_cast<int32_t>(logits.size())).value();
  std::map<TokenId, double> counts;
  for (int i = 0; i < draws; ++i) counts[sampler.Sample(logits, {}).value().id] += 1.0 / draws;
  return counts;
}

std::vector<float> Logs(const std::vector<double>& probabilities) {
  std::vector<float> logits;
  for (const double p : probabilities) logits.push_back(static_cast<float>(std::log(p)));
  return logits;
}

// Four standard deviations of a frequency over 20,000 draws are at most 0.0142.
constexpr double kTolerance = 0.0142;

TEST(Sampler, GreedyTakesTheLargestAndTheLowerIdOfEquals) {
  EXPECT_EQ(SampleOne(Plain(0), {0, 3, 1, 3}), 1);
  EXPECT_EQ(SampleOne(Plain(0), {-5, -5, -5}), 0);
}

TEST(Sampler, DrawsFromTheSoftmax) {
  const auto f = Frequencies(Plain(1), Logs({0.5, 0.1, 0.15, 0.25}));
  EXPECT_NEAR(f.at(0), 0.5, kTolerance);
  EXPECT_NEAR(f.at(1), 0.1, kTolerance);
  EXPECT_NEAR(f.at(2), 0.15, kTolerance);
  EXPECT_NEAR(f.at(3), 0.25, kTolerance);
}

TEST(Sampler, TemperatureTwoTakesSquareRoots) {
  // sqrt(0.64) : sqrt(0.36) = 0.8 : 0.6
  const auto f = Frequencies(Plain(2), Logs({0.64, 0.36}));
  EXPECT_NEAR(f.at(0), 0.8 / 1.4, kTolerance);
}

TEST(Sampler, TopKKeepsTheKBestAndTiesByLowerId) {
  SamplingSpec spec = Plain(1);
  spec.top_k = 2;
  auto f = Frequencies(spec, Logs({0.1, 0.6, 0.3}));
  EXPECT_EQ(f.size(), 2u);
  EXPECT_NEAR(f.at(1), 0.6 / 0.9, kTolerance);
  f = Frequencies(spec, {1, 1, 1, 1}, 500);
  EXPECT_EQ(f.size(), 2u);
  EXPECT_TRUE(f.contains(0) && f.contains(1));
}

TEST(Sampler, TopPKeepsTheFewestThatReachIt) {
  SamplingSpec spec = Plain(1);
  spec.top_p = 0.75f;
  auto f = Frequencies(spec, Logs({0.15, 0.5, 0.05, 0.3}));
  EXPECT_EQ(f.size(), 2u);  // 0.5 + 0.3
  EXPECT_NEAR(f.at(1), 0.5 / 0.8, kTolerance);
  spec.top_p = 0;  // always the best one
  f = Frequencies(spec, Logs({0.3, 0.3, 0.4}), 200);
  EXPECT_EQ(f.size(), 1u);
  EXPECT_TRUE(f.contains(2));
}

TEST(Sampler, TopPLooksAtWhatTopKLeft) {
  SamplingSpec spec = Plain(1);
  spec.top_k = 2;
  spec.top_p = 0.6f;  // of 0.4 + 0.2: 0.4 / 0.6 is enough
  const auto f = Frequencies(spec, Logs({0.2, 0.4, 0.2, 0.2}), 500);
  EXPECT_EQ(f.size(), 1u);
}

TEST(Sampler, TopPAgreesWithASlowTwinOnManyTokens) {
  // More tokens than are sorted at once.
  std::vector<float> logits(1000);
  Rng rng(3);
  for (float& logit : logits) logit = static_cast<float>(rng.NextDouble() * 4);
  std::vector<std::pair<double, TokenId>> sorted;
  double total = 0;
  for (size_t i = 0; i < logits.size(); ++i) {
    sorted.emplace_back(-std::exp(static_cast<double>(logits[i])), static_cast<TokenId>(i));
    total += std::exp(static_cast<double>(logits[i]));
  }
  std::sort(sorted.begin(), sorted.end());
  std::map<TokenId, bool> allowed;
  double sum = 0;
  for (const auto& [negative, id] : sorted) {
    if (sum >= 0.9 * total) break;
    sum -= negative;
    allowed[id] = true;
  }
  SamplingSpec spec = Plain(1);
  spec.top_p = 0.9f;
  const auto f = Frequencies(spec, logits);
  for (const auto& [id, frequency] : f) EXPECT_TRUE(allowed.contains(id)) << id;
  EXPECT_GT(f.size(), 300u);
}

TEST(Sampler, MinPDropsWhatIsFarBelowTheBest) {
  SamplingSpec spec = Plain(1);
  spec.min_p = 0.5f;
  const auto f = Frequencies(spec, Logs({0.5, 0.26, 0.24}));
  EXPECT_EQ(f.size(), 2u);
  EXPECT_NEAR(f.at(0), 0.5 / 0.76, kTolerance);
}

TEST(Sampler, RepetitionPenaltyDividesPositiveAndMultipliesNegative) {
  SamplingSpec spec = Plain(0);
  spec.repetition_penalty = 2;
  EXPECT_EQ(SampleOne(spec, {4, 3, 0}, {0}), 1);        // 4 / 2 < 3
  EXPECT_EQ(SampleOne(spec, {-4, -3, -9}, {1}), 0);     // -3 * 2 < -4
  EXPECT_EQ(SampleOne(spec, {4, 1.5f, 0}, {0, 0}), 0);  // once, however often it occurred
}

TEST(Sampler, PresenceCountsOnceAndFrequencyEveryTime) {
  SamplingSpec spec = Plain(0);
  spec.presence_penalty = 1;
  EXPECT_EQ(SampleOne(spec, {4, 3.5f}, {0, 0, 0}), 1);
  EXPECT_EQ(SampleOne(spec, {4, 2.5f}, {0, 0, 0}), 0);
  spec = Plain(0);
  spec.frequency_penalty = 0.5f;
  EXPECT_EQ(SampleOne(spec, {4, 2.6f}, {0, 0}), 0);
  EXPECT_EQ(SampleOne(spec, {4, 2.6f}, {0, 0, 0}), 1);
}

TEST(Sampler, PenaltiesLookBackAsFarAsTheWindow) {
  SamplingSpec spec = Plain(0);
  spec.presence_penalty = 5;
  spec.penalty_window = 2;
  EXPECT_EQ(SampleOne(spec, {4, 3, 0}, {0, 2, 2}), 0);
  EXPECT_EQ(SampleOne(spec, {4, 3, 0}, {2, 0, 2}), 1);
  spec.penalty_window = -1;
  EXPECT_EQ(SampleOne(spec, {4, 3, 0}, {0, 2, 2}), 1);
  spec.penalty_window = 0;
  EXPECT_EQ(SampleOne(spec, {4, 3, 0}, {0}), 0);
  spec.penalty_window = -1;
  EXPECT_EQ(SampleOne(spec, {4, 3, 0}, {-1, 77}), 0);  // not in the vocabulary
}

TEST(Sampler, LogitBiasForcesAndForbids) {
  SamplingSpec spec = Plain(0);
  spec.logit_bias = {{2, 100.0f}};
  EXPECT_EQ(SampleOne(spec, {4, 3, 0}), 2);
  spec.logit_bias = {{0, -INFINITY}};
  EXPECT_EQ(SampleOne(spec, {4, 3, 0}), 1);
  SamplingSpec random = Plain(1);
  random.logit_bias = {{0, -INFINITY}};
  EXPECT_FALSE(Frequencies(random, {4, 3, 0}, 500).contains(0));
}

TEST(Sampler, SameSeedSameTokens) {
  std::vector<float> logits(300);
  for (size_t i = 0; i < logits.size(); ++i) logits[i] = static_cast<float>(i % 17);
  SamplingSpec spec;
  spec.seed = 11;
  const auto text = [&](uint64_t seed) {
    spec.seed = seed;
    Sampler sampler = Sampler::Create(spec, 300).value();
    TokenIds ids;
    for (int i = 0; i < 50; ++i) ids.push_back(sampler.Sample(logits, ids).value().id);
    return ids;
  };
  EXPECT_EQ(text(11), text(11));
  EXPECT_NE(text(11), text(12));
}

TEST(Sampler, LogprobsAreOfTheUnmodifiedDistribution) {
  SamplingSpec spec = Plain(0);
  spec.logit_bias = {{1, 50.0f}};
  spec.repetition_penalty = 3;
  spec.logprobs = 2;
  const std::vector<float> logits = Logs({0.5, 0.2, 0.3});
  Sampler sampler = Sampler::Create(spec, 3).value();
  const SampledToken token = sampler.Sample(logits, TokenIds{0, 0}).value();
  EXPECT_EQ(token.id, 1);
  EXPECT_NEAR(token.logprob, std::log(0.2), 1e-6);
  ASSERT_EQ(token.best.size(), 2u);
  EXPECT_EQ(token.best[0].id, 0);
  EXPECT_NEAR(token.best[0].logprob, std::log(0.5), 1e-6);
  EXPECT_EQ(token.best[1].id, 2);
  EXPECT_NEAR(token.best[1].logprob, std::log(0.3), 1e-6);
}

TEST(Sampler, NanAndInfinityAreErrorsAndMinusInfinityExcludes) {
  const float nan = std::nanf("");
  Sampler sampler = Sampler::Create(Plain(1), 3).value();
  EXPECT_EQ(sampler.Sample(std::vector<float>{0, nan, 0}, {}).status().code(), StatusCode::kData);
  const auto infinite = sampler.Sample(std::vector<float>{0, 0, INFINITY}, {});
  EXPECT_EQ(infinite.status().code(), StatusCode::kData);
  EXPECT_THAT(infinite.status().message(), HasSubstr("token 2"));
  const float no = -INFINITY;
  EXPECT_EQ(sampler.Sample(std::vector<float>{no, no, no}, {}).status().code(), StatusCode::kData);
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(sampler.Sample(std::vector<float>{no, -1e30f, no}, {}).value().id, 1);
  }
}

TEST(Sampler, ExtremeLogitsStayFinite) {
  for (const float temperature : {0.0f, 1e-30f, 0.01f, 100.0f}) {
    SamplingSpec spec;
    spec.temperature = temperature;
    Sampler sampler = Sampler::Create(spec, 3).value();
    const auto token = sampler.Sample(std::vector<float>{-3e38f, 3e38f, 1}, {});
    ASSERT_TRUE(token.ok());
    EXPECT_EQ(token.value().id, 1);
  }
}

TEST(Sampler, RefusesSpecsOutOfRange) {
  const auto refused = [](auto change) {
    SamplingSpec spec;
    change(spec);
    return Sampler::Create(spec, 10).status().code() == StatusCode::kUsage;
  };
  EXPECT_TRUE(refused([](SamplingSpec& s) { s.temperature = -1; }));
  EXPECT_TRUE(refused([](SamplingSpec& s) { s.temperature = std::nanf(""); }));
  EXPECT_TRUE(refused([](SamplingSpec& s) { s.top_k = -1; }));
  EXPECT_TRUE(refused([](SamplingSpec& s) { s.top_p = 1.5f; }));
  EXPECT_TRUE(refused([](SamplingSpec& s) { s.min_p = -0.1f; }));
  EXPECT_TRUE(refused([](SamplingSpec& s) { s.repetition_penalty = 0; }));
  EXPECT_TRUE(refused([](SamplingSpec& s) { s.presence_penalty = INFINITY; }));
  EXPECT_TRUE(refused([](SamplingSpec& s) { s.penalty_window = -2; }));
  EXPECT_TRUE(refused([](SamplingSpec& s) { s.logit_bias = {{10, 1}}; }));
  EXPECT_TRUE(refused([](SamplingSpec& s) { s.logit_bias = {{1, std::nanf("")}}; }));
  EXPECT_TRUE(refused([](SamplingSpec& s) { s.logprobs = 11; }));
  EXPECT_FALSE(refused([](SamplingSpec&) {}));
}

TEST(SamplerTest, OnlyAllowedTokensCome) {
  const std::vector<float> logits = {5, 4, 3, 2, 1};
  const std::vector<uint32_t> allowed = {0b11000};
  Sampler greedy = Sampler::Create(Plain(0), 5).value();
  EXPECT_EQ(greedy.Sample(logits, {}, allowed).value().id, 3);
  for (const bool filtered : {false, true}) {
    SamplingSpec spec = Plain(1);
    if (filtered) spec.top_k = 3, spec.top_p = 0.999f, spec.min_p = 0.01f;
    Sampler sampler = Sampler::Create(spec, 5).value();
    std::map<TokenId, int> counts;
    for (int i = 0; i < 2000; ++i) ++counts[sampler.Sample(logits, {}, allowed).value().id];
    EXPECT_EQ(counts.size(), 2u);
    EXPECT_NEAR(counts[3], 2000 / (1 + std::exp(-1)), 100);
    EXPECT_GT(counts[4], 0);
  }
}

TEST(SamplerTest, MasksMayBeShorterThanTheVocabulary) {
  const std::vector<float> logits(40, 1.0f);
  const std::vector<uint32_t> allowed = {1u << 31};
  Sampler sampler = Sampler::Create(Plain(1), 40).value();
  EXPECT_EQ(sampler.Sample(logits, {}, allowed).value().id, 31);
  const std::vector<uint32_t> nothing = {0};
  const auto none = sampler.Sample(logits, {}, nothing);
  ASSERT_FALSE(none.ok());
  EXPECT_EQ(none.status().code(), StatusCode::kData);
  EXPECT_THAT(none.status().message(), HasSubstr("allowed"));
}

TEST(SamplerTest, LogprobsAreTheModelsWhateverIsAllowed) {
  SamplingSpec spec = Plain(0);
  spec.logprobs = 2;
  Sampler sampler = Sampler::Create(spec, 3).value();
  const std::vector<uint32_t> allowed = {0b100};
  const SampledToken token = sampler.Sample(Logs({0.5, 0.3, 0.2}), {}, allowed).value();
  EXPECT_EQ(token.id, 2);
  EXPECT_NEAR(token.logprob, std::log(0.2), 1e-5);
  EXPECT_EQ(token.best[0].id, 0);
  EXPECT_EQ(token.best[1].id, 1);
}

TEST(SamplerTest, BiasAndPenaltiesBringNothingForbiddenBack) {
  SamplingSpec spec = Plain(0);
  spec.logit_bias = {{0, 100.0f}};
  spec.repetition_penalty = 2;
  spec.presence_penalty = -50;
  Sampler sampler = Sampler::Create(spec, 3).value();
  const std::vector<uint32_t> allowed = {0b110};
  EXPECT_EQ(sampler.Sample(std::vector<float>{9, 1, 2}, TokenIds{0}, allowed).value().id, 2);
}

TEST(SamplerTest, ASkippedDrawIsAsOneThatWasMade) {
  const std::vector<float> logits(20, 1.0f);
  for (const float temperature : {0.0f, 1.0f}) {
    SamplingSpec spec;
    spec.temperature = temperature;
    Sampler one = Sampler::Create(spec, 20).value();
    Sampler other = Sampler::Create(spec, 20).value();
    for (int i = 0; i < 5; ++i) {
      ASSERT_TRUE(one.Sample(logits, {}).ok());
      other.SkipDraw();
    }
    for (int i = 0; i < 5; ++i) {
      EXPECT_EQ(one.Sample(logits, {}).value().id, other.Sample(logits, {}).value().id);
    }
  }
}

}  // namespace
}  // namespace tutti::engine
