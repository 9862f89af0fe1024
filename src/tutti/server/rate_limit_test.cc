#include "tutti/server/rate_limit.h"

#include <gtest/gtest.h>

#include <map>

namespace tutti::server {
namespace {

std::map<std::string, std::string> Map(const std::vector<Header>& headers) {
  std::map<std::string, std::string> map;
  for (const Header& header : headers) map[header.name] = header.value;
  return map;
}

TEST(TokenBucketTest, FlowsAtAMinutesWorthPerMinute) {
  TokenBucket bucket(60);
  EXPECT_EQ(bucket.Level(5), 60);
  bucket.Take(60, 5);
  EXPECT_EQ(bucket.Until(1, 5), 1);
  EXPECT_EQ(bucket.Level(15), 10);
  EXPECT_EQ(bucket.Level(1000), 60);
  bucket.Take(90, 1000);
  EXPECT_EQ(bucket.Until(1, 1000), 31);
  // A clock that goes back gives nothing.
  EXPECT_EQ(bucket.Level(900), -30);
  EXPECT_EQ(bucket.Level(1010), -20);
}

TEST(KeyLimitsTest, AdmitsAsManyRequestsAsItSays) {
  const auto limits = std::make_shared<KeyLimits>(RateLimits{.requests_per_minute = 6});
  for (int i = 0; i < 6; ++i) EXPECT_TRUE(limits->Admit(100).admitted);
  const RateDecision refused = limits->Admit(100);
  EXPECT_FALSE(refused.admitted);
  EXPECT_EQ(refused.limit, "requests per minute");
  EXPECT_EQ(refused.limit_value, 6);
  EXPECT_DOUBLE_EQ(refused.retry_after_s, 10);
  EXPECT_FALSE(limits->Admit(109.9).admitted);
  EXPECT_TRUE(limits->Admit(110).admitted);
  EXPECT_FALSE(limits->Admit(110).admitted);
}

TEST(KeyLimitsTest, ChargesTokensWhenTheyAreKnown) {
  const auto limits = std::make_shared<KeyLimits>(RateLimits{.tokens_per_minute = 600});
  EXPECT_TRUE(limits->Admit(0).admitted);
  limits->ChargeTokens(1000, 0);
  const RateDecision refused = limits->Admit(0);
  EXPECT_EQ(refused.limit, "tokens per minute");
  EXPECT_NEAR(refused.retry_after_s, 40.1, 1e-9);
  EXPECT_TRUE(limits->Admit(40.2).admitted);
  EXPECT_EQ(Map(limits->OpenaiHeaders(40.2)).at("x-ratelimit-remaining-tokens"), "2");
}

TEST(KeyLimitsTest, CountsRequestsAtOnceAsLongAsTheirPermitsLive) {
  auto limits = std::make_shared<KeyLimits>(RateLimits{.requests_at_once = 2});
  auto first = limits->Admit(0);
  auto second = limits->Admit(0);
  EXPECT_TRUE(first.admitted && second.admitted);
  EXPECT_FALSE(limits->Admit(0).admitted);
  first.permit.reset();
  auto third = limits->Admit(0);
  EXPECT_TRUE(third.admitted);
  EXPECT_FALSE(limits->Admit(0).admitted);
  // A refused request takes none of the others' room.
  second.permit.reset();
  EXPECT_TRUE(limits->Admit(0).admitted);
  limits.reset();  // permits may live longer
}

TEST(KeyLimitsTest, SaysWhatIsLeft) {
  const auto limits = std::make_shared<KeyLimits>(
      RateLimits{.requests_per_minute = 60, .tokens_per_minute = 6000, .requests_at_once = 9});
  for (int i = 0; i < 3; ++i) limits->Admit(10);
  limits->ChargeTokens(9000, 10);
  const auto openai = Map(limits->OpenaiHeaders(10));
  EXPECT_EQ(openai.size(), 6);
  EXPECT_EQ(openai.at("x-ratelimit-limit-requests"), "60");
  EXPECT_EQ(openai.at("x-ratelimit-remaining-requests"), "57");
  EXPECT_EQ(openai.at("x-ratelimit-reset-requests"), "3s");
  EXPECT_EQ(openai.at("x-ratelimit-limit-tokens"), "6000");
  EXPECT_EQ(openai.at("x-ratelimit-remaining-tokens"), "0");
  EXPECT_EQ(openai.at("x-ratelimit-reset-tokens"), "1m30s");
  const auto anthropic = Map(limits->AnthropicHeaders(10, 1'700'000'000));
  EXPECT_EQ(anthropic.size(), 6);
  EXPECT_EQ(anthropic.at("anthropic-ratelimit-requests-remaining"), "57");
  EXPECT_EQ(anthropic.at("anthropic-ratelimit-requests-reset"), "2023-11-14T22:13:23Z");
  EXPECT_TRUE(std::make_shared<KeyLimits>(RateLimits{})->OpenaiHeaders(0).empty());
}

TEST(DurationTextTest, IsWhatSdksRead) {
  EXPECT_EQ(DurationText(0), "0ms");
  EXPECT_EQ(DurationText(0.012), "12ms");
  EXPECT_EQ(DurationText(1), "1s");
  EXPECT_EQ(DurationText(1.5), "1.500s");
  EXPECT_EQ(DurationText(360), "6m0s");
  EXPECT_EQ(Map(RetryHeaders(0.25)).at("retry-after"), "1");
  EXPECT_EQ(Map(RetryHeaders(0.25)).at("retry-after-ms"), "250");
}

}  // namespace
}  // namespace tutti::server
