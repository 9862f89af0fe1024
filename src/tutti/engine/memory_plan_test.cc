#include "tutti/engine/memory_plan.h"

#include <gtest/gtest.h>

#include <array>

namespace tutti::engine {
namespace {

// One page is 32 tokens: 32 * (64 + 64) = 4096 bytes.
constexpr std::array<int64_t, 2> kPerToken = {64, 64};
constexpr int64_t kPage = 4096;

MemoryRequest Request() {
  return {.model_context = 1024, .available_bytes = 1 << 20, .kv_bytes_per_token = kPerToken};
}

TEST(MemoryPlanTest, DefaultIsOneSequenceOfWhatTheModelWasMadeFor) {
  const auto plan = PlanMemory(Request());
  ASSERT_TRUE(plan.ok()) << plan.status().message();
  EXPECT_EQ(plan->context, 1024);
  EXPECT_EQ(plan->kv_budget_bytes, 32 * kPage);
}

TEST(MemoryPlanTest, DefaultShrinksToWhatFits) {
  MemoryRequest request = Request();
  request.available_bytes = 100 * kPage;
  request.weight_bytes = 90 * kPage;  // leaves 10 pages, a quarter is 25
  const auto plan = PlanMemory(request);
  ASSERT_TRUE(plan.ok()) << plan.status().message();
  EXPECT_EQ(plan->context, 25 * 32);
}

TEST(MemoryPlanTest, ExplicitContextThatDoesNotFitIsRefusedWithNumbers) {
  MemoryRequest request = Request();
  request.available_bytes = 20 * kPage;
  request.context = 1000;
  const auto plan = PlanMemory(request);
  ASSERT_FALSE(plan.ok());
  EXPECT_EQ(plan.status().code(), StatusCode::kResource);
  EXPECT_EQ(plan.status().message(),
            "keys and values of 1000 tokens need 128.0 KiB, 80.0 KiB are available beside the "
            "weights: --context 640 would fit");
}

TEST(MemoryPlanTest, ContextBeyondTheModelIsRefused) {
  MemoryRequest request = Request();
  request.context = 1025;
  const auto plan = PlanMemory(request);
  ASSERT_FALSE(plan.ok());
  EXPECT_EQ(plan.status().code(), StatusCode::kUsage);
  EXPECT_NE(plan.status().message().find("1024"), std::string::npos);
  EXPECT_NE(plan.status().message().find("1025"), std::string::npos);
}

TEST(MemoryPlanTest, BudgetInTokens) {
  MemoryRequest request = Request();
  request.context = 64;
  request.kv_tokens = 10 * 32;
  const auto plan = PlanMemory(request);
  ASSERT_TRUE(plan.ok()) << plan.status().message();
  EXPECT_EQ(plan->kv_budget_bytes, 10 * kPage);
  request.kv_tokens = 1;  // never less than one context
  EXPECT_EQ(PlanMemory(request)->kv_budget_bytes, 2 * kPage);
  request.kv_tokens = int64_t{1} << 40;
  const auto refused = PlanMemory(request);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.status().code(), StatusCode::kResource);
}

TEST(MemoryPlanTest, BudgetForSeveralSequences) {
  MemoryRequest request = Request();
  request.context = 64;
  request.kv_budget_bytes = 10 * kPage;
  const auto plan = PlanMemory(request);
  ASSERT_TRUE(plan.ok()) << plan.status().message();
  EXPECT_EQ(plan->context, 64);
  EXPECT_EQ(plan->kv_budget_bytes, 10 * kPage);
}

TEST(MemoryPlanTest, SeveralContextsTakeUpToHalf) {
  MemoryRequest request = Request();
  request.context = 256;  // 8 pages
  request.available_bytes = 100 * kPage;
  request.kv_contexts = 4;
  EXPECT_EQ(PlanMemory(request)->kv_budget_bytes, 32 * kPage);
  request.kv_contexts = 8;
  EXPECT_EQ(PlanMemory(request)->kv_budget_bytes, 50 * kPage);
  request.kv_tokens = 512;  // said so
  EXPECT_EQ(PlanMemory(request)->kv_budget_bytes, 16 * kPage);
  request.kv_tokens = 0;
  request.context = 1024;
  request.available_bytes = 40 * kPage;  // one needs more than half
  EXPECT_EQ(PlanMemory(request)->kv_budget_bytes, 32 * kPage);
}

TEST(MemoryPlanTest, BudgetWithoutContextLimitsTheContext) {
  MemoryRequest request = Request();
  request.kv_budget_bytes = 10 * kPage;
  const auto plan = PlanMemory(request);
  ASSERT_TRUE(plan.ok()) << plan.status().message();
  EXPECT_EQ(plan->context, 320);
}

TEST(MemoryPlanTest, BudgetBelowTheContextIsRefused) {
  MemoryRequest request = Request();
  request.context = 1024;
  request.kv_budget_bytes = 10 * kPage;
  const auto plan = PlanMemory(request);
  ASSERT_FALSE(plan.ok());
  EXPECT_EQ(plan.status().code(), StatusCode::kResource);
  EXPECT_NE(plan.status().message().find("--context 320"), std::string::npos);
}

TEST(MemoryPlanTest, BudgetBeyondTheMachineIsRefused) {
  MemoryRequest request = Request();
  request.kv_budget_bytes = 1000 * kPage;
  request.context = 64;
  EXPECT_EQ(PlanMemory(request).status().code(), StatusCode::kResource);
}

TEST(MemoryPlanTest, TooSmallAMachineSaysSo) {
  MemoryRequest request = Request();
  request.available_bytes = kPage - 1;
  const auto plan = PlanMemory(request);
  ASSERT_FALSE(plan.ok());
  EXPECT_NE(plan.status().message().find("too small"), std::string::npos);
}

TEST(MemoryPlanTest, UnknownMemoryIsTakenAsEnough) {
  MemoryRequest request = Request();
  request.available_bytes = 0;
  EXPECT_TRUE(PlanMemory(request).ok());
}

TEST(MemoryPlanTest, NegativeNumbersAreRefused) {
  MemoryRequest request = Request();
  request.context = -1;
  EXPECT_EQ(PlanMemory(request).status().code(), StatusCode::kUsage);
}

TEST(FormatBytesTest, ReadsLikeAPersonWouldSay) {
  EXPECT_EQ(FormatBytes(512), "512 bytes");
  EXPECT_EQ(FormatBytes(1536), "1.5 KiB");
  EXPECT_EQ(FormatBytes(int64_t{13} << 30), "13.0 GiB");
}

}  // namespace
}  // namespace tutti::engine
