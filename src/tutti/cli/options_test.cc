#include "tutti/cli/options.h"

#include <gtest/gtest.h>
#include <CLI/CLI.hpp>

#include <algorithm>

namespace tutti::cli {
namespace {

// The options of an answer after the command line `arguments`.
class OptionsTest : public ::testing::Test {
 protected:
  AnswerOptions& Parse(std::vector<std::string> arguments) {
    answer_.Declare(app_);
    std::reverse(arguments.begin(), arguments.end());
    app_.parse(arguments);
    return answer_;
  }

  CLI::App app_;
  AnswerOptions answer_;
};

TEST_F(OptionsTest, TheModelsDefaultsCountWhereTheUserSaysNothing) {
  Metadata metadata;
  metadata.Set("generation.temperature", 0.6);
  metadata.Set("generation.top_k", int64_t{20});
  metadata.Set("general.sampling.top_p", 0.9);
  metadata.Set("generation.repetition_penalty", 1.05);
  AnswerOptions& answer = Parse({"--top-k", "7"});
  ASSERT_TRUE(answer.TakeDefaultsOf(metadata).ok());
  const SamplingSpec& sampling = answer.generate.sampling;
  EXPECT_EQ(sampling.temperature, 0.6f);
  EXPECT_EQ(sampling.top_k, 7);
  EXPECT_EQ(sampling.top_p, 0.9f);
  EXPECT_EQ(sampling.min_p, SamplingSpec().min_p);
  EXPECT_EQ(sampling.repetition_penalty, 1.05f);
}

TEST_F(OptionsTest, AModelThatDoesNotDrawIsGreedy) {
  Metadata metadata;
  metadata.Set("generation.do_sample", false);
  metadata.Set("generation.temperature", 1.0);
  ASSERT_TRUE(Parse({}).TakeDefaultsOf(metadata).ok());
  EXPECT_EQ(answer_.generate.sampling.temperature, 0);
}

TEST_F(OptionsTest, WhatAModelCannotMeanIsAnErrorThatTheUserCanOverride) {
  Metadata metadata;
  metadata.Set("generation.temperature", -1.0);
  const Status status = Parse({}).TakeDefaultsOf(metadata);
  EXPECT_EQ(status.code(), StatusCode::kData);
  EXPECT_EQ(status.message(),
            "the model's generation.temperature is -1; 0 to 100 is possible: give --temperature");
  metadata.Set("generation.temperature", "warm");
  EXPECT_EQ(answer_.TakeDefaultsOf(metadata).code(), StatusCode::kData);
}

TEST_F(OptionsTest, AGivenOptionHidesTheModelsMistake) {
  Metadata metadata;
  metadata.Set("generation.temperature", -1.0);
  EXPECT_TRUE(Parse({"--temperature", "0.5"}).TakeDefaultsOf(metadata).ok());
  EXPECT_EQ(answer_.generate.sampling.temperature, 0.5f);
}

TEST_F(OptionsTest, NumbersOutsideTheirRangeNameTheOption) {
  try {
    Parse({"--min-p", "1.5"});
    FAIL() << "accepted";
  } catch (const CLI::ParseError& error) {
    EXPECT_STREQ(error.what(), "--min-p: '1.5' is not a number from 0 to 1");
  }
}

}  // namespace
}  // namespace tutti::cli
