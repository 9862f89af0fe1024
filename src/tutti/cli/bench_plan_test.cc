#include "tutti/cli/bench_plan.h"

#include <gtest/gtest.h>

namespace tutti::cli {
namespace {

BenchTest Parse(const std::string& text) {
  const auto tests = ParseBenchTests(text);
  EXPECT_TRUE(tests.ok()) << tests.status().message();
  return tests.ok() ? tests->front() : BenchTest();
}

TEST(BenchPlanTest, ReadsListsOfTests) {
  const auto tests = ParseBenchTests("pp512,tg64@8192,tg32x16,tg32x4@4096");
  ASSERT_TRUE(tests.ok()) << tests.status().message();
  ASSERT_EQ(tests->size(), 4u);
  EXPECT_EQ((*tests)[0].kind, BenchKind::kPrefill);
  EXPECT_EQ((*tests)[0].tokens, 512);
  EXPECT_EQ((*tests)[1].kind, BenchKind::kDecode);
  EXPECT_EQ((*tests)[1].depth, 8192);
  EXPECT_EQ((*tests)[3].sequences, 4);
  EXPECT_EQ((*tests)[3].total_tokens(), 128);
  std::string names;
  for (const BenchTest& test : *tests) names += test.Name() + " ";
  EXPECT_EQ(names, "pp512 tg64@8192 tg32x16 tg32x4@4096 ");
}

TEST(BenchPlanTest, RefusesWhatIsNoTest) {
  for (const char* text :
       {"", "pp", "512", "tg0", "tg-1", "tg8x0", "tg8x1025", "tg8@-1", "tg8@", "tg8@4x2", "pp 8",
        "pp8,", ",pp8", "pp8;tg8", "tg1048577", "tg99999999999999999999", "tg8@1048577", "TG8"}) {
    const auto tests = ParseBenchTests(text);
    ASSERT_FALSE(tests.ok()) << text;
    EXPECT_EQ(tests.status().code(), StatusCode::kUsage);
  }
}

// A model of round numbers: 100 weights of layers, 20 of chosen experts and 30 of the output, of
// which the layers have 10 floats; two layers of keys and values, one with a window.
EngineCosts Costs() {
  EngineCosts costs;
  costs.per_token.layers = {.bytes = 1000, .int8_weights = 90, .float_weights = 10};
  costs.per_token.experts = {.bytes = 200, .int8_weights = 20};
  costs.per_token.output = {.bytes = 300, .int8_weights = 30};
  costs.kv_bytes_by_layer = {8, 8};
  return costs;
}

ModelSpec Spec() {
  ModelSpec spec;
  spec.layers.resize(2);
  spec.layers[1].window = 11;  // a token and the 10 before it
  return spec;
}

TEST(BenchPlanTest, WindowsBoundTheKeysAndValuesThatAreRead) {
  EXPECT_EQ(KvBytesRead(Spec(), Costs(), 0), 0);
  EXPECT_EQ(KvBytesRead(Spec(), Costs(), 10), 160);
  EXPECT_EQ(KvBytesRead(Spec(), Costs(), 100), 880);
}

TEST(BenchPlanTest, DecodingReadsTheWeightsOncePerStepAndTheExpertsThatWereTouched) {
  const StepProfile profile{
      .steps = 2, .operations = {}, .expert_layers = 4, .experts = 14, .expert_bytes = 700};
  const BenchTest test = Parse("tg2x3@100");
  const BenchWork work = WorkOf(test, Spec(), Costs(), profile);
  EXPECT_EQ(work.layer_bytes, 2 * 1000);
  EXPECT_EQ(work.expert_bytes, 700);
  EXPECT_EQ(work.output_bytes, 2 * 300);
  EXPECT_EQ(work.kv_bytes, 3 * (880 + 888));
  EXPECT_EQ(work.int8_products, 6 * (90 + 20 + 30));
  EXPECT_EQ(work.float_products, 6 * 10);
  EXPECT_EQ(work.experts_per_layer, 3.5);
}

TEST(BenchPlanTest, OfAPromptOnlyTheLastTokenNeedsTheOutput) {
  const StepProfile profile{.steps = 2, .operations = {}};
  const BenchWork work = WorkOf(Parse("pp8"), Spec(), Costs(), profile);
  EXPECT_EQ(work.layer_bytes, 2 * 1000);
  EXPECT_EQ(work.output_bytes, 300);
  EXPECT_EQ(work.int8_products, 8 * (90 + 20) + 30);
  EXPECT_EQ(work.experts_per_layer, 0);
}

TEST(BenchPlanTest, TheSlowerOfReadingAndMultiplyingIsTheLimit) {
  kernels::MachineLimits limits;
  limits.read_gb_s = 1;
  limits.int8_gops = 4;
  limits.bf16_gflops = 2;
  limits.f32_gflops = 1;
  BenchWork work;
  work.layer_bytes = 1e9;
  work.int8_products = 1e9;      // half a second
  work.float_products = 0.25e9;  // a quarter
  const BenchTest test = Parse("tg10x4");
  const BenchLimit reading = LimitOf(test, work, limits, false);
  EXPECT_TRUE(reading.by_reading());
  EXPECT_DOUBLE_EQ(reading.multiplying_s, 0.75);
  EXPECT_DOUBLE_EQ(reading.tokens_per_s, 40);
  const BenchLimit exact = LimitOf(test, work, limits, true);
  EXPECT_FALSE(exact.by_reading());
  EXPECT_DOUBLE_EQ(exact.tokens_per_s, 16);
  EXPECT_TRUE(exact.known());
  limits.read_gb_s = 0;  // not measured, which is not for free
  EXPECT_FALSE(LimitOf(test, work, limits, false).known());
}

TEST(BenchPlanTest, MediansOfOddAndEvenNumbers) {
  EXPECT_EQ(Median({3, 1, 2}), 2);
  EXPECT_EQ(Median({4, 1, 3, 2}), 2.5);
  std::vector<kernels::MachineLimits> limits(3);
  limits[0].read_gb_s = 5;
  limits[1].read_gb_s = 9;
  limits[2].int8_gops = 7;
  EXPECT_EQ(MedianLimits(limits).read_gb_s, 5);
  EXPECT_EQ(MedianLimits(limits).int8_gops, 0);
}

}  // namespace
}  // namespace tutti::cli
