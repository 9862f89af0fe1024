// Real models behind the scheduler: the greedy answers of many users, who share prefixes and too
// little memory, are those that each gets alone.
#include "tutti/scheduler/scheduler.h"

#include <gtest/gtest.h>

#include "tests/golden/golden_model.h"

namespace tutti::testing {
namespace {

constexpr int32_t kAnswer = 12;

std::filesystem::path ModelPath(const std::string& name) {
  return std::filesystem::path(TUTTI_SOURCE_DIR) / "tests/golden/models" / name;
}

class SchedulerGoldenTest : public ::testing::TestWithParam<const char*> {};

TEST_P(SchedulerGoldenTest, AnswersAreThoseThatEachGetsAlone) {
  // Memory for one context of 160 tokens and a little more: users have to give way.
  const auto single = LoadEngine(ModelPath(GetParam()), {.threads = 1, .context = 160});
  const auto shared =
      LoadEngine(ModelPath(GetParam()), {.threads = 1, .context = 160, .kv_tokens = 256});
  ASSERT_TRUE(single != nullptr && shared != nullptr);
  scheduler::SchedulerOptions options;
  options.max_running = 8;
  options.max_step_tokens = 48;
  auto scheduler = std::move(scheduler::Scheduler::Create(*shared, options)).value();

  const auto vocabulary = shared->spec().vocab_size;
  std::vector<TokenIds> prompts;
  for (int32_t user = 0; user < 8; ++user) {
    TokenIds& prompt = prompts.emplace_back();
    // Two beginnings of 80 tokens, then something of one's own; some part within a page.
    for (int32_t i = 0; i < 80; ++i) prompt.push_back((user % 2 * 13 + i * 37 + 5) % vocabulary);
    for (int32_t i = 0; i < user * 3; ++i) prompt.push_back((user * 101 + i * 11) % vocabulary);
  }
  std::vector<std::unique_ptr<scheduler::Stream>> streams;
  for (const TokenIds& prompt : prompts) {
    scheduler::Request request;
    request.prompt = prompt;
    request.sampling.temperature = 0;
    request.max_tokens = kAnswer;
    streams.push_back(std::move(scheduler->Submit(request)).value());
  }
  for (int steps = 0; scheduler->Step(); ++steps) {
    ASSERT_LT(steps, 2000);
    ASSERT_EQ(scheduler->CheckIntegrity(), "");
  }
  int64_t cached = 0;
  for (size_t user = 0; user < prompts.size(); ++user) {
    TokenIds answer;
    for (const scheduler::Event& event : streams[user]->Read()) {
      if (!event.finished) answer.push_back(event.token.id);
    }
    EXPECT_EQ(answer, Greedy(*single, prompts[user], kAnswer)) << "user " << user;
    cached += streams[user]->progress().usage.cached_tokens;
  }
  EXPECT_GE(cached, 64 * 4);
  EXPECT_GT(scheduler->statistics().preemptions + scheduler->statistics().pages.evicted, 0);
}

INSTANTIATE_TEST_SUITE_P(Models, SchedulerGoldenTest,
                         ::testing::Values("qwen3_moe", "deepseek_v3"));

}  // namespace
}  // namespace tutti::testing
