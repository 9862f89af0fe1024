// Speculation: the same tokens, in fewer steps, where that is faster. All of it at random, with
// memory that is short, is in simulation_test.
#include <gtest/gtest.h>

#include <array>
#include <set>

#include "tutti/engine/fake_engine.h"
#include "tutti/scheduler/scheduler.h"

namespace tutti::scheduler {
namespace {

using engine::FakeEngine;

constexpr int32_t kVocabulary = 50;

TokenIds Text(int32_t size) {
  TokenIds tokens;
  for (int32_t i = 0; i < size; ++i) tokens.push_back((1 + i * 7) % kVocabulary);
  return tokens;
}

class SpeculationTest : public ::testing::Test {
 protected:
  // A step takes a millisecond, and each token `token_s` more.
  void Start(SchedulerOptions options, double token_s = 1e-5, int32_t context = 4096) {
    scheduler_.reset();
    now_s_ = 0;
    steps_ = 0;
    engine_ = std::make_unique<FakeEngine>(kVocabulary, context);
    engine_->surprise = surprise_;
    engine_->before_forward = [this, token_s](const Batch& batch) {
      ++steps_;
      now_s_ += 1e-3;
      for (const BatchEntry& entry : batch.entries) {
        now_s_ += token_s * static_cast<double>(entry.tokens.size());
      }
      return Status();
    };
    draft_.before_forward = [this](const Batch&) {
      now_s_ += 5e-5;
      return Status();
    };
    options.now_s = [this] { return now_s_; };
    scheduler_ = std::move(Scheduler::Create(*engine_, std::move(options))).value();
  }

  std::vector<Event> Answer(const Request& request) {
    stream_ = std::move(scheduler_->Submit(request)).value();
    for (int i = 0; scheduler_->Step(); ++i) {
      EXPECT_LT(i, 10000);
      if (i % 10 == 0) {
        EXPECT_EQ(scheduler_->CheckIntegrity(), "");
      }
    }
    EXPECT_EQ(engine_->CheckIntegrity(), "");
    EXPECT_EQ(draft_.CheckIntegrity(), "");
    EXPECT_EQ(draft_.sequences(), 0u);
    return stream_->Read();
  }
  // The answer, with drafts and without, must be the same in everything.
  void ExpectTheSame(const Request& request, const SchedulerOptions& options) {
    Start({.end_of_generation = options.end_of_generation, .prompt_lookup = false});
    const std::vector<Event> expected = Answer(request);
    EXPECT_EQ(Drafted(), 0);
    Start(options);
    const std::vector<Event> events = Answer(request);
    EXPECT_GT(Drafted(), 0);
    ASSERT_EQ(events.size(), expected.size());
    for (size_t i = 0; i < events.size(); ++i) {
      EXPECT_EQ(events[i].token.id, expected[i].token.id) << i;
      EXPECT_EQ(events[i].token.logprob, expected[i].token.logprob);
      EXPECT_EQ(events[i].finished, expected[i].finished);
    }
    EXPECT_EQ(stream_->progress().usage.generated_tokens, std::ssize(events) - 1);
  }

  int64_t Drafted() const {
    int64_t drafted = 0;
    for (const DraftCount& count : scheduler_->statistics().drafts) drafted += count.drafted;
    return drafted;
  }
  DraftCount Count(DraftSource source) const {
    return scheduler_->statistics().drafts[static_cast<size_t>(source)];
  }

  static Request Greedy(int32_t max_tokens) {
    Request request;
    request.prompt = Text(100);
    request.sampling.temperature = 0;
    request.max_tokens = max_tokens;
    return request;
  }

