#include "tutti/cli/bench_runner.h"

#include <gtest/gtest.h>

#include "tutti/engine/fake_engine.h"

namespace tutti::cli {
namespace {

using engine::FakeEngine;

TEST(CheckAnswerTest, AnswersThatDoNotDependOnThePiecesPass) {
  FakeEngine engine(50, 100);
  EXPECT_TRUE(CheckAnswer(engine, {}).ok());
  EXPECT_EQ(engine.computed_tokens, 2 * kCheckedContext) << "whole and piece by piece";
  EXPECT_EQ(engine.sequences(), 0u);
}

TEST(CheckAnswerTest, AnAnswerThatDependsOnThePiecesIsAnError) {
  // What follows is computed from all tokens where they come together, from the last one else.
  FakeEngine engine(50, 100);
  engine.before_forward = [&](const Batch& batch) {
    engine.surprise = batch.entries[0].tokens.size() == 1 ? 1'000'000 : 0;
    return Status();
  };
  const Status status = CheckAnswer(engine, {});
  EXPECT_EQ(status.code(), StatusCode::kInternal);
  EXPECT_NE(status.message().find("piece by piece"), std::string::npos) << status.message();
  EXPECT_EQ(engine.sequences(), 0u);
}

TEST(CheckAnswerTest, PromptsHaveTheFormThatIsMeasured) {
  for (const bool absorbed : {false, true}) {
    FakeEngine engine(50, 100);
    engine.before_forward = [&](const Batch& batch) {
      EXPECT_EQ(batch.entries[0].prompt_length, absorbed ? 0 : kCheckedContext);
      return Status();
    };
    EXPECT_TRUE(CheckAnswer(engine, {.tests = {}, .absorbed = absorbed}).ok());
  }
}

}  // namespace
}  // namespace tutti::cli
