#include "tutti/cli/generate.h"

#include <gtest/gtest.h>

#include <csignal>

#include "tutti/cli/console.h"
#include "tutti/engine/fake_engine.h"

namespace tutti::cli {
namespace {

using engine::FakeEngine;

TokenIds Ids(const Generated& generated) {
  TokenIds ids;
  for (const auto& token : generated.tokens) ids.push_back(token.id);
  return ids;
}

GenerateOptions Greedy(int32_t max_tokens) {
  GenerateOptions options;
  options.sampling.temperature = 0;
  options.max_tokens = max_tokens;
  return options;
}

TEST(Generator, ContinuesWithTheEnginesTokens) {
  FakeEngine engine(50, 2000);
  Generator generator(engine, nullptr);
  TokenIds prompt(1300, 3);  // several chunks
  prompt[700] = 8;
  const Generated generated = generator.Generate(prompt, Greedy(12), {}).value();
  EXPECT_EQ(Ids(generated), engine.Continue(prompt, 12));
  EXPECT_EQ(generated.reason, FinishReason::kMaxTokens);
  EXPECT_EQ(generated.prompt_tokens, 1300);
  EXPECT_EQ(engine.computed_tokens, 1300 + 11);  // the last token is not needed
}

TEST(Generator, KeepsTheCommonBeginningOfTheNextPrompt) {
  FakeEngine engine(50, 500);
  Generator generator(engine, nullptr);
  TokenIds prompt = {1, 2, 3, 4, 5};
  const TokenIds first = Ids(generator.Generate(prompt, Greedy(4), {}).value());
  TokenIds second = prompt;
  second.insert(second.end(), first.begin(), first.end());
  second.push_back(9);
  Generated generated = generator.Generate(second, Greedy(5), {}).value();
  EXPECT_EQ(Ids(generated), engine.Continue(second, 5));
  EXPECT_EQ(generated.computed_prompt_tokens, 2);  // the answer's last token and the 9
  // A prompt that parts early, the same prompt again, and one that is a beginning of the old one.
  for (const TokenIds& next : {TokenIds{1, 2, 7, 7}, TokenIds{1, 2, 7, 7}, TokenIds{1, 2}}) {
    EXPECT_EQ(Ids(generator.Generate(next, Greedy(5), {}).value()), engine.Continue(next, 5));
  }
  EXPECT_EQ(engine.sequences(), 1u);
}

TEST(Generator, StopsAtTheEndTokenUnlessToldOtherwise) {
  FakeEngine engine(50, 500);
  const TokenIds prompt = {4, 4};
  const TokenIds expected = engine.Continue(prompt, 8);
  engine.mutable_vocab().eos = expected[5];
  Generator generator(engine, nullptr);
  Generated generated = generator.Generate(prompt, Greedy(8), {}).value();
  const size_t first = static_cast<size_t>(
      std::find(expected.begin(), expected.end(), expected[5]) - expected.begin());
  EXPECT_EQ(generated.tokens.size(), first + 1);
  EXPECT_EQ(generated.reason, FinishReason::kEndOfGeneration);
  GenerateOptions options = Greedy(8);
  options.ignore_eos = true;
  EXPECT_EQ(Ids(generator.Generate(prompt, options, {}).value()), expected);
}

TEST(Generator, EndsWhenTheContextIsFull) {
  FakeEngine engine(50, 10);
  Generator generator(engine, nullptr);
  const TokenIds prompt = {1, 2, 3, 4};
  const Generated generated = generator.Generate(prompt, Greedy(-1), {}).value();
  EXPECT_EQ(generated.reason, FinishReason::kContextFull);
  EXPECT_EQ(Ids(generated), engine.Continue(prompt, 7));  // six fit, the seventh needs no room
}

TEST(Generator, RefusesPromptsThatCannotBe) {
  FakeEngine engine(50, 10);
  Generator generator(engine, nullptr);
  EXPECT_EQ(generator.Generate({}, Greedy(1), {}).status().code(), StatusCode::kUsage);
  EXPECT_EQ(generator.Generate({50}, Greedy(1), {}).status().code(), StatusCode::kData);
  EXPECT_EQ(generator.Generate({-1}, Greedy(1), {}).status().code(), StatusCode::kData);
  EXPECT_EQ(generator.Generate(TokenIds(11, 1), Greedy(1), {}).status().code(),
            StatusCode::kResource);
  EXPECT_EQ(engine.sequences(), 0u);
}

TEST(Generator, InterruptEndsTheAnswer) {
  FakeEngine engine(50, 100);
  CatchInterrupt();
  std::raise(SIGINT);
  Generator generator(engine, nullptr);
  EXPECT_EQ(generator.Generate({1, 2}, Greedy(5), {}).value().reason, FinishReason::kInterrupted);
  ClearInterrupt();
  EXPECT_EQ(generator.Generate({1, 2}, Greedy(5), {}).value().tokens.size(), 5u);
}

}  // namespace
}  // namespace tutti::cli
