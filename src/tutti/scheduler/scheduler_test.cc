// What users of the scheduler may rely on, one promise at a time. All of it together, at random, is
// in simulation_test.
#include "tutti/scheduler/scheduler.h"

#include <gtest/gtest.h>

#include <thread>

#include "tutti/engine/fake_engine.h"

namespace tutti::scheduler {
namespace {

using engine::FakeEngine;

struct Answer {
  TokenIds tokens;
  std::optional<FinishReason> finished;
  Status error;
};

// Everything that the stream has to say now, added by choice.
bool ReadInto(Stream& stream, std::vector<Answer>& answers) {
  bool last = false;
  for (Event& event : stream.Read()) {
    EXPECT_FALSE(last) << "an event after the last";
    const auto choice = static_cast<size_t>(event.choice);
    if (answers.size() <= choice) answers.resize(choice + 1);
    Answer& answer = answers[choice];
    EXPECT_FALSE(answer.finished) << "an event after the choice's end";
    if (event.finished) {
      answer.finished = event.finished;
      answer.error = event.error;
    } else {
      answer.tokens.push_back(event.token.id);
    }
    last = event.last;
  }
  return last;
}

Request Greedy(TokenIds prompt, int32_t max_tokens) {
  Request request;
  request.prompt = std::move(prompt);
  request.sampling.temperature = 0;
  request.max_tokens = max_tokens;
  return request;
}

TokenIds Text(int32_t size, TokenId first = 1) {
  TokenIds tokens;
  for (int32_t i = 0; i < size; ++i) tokens.push_back((first + i * 7) % 50);
  return tokens;
}

class SchedulerTest : public ::testing::Test {
 protected:
  void SetUp() override { Start({}); }
  void TearDown() override {
    EXPECT_EQ(scheduler_->CheckIntegrity(), "");
    scheduler_.reset();
    EXPECT_EQ(engine_->sequences(), 0u);
    EXPECT_EQ(engine_->pages().available(), engine_->pages().total);
    EXPECT_EQ(engine_->CheckIntegrity(), "");
  }

  // Every step takes a millisecond and a tenth of one per token.
  void Start(SchedulerOptions options, int32_t context = 512, int64_t pages = 1000) {
    scheduler_.reset();
    engine_ = std::make_unique<FakeEngine>(50, context, pages);
    engine_->before_forward = [this](const Batch& batch) {
      sizes_.emplace_back();
      for (const BatchEntry& entry : batch.entries) sizes_.back().push_back(entry.tokens.size());
      for (const size_t size : sizes_.back()) now_s_ += 1e-4 * static_cast<double>(size);
      now_s_ += 1e-3;
      return Status();
    };
    options.now_s = [this] { return now_s_; };
    auto scheduler = Scheduler::Create(*engine_, std::move(options));
    ASSERT_TRUE(scheduler.ok()) << scheduler.status().message();
    scheduler_ = std::move(scheduler).value();
  }

  std::unique_ptr<Stream> Submit(Request request) {
    auto stream = scheduler_->Submit(std::move(request));
    EXPECT_TRUE(stream.ok()) << stream.status().message();
    return stream.ok() ? std::move(stream).value() : nullptr;
  }
  // Steps until nothing is left to do.
  void Finish() {
    for (int i = 0; scheduler_->Step(); ++i) ASSERT_LT(i, 10000);
  }
  void Steps(int count) {
    for (int i = 0; i < count; ++i) scheduler_->Step();
  }
  std::vector<Answer> AnswersTo(const Request& request) {
    const auto stream = Submit(request);
    Finish();
    std::vector<Answer> answers;
    EXPECT_TRUE(ReadInto(*stream, answers));
    return answers;
  }
  void ExpectRefused(Request request, StatusCode code, const std::string& part) {
    const auto stream = scheduler_->Submit(std::move(request));
    ASSERT_FALSE(stream.ok());
    EXPECT_EQ(stream.status().code(), code);
    EXPECT_NE(stream.status().message().find(part), std::string::npos) << stream.status().message();
  }