  uint32_t surprise_ = 100;  // tokens that repeat what was, at a time
  FakeEngine draft_{kVocabulary, 4096};
  std::unique_ptr<FakeEngine> engine_;
  std::unique_ptr<Scheduler> scheduler_;
  std::unique_ptr<Stream> stream_;
  double now_s_ = 0;
  int steps_ = 0;
};

TEST_F(SpeculationTest, TextsThatRepeatTakeFewerSteps) {
  Start({});
  const auto events = Answer(Greedy(1000));
  TokenIds tokens;
  for (const Event& event : events) {
    if (!event.finished) tokens.push_back(event.token.id);
  }
  EXPECT_EQ(tokens, engine_->Continue(Text(100), 1000));
  EXPECT_LT(steps_, 400);
  const DraftCount count = Count(DraftSource::kLookup);
  EXPECT_GT(count.accepted, 600);
  EXPECT_EQ(engine_->computed_tokens, 100 + 999 + count.drafted - count.accepted);
  const Usage usage = stream_->progress().usage;
  EXPECT_EQ(usage.generated_tokens, 1000);
  EXPECT_EQ(usage.prompt_tokens, 100);
  EXPECT_EQ(usage.recomputed_tokens, 0);
}

TEST_F(SpeculationTest, ASmallModelDrafts) {
  surprise_ = 10;
  draft_.surprise = 1 << 30;
  Start({.prompt_lookup = false, .draft = &draft_});
  Answer(Greedy(1000));
  const DraftCount count = Count(DraftSource::kModel);
  EXPECT_GT(count.accepted, 500);
  EXPECT_LT(steps_, 500);
  EXPECT_EQ(Count(DraftSource::kLookup).drafted, 0);
  // The same prompt again: the draft model remembers it too.
  const int64_t computed = draft_.computed_tokens;
  Answer(Greedy(1));
  EXPECT_EQ(draft_.computed_tokens, computed);
}

TEST_F(SpeculationTest, TheSameAnswerHoweverItEnds) {
  draft_.surprise = 1 << 30;
  surprise_ = 20;
  for (Engine* draft : {static_cast<Engine*>(nullptr), static_cast<Engine*>(&draft_)}) {
    for (int32_t max_tokens = 190; max_tokens < 200; ++max_tokens) {
      ExpectTheSame(Greedy(max_tokens), {.draft = draft});
    }
    // Tokens that come late in the text: they end it in the middle of a draft, or behind one.
    Start({});
    const TokenIds text = engine_->Continue(Text(100), 400);
    std::set<TokenId> seen;
    for (size_t i = 0; i < text.size(); ++i) {
      if (!seen.insert(text[i]).second || i < 40) continue;
      Request request = Greedy(-1);
      request.stop_tokens = {text[i]};
      ExpectTheSame(request, {.draft = draft});
      EXPECT_EQ(stream_->progress().usage.generated_tokens, static_cast<int64_t>(i) + 1);
      ExpectTheSame(Greedy(-1), {.end_of_generation = {text[i]}, .draft = draft});
    }
    EXPECT_GE(seen.size(), 20u);
  }
}

TEST_F(SpeculationTest, TheSameDrawsWithAnySampler) {
  draft_.surprise = 1 << 30;
  surprise_ = 200;
  for (Engine* draft : {static_cast<Engine*>(nullptr), static_cast<Engine*>(&draft_)}) {
    for (uint64_t seed = 0; seed < 5; ++seed) {
      Request request = Greedy(400);
      SamplingSpec& sampling = request.sampling;
      sampling.seed = seed;
      sampling.temperature = 1.5f;
      sampling.logprobs = 2;
      ExpectTheSame(request, {.draft = draft});
      sampling.top_k = 20;
      sampling.top_p = 0.95f;
      sampling.min_p = 0.01f;
      ExpectTheSame(request, {.draft = draft});
      sampling.frequency_penalty = 0.01f;
      sampling.repetition_penalty = 1.1f;
      sampling.logit_bias = {{3, 2.0f}};
      ExpectTheSame(request, {.draft = draft});
    }
  }
}

// `count` tokens of which each must be one of two; the greedy choices soon repeat.
class RepeatedTokens final : public TokenConstraint {
 public:
  explicit RepeatedTokens(int count) : count_(count) {}
  std::unique_ptr<TokenConstraint> Clone() const override {
    return std::make_unique<RepeatedTokens>(*this);
  }
  std::span<const uint32_t> Allowed() override {
    mask_ = {1u << First() | 1u << Second(), 0};
    return mask_;
  }
  void Accept(TokenId token) override {
    EXPECT_TRUE(token == First() || token == Second()) << token;
    ++accepted_;
  }
  bool Ended() const override { return accepted_ == count_; }

 private:
  TokenId First() const { return 10 + accepted_ % 9; }
  TokenId Second() const { return 10 + (accepted_ + 3) % 9; }

