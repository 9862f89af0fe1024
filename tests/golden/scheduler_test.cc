// Real models behind the scheduler: the greedy answers of many users, who share prefixes and too
// little memory and are guessed ahead, are those that each gets alone.
#include "tutti/scheduler/scheduler.h"

#include <gtest/gtest.h>

#include <tuple>

#include "tests/golden/golden_model.h"

namespace tutti::testing {
namespace {

constexpr int32_t kAnswer = 12;

std::filesystem::path ModelPath(const std::string& name) {
  return std::filesystem::path(TUTTI_SOURCE_DIR) / "tests/golden/models" / name;
}

// A model, and whether tokens are guessed: by an engine of the same model with other arithmetic,
// and by the text.
class SchedulerGoldenTest : public ::testing::TestWithParam<std::tuple<const char*, bool>> {};

TEST_P(SchedulerGoldenTest, AnswersAreThoseThatEachGetsAlone) {
  // Memory for one context of 160 tokens and a little more: users have to give way.
  const auto path = ModelPath(std::get<0>(GetParam()));
  const bool speculate = std::get<1>(GetParam());
  const auto single = LoadEngine(path, {.threads = 1, .context = 160});
  const auto shared = LoadEngine(path, {.threads = 1, .context = 160, .kv_tokens = 256});
  const auto draft = LoadEngine(path, {.threads = 1, .exact = true, .context = 160});
  ASSERT_TRUE(single != nullptr && shared != nullptr && draft != nullptr);
  scheduler::SchedulerOptions options;
  options.prompt_lookup = speculate;
  options.draft = speculate ? draft.get() : nullptr;
  // A clock by which every step takes as long as any other: what is guessed must not depend on this
  // machine.
  double now_s = 0;
  options.now_s = [&] { return now_s += 0.001; };
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
  const scheduler::Statistics statistics = scheduler->statistics();
  EXPECT_GT(statistics.preemptions + statistics.pages.evicted, 0);
  int64_t accepted = 0;
  for (const scheduler::DraftCount& count : statistics.drafts) accepted += count.accepted;
  EXPECT_EQ(accepted > 0, speculate);
}

INSTANTIATE_TEST_SUITE_P(Models, SchedulerGoldenTest,
                         ::testing::Combine(::testing::Values("qwen3_moe", "deepseek_v3"),
                                            ::testing::Bool()));

}  // namespace
}  // namespace tutti::testing