  std::unique_ptr<FakeEngine> engine_;
  std::unique_ptr<Scheduler> scheduler_;
  double now_s_ = 100;
  std::vector<std::vector<size_t>> sizes_;  // tokens by step and entry
};

TEST_F(SchedulerTest, AnswersWithTheEnginesTokens) {
  const auto answers = AnswersTo(Greedy(Text(40), 12));
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_EQ(answers[0].tokens, engine_->Continue(Text(40), 12));
  EXPECT_EQ(answers[0].finished, FinishReason::kMaxTokens);
  EXPECT_EQ(engine_->computed_tokens, 40 + 11);
  EXPECT_FALSE(scheduler_->Step());
  const Statistics statistics = scheduler_->statistics();
  EXPECT_EQ(statistics.submitted, 1);
  EXPECT_EQ(statistics.finished[static_cast<size_t>(FinishReason::kMaxTokens)], 1);
  EXPECT_EQ(statistics.usage.prompt_tokens, 40);
  EXPECT_EQ(statistics.usage.generated_tokens, 12);
  EXPECT_GT(statistics.tokens_per_s, 0);
}

TEST_F(SchedulerTest, WhoHasItsAnswerFindsItCounted) {
  Statistics seen;
  const auto stream =
      scheduler_->Submit(Greedy(Text(5), 1), [&] { seen = scheduler_->statistics(); });
  ASSERT_TRUE(stream.ok());
  Finish();
  EXPECT_EQ(seen.finished[static_cast<size_t>(FinishReason::kMaxTokens)], 1);
  EXPECT_EQ(seen.usage.generated_tokens, 1);
  EXPECT_EQ(seen.steps, 1);
}

TEST_F(SchedulerTest, EndsWhereAnAnswerEnds) {
  const TokenIds expected = engine_->Continue(Text(9), 20);
  Start({.end_of_generation = {expected[5]}});
  auto answer = AnswersTo(Greedy(Text(9), -1))[0];
  const auto length = [&](TokenId id) {
    return std::find(expected.begin(), expected.end(), id) - expected.begin() + 1;
  };
  EXPECT_EQ(std::ssize(answer.tokens), length(expected[5]));
  EXPECT_EQ(answer.finished, FinishReason::kEndOfGeneration);
  Request request = Greedy(Text(9), 20);
  request.ignore_eos = true;
  EXPECT_EQ(AnswersTo(request)[0].tokens, expected);
  request.stop_tokens = {expected[8]};
  answer = AnswersTo(request)[0];
  EXPECT_EQ(std::ssize(answer.tokens), length(expected[8]));
  EXPECT_EQ(answer.finished, FinishReason::kStop);
  Start({}, 40, 4);
  answer = AnswersTo(Greedy(Text(9), -1))[0];
  EXPECT_EQ(answer.tokens.size(), 32u);  // the last one needs no room
  EXPECT_EQ(answer.finished, FinishReason::kContextFull);
}

TEST_F(SchedulerTest, WithoutTokensThePromptIsComputed) {
  const auto stream = Submit(Greedy(Text(40), 0));
  Finish();
  std::vector<Answer> answers;
  EXPECT_TRUE(ReadInto(*stream, answers));
  EXPECT_EQ(answers[0].finished, FinishReason::kMaxTokens);
  EXPECT_EQ(stream->progress().usage.prompt_tokens, 40);
  EXPECT_EQ(stream->progress().usage.generated_tokens, 0);
}

TEST_F(SchedulerTest, ManyAreComputedTogether) {
  std::vector<std::unique_ptr<Stream>> streams;
  for (int i = 0; i < 20; ++i) streams.push_back(Submit(Greedy(Text(10 + i, i), 30)));
  Finish();
  for (int i = 0; i < 20; ++i) {
    std::vector<Answer> answers;
    EXPECT_TRUE(ReadInto(*streams[static_cast<size_t>(i)], answers));
    EXPECT_EQ(answers[0].tokens, engine_->Continue(Text(10 + i, i), 30));
  }
  EXPECT_LT(sizes_.size(), 100u);
}

TEST_F(SchedulerTest, ASharedBeginningIsComputedOnce) {
  const TokenIds prefix = Text(320);
  std::vector<std::unique_ptr<Stream>> streams;
  for (TokenId i = 0; i < 16; ++i) {
    TokenIds prompt = prefix;
    prompt.push_back(i);
    streams.push_back(Submit(Greedy(prompt, 4)));
  }
  Finish();
  int64_t cached = 0;
  for (const auto& stream : streams) cached += stream->progress().usage.cached_tokens;
  EXPECT_EQ(cached, 15 * 320);
  EXPECT_EQ(engine_->computed_tokens, 320 + 16 * (1 + 3));
  // Another tenant computes it again.
  Request other = Greedy(prefix, 1);
  other.tenant = TenantId{1};
  const auto stream = Submit(other);
  Finish();
  EXPECT_EQ(stream->progress().usage.cached_tokens, 0);
  EXPECT_EQ(stream->progress().usage.prompt_tokens, 320);
}

TEST_F(SchedulerTest, ANextTurnFindsTheLastOne) {
  const TokenIds prompt = Text(50);
  TokenIds next = prompt;
  const auto first = AnswersTo(Greedy(prompt, 10));
  next.insert(next.end(), first[0].tokens.begin(), first[0].tokens.end());
  next.push_back(7);
  const auto stream = Submit(Greedy(next, 5));
  Finish();
  std::vector<Answer> answers;
  ReadInto(*stream, answers);
  EXPECT_EQ(answers[0].tokens, engine_->Continue(next, 5));
  EXPECT_EQ(stream->progress().usage.cached_tokens, 59);  // but the answer's last token
}

TEST_F(SchedulerTest, ChoicesShareThePromptAndDrawWithSeedsOfTheirOwn) {
  Request request = Greedy(Text(45), 40);
  request.choices = 4;
  auto answers = AnswersTo(request);
  ASSERT_EQ(answers.size(), 4u);
  for (const Answer& answer : answers) {
    EXPECT_EQ(answer.tokens, engine_->Continue(Text(45), 40));
    EXPECT_EQ(answer.finished, FinishReason::kMaxTokens);
  }
  EXPECT_EQ(engine_->computed_tokens, 45 + 4 * 39);
  EXPECT_EQ(scheduler_->statistics().usage.prompt_tokens, 45);
  EXPECT_EQ(scheduler_->statistics().usage.generated_tokens, 160);
  request.sampling.temperature = 3;
  request.sampling.top_k = 0;
  request.sampling.top_p = 1;
  request.sampling.min_p = 0;
  answers = AnswersTo(request);
  EXPECT_NE(answers[0].tokens, answers[1].tokens);
  request.sampling.seed = 1;
  EXPECT_EQ(AnswersTo(request)[0].tokens, answers[1].tokens);
}

TEST_F(SchedulerTest, GivesHiddenStatesOfPrompts) {
  const auto hidden_of = [&](int32_t size) {
    Request request = Greedy(Text(size), 5);
    request.embedding = true;
    request.choices = 3;
    const auto stream = Submit(request);
    Finish();
    const std::vector<Event> events = stream->Read();
    EXPECT_EQ(events.size(), 2u);
    EXPECT_EQ(events.back().finished, FinishReason::kMaxTokens);
    EXPECT_EQ(stream->progress().usage.generated_tokens, 0);
    return events.front().hidden;
  };
  const std::vector<float> first = hidden_of(300);
  ASSERT_EQ(first.size(), 1u);
  EXPECT_EQ(static_cast<TokenId>(first[0]) % 50, engine_->Next(Text(300)));
  EXPECT_NE(hidden_of(299), first);
  EXPECT_EQ(hidden_of(300), first) << "from remembered pages";
}

TEST_F(SchedulerTest, PromptsGetTheirLeastWhateverItTakes) {
  Start({.max_running = 8, .least_prompt_tokens = 100, .step_ms = 1, .prompt_step_ms = 1});
  const auto stream = Submit(Greedy(Text(450), 1));
  Finish();
  std::vector<size_t> first;
  for (const auto& step : sizes_) first.push_back(step.front());
  EXPECT_EQ(first, (std::vector<size_t>{100, 100, 100, 100, 50}));
}

TEST_F(SchedulerTest, CancelsOneChoiceOfSeveral) {
  Request request = Greedy(Text(20), 8);
  request.choices = 3;
  const auto stream = Submit(request);
  while (stream->progress().usage.generated_tokens == 0) scheduler_->Step();
  stream->Cancel(1);
  stream->Cancel(1);  // twice is as once
  stream->Cancel(7);  // there is none
  Finish();
  std::vector<Answer> answers;
  EXPECT_TRUE(ReadInto(*stream, answers));
  ASSERT_EQ(answers.size(), 3u);
  for (const size_t other : {0, 2}) {
    EXPECT_EQ(answers[other].tokens.size(), 8u);
    EXPECT_EQ(answers[other].finished, FinishReason::kMaxTokens);
  }
  EXPECT_EQ(answers[1].tokens.size(), 1u);
  EXPECT_EQ(answers[1].finished, FinishReason::kInterrupted);
}

TEST_F(SchedulerTest, CancelsWhereverARequestIs) {
  Start({.max_running = 1, .max_step_tokens = 16});
  const auto first = Submit(Greedy(Text(64), 100));
  const auto second = Submit(Greedy(Text(64, 3), 100));
  Steps(2);  // the prompt's first half
  EXPECT_EQ(scheduler_->statistics().queued_requests, 1);
  second->Cancel();
  first->Cancel();
  Steps(1);
  for (const auto* stream : {&first, &second}) {
    std::vector<Answer> answers;
    EXPECT_TRUE(ReadInto(**stream, answers));
    EXPECT_EQ(answers[0].finished, FinishReason::kInterrupted);
    EXPECT_TRUE(answers[0].tokens.empty());
  }
  EXPECT_EQ(first->progress().usage.prompt_tokens, 32);
  EXPECT_EQ(second->progress().usage.prompt_tokens, 0);
  EXPECT_EQ(engine_->sequences(), 0u);
  EXPECT_EQ(engine_->computed_tokens, 32);
  // While it generates, and by letting go.
  auto third = Submit(Greedy(Text(10, 5), 100));
  Steps(5);
  third->Cancel();
  Steps(1);
  std::vector<Answer> answers;
  EXPECT_TRUE(ReadInto(*third, answers));
  EXPECT_EQ(answers[0].tokens, engine_->Continue(Text(10, 5), 5));
  EXPECT_EQ(third->progress().usage.generated_tokens, 5);
  third->Cancel();  // too late, and harmless
  third = Submit(Greedy(Text(10, 5), 100));
  Steps(3);
  third.reset();
  Steps(1);
  EXPECT_EQ(engine_->sequences(), 0u);
  EXPECT_EQ(scheduler_->statistics().queued_requests, 0);
  EXPECT_EQ(scheduler_->statistics().queued_prompt_tokens, 0);
}

TEST_F(SchedulerTest, RefusesWithNumbers) {
  Start({.max_queued_requests = 3, .max_queued_prompt_tokens = 100, .max_running = 1});
  ExpectRefused(Greedy({}, 1), StatusCode::kUsage, "empty");
  ExpectRefused(Greedy({50}, 1), StatusCode::kUsage, "token 50");
  ExpectRefused(Greedy(Text(513), 1), StatusCode::kUsage, "513 tokens, the context holds 512");
  Request request = Greedy({1}, 1);
  request.choices = 0;
  ExpectRefused(request, StatusCode::kUsage, "0 choices");
  request.choices = 1;
  request.sampling.top_p = 2;
  ExpectRefused(request, StatusCode::kUsage, "top_p");
  const auto large = Submit(Greedy(Text(200), 1));  // alone, any size is welcome
  ExpectRefused(Greedy(Text(5), 1), StatusCode::kResource,
                "200 prompt tokens are waiting and 5 more are too many, the limit is 100");
  Finish();
  std::vector<std::unique_ptr<Stream>> streams;
  for (int i = 0; i < 3; ++i) streams.push_back(Submit(Greedy(Text(5), 9)));
  ExpectRefused(Greedy(Text(5), 1), StatusCode::kResource,
                "3 answers are waiting and 1 more are too many, the limit is 3");
  EXPECT_EQ(scheduler_->statistics().refused, 2);
  EXPECT_GT(scheduler_->statistics().retry_after_s, 0);
  Steps(1);
  streams.push_back(Submit(Greedy(Text(5), 1)));
  scheduler_->Drain();
  ExpectRefused(Greedy(Text(5), 1), StatusCode::kCancelled, "shutting down");
  Finish();
  for (const auto& stream : streams) {
    std::vector<Answer> answers;
    EXPECT_TRUE(ReadInto(*stream, answers));
    EXPECT_EQ(answers[0].finished, FinishReason::kMaxTokens);
  }
}

TEST_F(SchedulerTest, PreemptedSequencesLoseNothing) {
  Start({}, 160, 6);  // memory for one context and a page
  std::vector<std::unique_ptr<Stream>> streams;
  for (int i = 0; i < 3; ++i) streams.push_back(Submit(Greedy(Text(30, i), 100)));
  Finish();
  EXPECT_GT(scheduler_->statistics().preemptions, 0);
  Usage total;
  for (int i = 0; i < 3; ++i) {
    std::vector<Answer> answers;
    EXPECT_TRUE(ReadInto(*streams[static_cast<size_t>(i)], answers));
    EXPECT_EQ(answers[0].tokens, engine_->Continue(Text(30, i), 100));
    const Usage usage = streams[static_cast<size_t>(i)]->progress().usage;
    EXPECT_EQ(usage.prompt_tokens, 30);
    EXPECT_EQ(usage.generated_tokens, 100);
    total.recomputed_tokens += usage.recomputed_tokens;
  }
  EXPECT_EQ(engine_->computed_tokens, 3 * (30 + 99) + total.recomputed_tokens);
}

TEST_F(SchedulerTest, LongPromptsDelayNobody) {
  Start({.max_step_tokens = 512, .step_ms = 11}, 4096);  // 11 ms: 100 tokens
  const auto talker = Submit(Greedy(Text(5), 400));
  Steps(3);
  const auto reader = Submit(Greedy(Text(3000, 9), 1));
  Steps(100);
  size_t largest = 0;
  for (size_t i = 3; i < sizes_.size(); ++i) {
    size_t tokens = 0;
    for (const size_t size : sizes_[i]) tokens += size;
    ASSERT_EQ(sizes_[i][0], 1u);  // the talker's, in every step
    largest = std::max(largest, tokens);
  }
  EXPECT_LE(largest, 101u);
  EXPECT_GE(largest, 90u);
  EXPECT_EQ(reader->progress().usage.prompt_tokens, 3000);
}

TEST_F(SchedulerTest, InteractiveBeforeBatchUntilPatienceEnds) {
  Start({.max_running = 1, .batch_patience_s = 0.5});
  Request batch = Greedy(Text(10), 50);
  batch.priority = Priority::kBatch;
  const auto slow = Submit(batch);
  Steps(5);
  const auto quick = Submit(Greedy(Text(10, 2), 10));
  Steps(11);
  EXPECT_GT(quick->progress().times.finished_s, 0);  // the batch request gave way
  EXPECT_LT(slow->progress().times.finished_s, 0);
  // Interactive ones keep coming, and yet it ends.
  std::vector<std::unique_ptr<Stream>> streams;
  for (int i = 0; i < 200 && slow->progress().times.finished_s < 0; ++i) {
    streams.push_back(Submit(Greedy(Text(10, 3), 10)));
    Steps(8);
  }
  EXPECT_GT(slow->progress().times.finished_s, 0);
  EXPECT_GT(slow->progress().times.finished_s - slow->progress().times.submitted_s, 0.5);
  for (const auto& stream : streams) stream->Cancel();
  Finish();
}

TEST_F(SchedulerTest, TenantsAreServedInTurns) {
  Start({.max_running = 4});
  std::vector<std::unique_ptr<Stream>> greedy;
  for (int i = 0; i < 50; ++i) greedy.push_back(Submit(Greedy(Text(20, i), 100)));
  Steps(5);
  Request request = Greedy(Text(20), 20);
  request.tenant = TenantId{5};
  const auto modest = Submit(request);
  Steps(30);
  EXPECT_GT(modest->progress().times.finished_s, 0);  // with 46 that came before it
  for (const auto& stream : greedy) stream->Cancel();
  Finish();
}

TEST_F(SchedulerTest, WhoDoesNotReadIsCutOff) {
  Start({.unread_tokens = 8});
  const auto idle = Submit(Greedy(Text(10), 100));
  const auto reader = Submit(Greedy(Text(10, 4), 100));
  std::vector<Answer> answers;
  for (int i = 0; i < 200 && !ReadInto(*reader, answers); ++i) Steps(1);
  EXPECT_EQ(answers[0].tokens, engine_->Continue(Text(10, 4), 100));
  std::vector<Answer> cut;
  EXPECT_TRUE(ReadInto(*idle, cut));
  EXPECT_EQ(cut[0].finished, FinishReason::kSlowReader);
  EXPECT_LT(cut[0].tokens.size(), 12u);
  EXPECT_EQ(idle->progress().usage.generated_tokens, std::ssize(cut[0].tokens));
}

TEST_F(SchedulerTest, AFailedStepEndsItsRequestsOnly) {
  Request request = Greedy(Text(10), 50);
  request.choices = 2;
  const auto stream = Submit(request);
  const auto inner = engine_->before_forward;
  engine_->before_forward = [](const Batch&) { return Error(StatusCode::kIo, "the disk is gone"); };
  Steps(1);
  engine_->before_forward = inner;
  std::vector<Answer> answers;
  EXPECT_TRUE(ReadInto(*stream, answers));
  ASSERT_EQ(answers.size(), 2u);
  for (const Answer& answer : answers) {
    EXPECT_EQ(answer.finished, FinishReason::kFailed);
    EXPECT_EQ(answer.error.message(), "the disk is gone");
  }
  EXPECT_EQ(stream->progress().usage.prompt_tokens, 0);
  EXPECT_EQ(AnswersTo(Greedy(Text(10), 5))[0].tokens, engine_->Continue(Text(10), 5));
}

TEST_F(SchedulerTest, StreamsMayOutliveTheScheduler) {
  const auto stream = Submit(Greedy(Text(10), 50));
  Steps(3);
  scheduler_.reset();
  std::vector<Answer> answers;
  EXPECT_TRUE(ReadInto(*stream, answers));
  EXPECT_EQ(answers[0].finished, FinishReason::kInterrupted);
  EXPECT_EQ(answers[0].tokens.size(), 3u);
  stream->Cancel();
  Start({});
}

TEST_F(SchedulerTest, OptionsThatMakeNoSenseAreRefused) {
  const auto create = [&](const SchedulerOptions& options) {
    return Scheduler::Create(*engine_, options).status().code();
  };
  EXPECT_EQ(create({.max_queued_requests = 0}), StatusCode::kUsage);
  EXPECT_EQ(create({.max_running = 600}), StatusCode::kUsage);
  EXPECT_EQ(create({.step_ms = 0}), StatusCode::kUsage);
}

// The loop on its thread, users on others; for the thread sanitizer above all.
TEST(SchedulerThreadsTest, UsersOnManyThreads) {
  std::atomic<int64_t> wakes = 0;  // outlives the loop, as the header asks
  FakeEngine engine(50, 256, 20);
  SchedulerOptions options;
  options.max_running = 6;
  options.max_step_tokens = 64;
  auto scheduler = std::move(Scheduler::Create(engine, options)).value();
  std::thread loop([&] { scheduler->Run(); });
  std::atomic<int64_t> refused = 0;
  std::atomic<int64_t> ended = 0;
  std::vector<std::thread> users;
  for (int user = 0; user < 4; ++user) {
    users.emplace_back([&, user] {
      for (int turn = 0; turn < 25; ++turn) {
        Request request = Greedy(Text(20 + turn * 3, user % 2), 20);
        request.tenant = TenantId{static_cast<uint64_t>(user % 2)};
        auto stream = scheduler->Submit(request, [&] { ++wakes; });
        if (!stream.ok()) {
          ++refused;
          continue;
        }
        std::vector<Answer> answers;
        if (turn % 5 == 4) (*stream)->Cancel();
        bool last = false;
        while (!last) {
          EXPECT_TRUE((*stream)->Wait(60));
          last = ReadInto(**stream, answers);
        }
        ++ended;
        if (answers[0].finished == FinishReason::kInterrupted) continue;
        EXPECT_EQ(answers[0].tokens, engine.Continue(request.prompt, 20));
        EXPECT_EQ((*stream)->progress().usage.prompt_tokens, std::ssize(request.prompt));
      }
    });
  }
  for (std::thread& user : users) user.join();
  scheduler->Drain();
  loop.join();
  EXPECT_EQ(refused, 0);
  EXPECT_EQ(ended, 100);
  EXPECT_GE(wakes, 100);
  EXPECT_EQ(scheduler->CheckIntegrity(), "");
  EXPECT_EQ(scheduler->statistics().submitted, 100);
}

TEST_F(SchedulerTest, WhoTriesToStartKeepsItsTurn) {
  Start({.max_running = 1});
  const auto request = [](uint64_t tenant, Priority priority, int32_t prompt, int32_t tokens) {
    Request made = Greedy(Text(prompt), tokens);
    made.tenant = TenantId{tenant};
    made.priority = priority;
    return made;
  };
  // Tenant 3 is served first, then its batch request and tenant 1's wait behind tenant 2: in every
  // step whoever is next tries to start, finds no place and waits on.
  const auto served = Submit(request(3, Priority::kInteractive, 10, 1));
  const auto behind = Submit(request(3, Priority::kBatch, 4, 2));
  const auto first = Submit(request(1, Priority::kBatch, 4, 2));
  const auto between = Submit(request(2, Priority::kInteractive, 4, 30));
  Finish();
  EXPECT_LT(first->progress().times.started_s, behind->progress().times.started_s);
}

TEST_F(SchedulerTest, EveryChoiceTakesAPlaceInTheQueue) {
  Start({.max_queued_requests = 10});
  Request four = Greedy(Text(20), 4);
  four.choices = 4;
  const auto one = Submit(four);
  const auto two = Submit(four);
  ExpectRefused(four, StatusCode::kResource, "8 answers are waiting and 4 more are too many");
  const auto small = Submit(Greedy(Text(20), 4));
  EXPECT_EQ(scheduler_->statistics().queued_requests, 3);
  Finish();
  // More than the limit, but nobody else waits.
  four.choices = 11;
  const auto many = Submit(four);
  Finish();
  EXPECT_EQ(scheduler_->statistics().queued_requests, 0);
  EXPECT_NE(Submit(four), nullptr);
  Finish();
}

// `count` tokens between 10 and 19, in the order that `first` says, then the end: token 3, or
// nothing where `open` is not set.
class CountedTokens final : public TokenConstraint {
 public:
  CountedTokens(int count, bool open) : count_(count), open_(open) {}
  std::unique_ptr<TokenConstraint> Clone() const override {
    return std::make_unique<CountedTokens>(*this);
  }
  std::span<const uint32_t> Allowed() override {
    mask_ = {count_ > 0 ? 0x3FFu << 10 : 1u << 3, 0};
    return mask_;
  }
  void Accept(TokenId token) override {
    if (token == 3) open_ = false;
    if (token >= 10) --count_;
  }
  bool Ended() const override { return count_ == 0 && !open_; }