  int count_;
  int accepted_ = 0;
  std::array<uint32_t, 2> mask_ = {};
};

TEST_F(SpeculationTest, ConstrainedAnswersAreTheSame) {
  for (const float temperature : {0.0F, 1.0F}) {
    Request request = Greedy(-1);
    request.sampling.temperature = temperature;
    request.constraint = std::make_shared<RepeatedTokens>(300);
    ExpectTheSame(request, {});
    EXPECT_EQ(stream_->progress().usage.generated_tokens, 300);
    if (temperature == 0) {
      EXPECT_GT(Count(DraftSource::kLookup).accepted, 100);
    }
    ExpectTheSame(request, {.draft = &draft_});
  }
}

TEST_F(SpeculationTest, TheContextMayEndInADraft) {
  for (int32_t context = 300; context < 320; ++context) {
    Start({.max_drafts = 40}, 1e-5, context);
    const auto events = Answer(Greedy(-1));
    EXPECT_EQ(std::ssize(events) - 1, context + 1 - 100);
    EXPECT_EQ(events.back().finished, FinishReason::kContextFull);
  }
}

TEST_F(SpeculationTest, DraftsThatCostMoreThanTheyGainAreLeft) {
  Start({}, 1e-2);  // each token its own time, as where it reads experts of its own
  Answer(Greedy(1000));
  EXPECT_LT(Count(DraftSource::kLookup).drafted, 200);
  EXPECT_GT(Count(DraftSource::kLookup).drafted, 0) << "now and then it must be tried";
  EXPECT_GT(steps_, 850);
}

TEST_F(SpeculationTest, DraftsThatAreWrongAreLeft) {
  surprise_ = 0;  // nothing can be guessed
  draft_.surprise = 1 << 30;
  Start({.draft = &draft_});
  Answer(Greedy(500));
  EXPECT_LT(Count(DraftSource::kLookup).drafted, 100);
  EXPECT_GT(Count(DraftSource::kModel).drafted, 0);
  EXPECT_LT(Count(DraftSource::kModel).drafted, 100);
  EXPECT_LT(Count(DraftSource::kModel).accepted, 20);
}

TEST_F(SpeculationTest, ManySequencesAreDraftedTogether) {
  Start({.max_running = 8, .max_step_tokens = 40});
  std::vector<std::unique_ptr<Stream>> streams;
  for (int i = 0; i < 8; ++i) {
    Request request = Greedy(200);
    request.prompt.push_back(i);
    request.choices = 1 + i % 2;
    streams.push_back(std::move(scheduler_->Submit(request)).value());
  }
  while (scheduler_->Step()) EXPECT_EQ(scheduler_->CheckIntegrity(), "");
  for (int i = 0; i < 8; ++i) {
    TokenIds prompt = Text(100);
    prompt.push_back(i);
    std::vector<TokenIds> answers(2);
    for (const Event& event : streams[static_cast<size_t>(i)]->Read()) {
      if (!event.finished) answers[static_cast<size_t>(event.choice)].push_back(event.token.id);
    }
    EXPECT_EQ(answers[0], engine_->Continue(prompt, 200));
    if (i % 2 == 1) {
      EXPECT_EQ(answers[1], answers[0]);
    }
  }
  EXPECT_GT(Count(DraftSource::kLookup).accepted, 500);
}

TEST_F(SpeculationTest, ADraftModelThatFailsIsNotAskedAgain) {
  draft_.surprise = 1 << 30;
  Start({.prompt_lookup = false, .draft = &draft_});
  int calls = 0;
  draft_.before_forward = [&](const Batch&) {
    ++calls;
    return calls < 20 ? Status() : Error(StatusCode::kIo, "the disk is gone");
  };
  const auto events = Answer(Greedy(500));
  EXPECT_EQ(events.size(), 501u);
  EXPECT_EQ(calls, 20);
  EXPECT_EQ(scheduler_->statistics().draft_error, "the disk is gone");
}

TEST_F(SpeculationTest, ADraftModelWithoutMemoryDraftsWhatItCan) {
  FakeEngine small(kVocabulary, 128, 4);
  small.surprise = 1 << 30;
  Start({.prompt_lookup = false, .draft = &small});
  const auto events = Answer(Greedy(500));
  EXPECT_EQ(events.size(), 501u);
  EXPECT_EQ(scheduler_->statistics().draft_error, "");
  EXPECT_GT(Count(DraftSource::kModel).accepted, 10);
  EXPECT_LT(Count(DraftSource::kModel).accepted, 29);
  scheduler_.reset();
  EXPECT_EQ(small.sequences(), 0u);
}

TEST_F(SpeculationTest, OptionsThatMakeNoSenseAreRefused) {
  FakeEngine other(kVocabulary + 1, 100);
  const auto why = [&](const SchedulerOptions& options) {
    const auto scheduler = Scheduler::Create(draft_, options);
    return scheduler.ok() ? "" : scheduler.status().message();
  };
  EXPECT_NE(why({.draft = &other}).find("51 tokens and the model 50"), std::string::npos);
  EXPECT_NE(why({.draft = &draft_}).find("the model itself"), std::string::npos);
  EXPECT_NE(why({.max_drafts = -1}).find("-1 drafts"), std::string::npos);
}

}  // namespace
}  // namespace tutti::scheduler