 private:
  int count_;
  bool open_;
  std::array<uint32_t, 2> mask_ = {};
};

TEST_F(SchedulerTest, ConstraintsChooseAndEndAnswers) {
  for (const float temperature : {0.0f, 1.0f}) {
    for (const bool ignore_eos : {false, true}) {
      for (const bool open : {false, true}) {
        Start({.end_of_generation = {3}});
        Request request = Greedy(Text(40), 30);
        request.sampling.temperature = temperature;
        request.choices = 3;
        request.ignore_eos = ignore_eos;
        request.constraint = std::make_shared<CountedTokens>(5, open);
        const auto answers = AnswersTo(request);
        ASSERT_EQ(answers.size(), 3u);
        for (const Answer& answer : answers) {
          ASSERT_EQ(answer.tokens.size(), open ? 6u : 5u);
          for (size_t i = 0; i < 5; ++i) {
            EXPECT_GE(answer.tokens[i], 10);
            EXPECT_LT(answer.tokens[i], 20);
          }
          if (open) {
            EXPECT_EQ(answer.tokens[5], 3);
          }
          EXPECT_EQ(answer.finished,
                    open && !ignore_eos ? FinishReason::kEndOfGeneration : FinishReason::kStop);
        }
      }
    }
  }
}

TEST_F(SchedulerTest, ConstrainedAnswersAreTheSameBesideOthers) {
  Request request = Greedy(Text(40), 30);
  request.constraint = std::make_shared<CountedTokens>(20, false);
  const auto alone = AnswersTo(request);
  Start({});
  std::vector<std::unique_ptr<Stream>> others;
  for (int i = 0; i < 5; ++i) others.push_back(Submit(Greedy(Text(30 + i, i), 25)));
  const auto beside = AnswersTo(request);
  EXPECT_EQ(alone[0].tokens, beside[0].tokens);
  EXPECT_EQ(beside[0].finished, FinishReason::kStop);
}

}  // namespace
}  // namespace tutti::scheduler
