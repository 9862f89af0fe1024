// The scheduler in a small world with a clock of its own: users arrive, read, go away, are slow or
// fall silent, while memory is short and steps fail; everything is decided by a seed. Each answer
// must be the one that the same request gets alone and without speculation, each bill exact, and at
// the end nothing may be left over.
//
// TUTTI_SEEDS=100000 runs more seeds, TUTTI_SEED=123 begins with that one.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "tutti/base/rng.h"
#include "tutti/engine/answer.h"
#include "tutti/engine/fake_engine.h"
#include "tutti/scheduler/scheduler.h"

namespace tutti::scheduler {
namespace {

using engine::FakeEngine;

constexpr int32_t kVocabulary = 40;
constexpr int kMaxSteps = 20000;

// What a user does with a request.
enum class Fate { kReads, kCancels, kLeaves, kNeverReads };

struct User {
  Request request;
  double arrives_s = 0;
  Fate fate = Fate::kReads;
  size_t patience = 0;    // tokens after which it cancels or leaves
  double gives_up_s = 0;  // ... or then
  std::unique_ptr<Stream> stream = nullptr;
  bool refused = false;
  bool gone = false;
  bool ended = false;
  std::vector<TokenIds> tokens = {};  // [choices]
  std::vector<std::optional<FinishReason>> finished = {};
};

class World {
 public:
  explicit World(uint64_t seed) : rng_(seed), check_often_(seed % 8 == 0) {
    const auto context = static_cast<int32_t>(40 + Random(260));
    const int64_t least = (context + 31) / 32;
    engine_ = std::make_unique<FakeEngine>(kVocabulary, context,
                                           least + static_cast<int64_t>(Random(2 * least)));
    options_.max_queued_requests = 2 + static_cast<int64_t>(Random(30));
    options_.max_queued_prompt_tokens = 100 + static_cast<int64_t>(Random(3000));
    options_.max_running = 1 + static_cast<int32_t>(Random(8));
    options_.max_step_tokens = options_.max_running + static_cast<int32_t>(Random(100));
    options_.step_ms = 1 + static_cast<double>(Random(10));
    options_.prompt_step_ms = 1 + static_cast<double>(Random(20));
    options_.batch_patience_s = 0.01 * static_cast<double>(Random(30));
    options_.unread_tokens = 3 + static_cast<int64_t>(Random(40));
    options_.now_s = [this] { return now_s_; };
    if (Chance(2)) options_.end_of_generation = {Token()};
    fails_ = Chance(10);
    MakeDrafts();
    if (seed % 8 == 1) KeepOnDisk();
    // From steps whose time is all their own to steps that pay for each token.
    const double token_s = Chance(2) ? 0.0001 : Chance(2) ? 0.00001 : 0.0005;
    engine_->before_forward = [this, token_s](const Batch& batch) {
      size_t tokens = 0;
      for (const BatchEntry& entry : batch.entries) tokens += entry.tokens.size();
      EXPECT_LE(static_cast<int32_t>(tokens), options_.max_step_tokens);
      now_s_ += 0.0005 + token_s * static_cast<double>(tokens + Random(5));
      if (fails_ && Chance(30)) return Error(StatusCode::kIo, "a step failed");
      return Status();
    };
    scheduler_ = std::move(Scheduler::Create(*engine_, options_)).value();
    MakeUsers();
  }

  void Run() {
    int steps = 0;
    while (true) {
      SubmitArrived();
      for (User& user : users_) {
        if (user.stream != nullptr && !user.ended) Act(user);
      }
      const bool worked = scheduler_->Step();
      if (check_often_) {
        ASSERT_EQ(scheduler_->CheckIntegrity(), "");
      }
      ASSERT_LT(++steps, kMaxSteps) << "somebody starves";
      if (worked) continue;
      if (next_user_ == users_.size()) break;
      now_s_ = std::max(now_s_, users_[next_user_].arrives_s);
    }
    for (User& user : users_) {
      if (user.stream != nullptr) Read(user);
    }
    CheckAnswers();
    CheckBills();
    CheckNothingIsLeft();
  }

  std::array<DraftCount, kDraftSources> drafts() const { return scheduler_->statistics().drafts; }

 private:
  uint64_t Random(uint64_t n) { return rng_.NextU64() % std::max<uint64_t>(n, 1); }
  bool Chance(uint64_t one_in) { return Random(one_in) == 0; }
  TokenId Token() { return static_cast<TokenId>(Random(kVocabulary)); }

  TokenIds Tokens(size_t size) {
    TokenIds tokens;
    while (tokens.size() < size) tokens.push_back(Token());
    return tokens;
  }

  // What memory forgets is found again.
  void KeepOnDisk() {
    const auto path = std::filesystem::path(::testing::TempDir()) /
                      fmt::format("tutti_simulation_{}", ::getpid());
    auto disk = memory::PrefixDisk::Open(
        path, {.fingerprint = 1, .page_bytes = static_cast<uint64_t>(engine_->page_bytes())},
        4096 * static_cast<int64_t>(3 + Random(40)));
    ASSERT_TRUE(disk.ok()) << disk.status().message();
    std::filesystem::remove(path);  // it lives on until it is closed
    engine_->KeepOnDisk(std::move(disk).value());
  }

  void MakeDrafts() {
    options_.prompt_lookup = Chance(2);
    options_.max_drafts = static_cast<int32_t>(Random(40));
    if (Chance(2)) engine_->surprise = 2 + static_cast<uint32_t>(Random(30));
    if (Chance(2)) return;
    const auto context = static_cast<int32_t>(20 + Random(300));
    draft_ =
        std::make_unique<FakeEngine>(kVocabulary, context, 1 + static_cast<int64_t>(Random(30)));
    draft_->surprise =
        engine_->surprise == 0 ? 2 : engine_->surprise * static_cast<uint32_t>(1 + Random(2));
    options_.draft = draft_.get();
    draft_fails_ = Chance(5);
    draft_->before_forward = [this](const Batch& batch) {
      now_s_ += 0.00005 * static_cast<double>(1 + batch.entries.size());
      if (draft_fails_ && Chance(50)) return Error(StatusCode::kIo, "a draft failed");
      return Status();
    };
  }

  void MakeUsers() {
    const auto context = static_cast<size_t>(engine_->context());
    const TokenIds bases[] = {Tokens(context), Tokens(context)};
    const uint64_t tenants = 1 + Random(3);
    double time = 0;
    const uint64_t count = 5 + Random(20);
    const double pace = 0.001 * static_cast<double>(1 + Random(15));
    for (uint64_t i = 0; i < count; ++i) {
      User& user = users_.emplace_back();
      time += pace * 2 * rng_.NextDouble();
      user.arrives_s = time;
      Request& request = user.request;
      const TokenIds& base = bases[Random(2)];
      const size_t size = 1 + Random(context);
      const size_t common = Random(size + 1);
      request.prompt.assign(base.begin(), base.begin() + static_cast<ptrdiff_t>(common));
      const TokenIds tail = Tokens(size - common);
      request.prompt.insert(request.prompt.end(), tail.begin(), tail.end());
      request.sampling.temperature = Chance(4) ? 3.0f : 0.0f;
      request.sampling.seed = i;
      request.max_tokens = Chance(6) ? -1 : static_cast<int32_t>(Random(60));
      request.choices = Chance(5) ? 1 + static_cast<int32_t>(Random(4)) : 1;
      request.ignore_eos = Chance(3);
      if (Chance(5)) request.stop_tokens = {Token()};
      request.priority = Chance(3) ? Priority::kBatch : Priority::kInteractive;
      request.tenant = TenantId{Random(tenants)};
      const uint64_t fate = Random(8);
      user.fate = fate < 5    ? Fate::kReads
                  : fate == 5 ? Fate::kCancels
                  : fate == 6 ? Fate::kLeaves
                              : Fate::kNeverReads;
      user.patience = Random(40);
      user.gives_up_s = time + 0.2 * rng_.NextDouble();
      user.tokens.resize(static_cast<size_t>(request.choices));
      user.finished.resize(static_cast<size_t>(request.choices));
    }
  }

  void SubmitArrived() {
    for (; next_user_ < users_.size() && users_[next_user_].arrives_s <= now_s_; ++next_user_) {
      User& user = users_[next_user_];
      auto stream = scheduler_->Submit(user.request);
      if (stream.ok()) {
        user.stream = std::move(stream).value();
        continue;
      }
      user.refused = true;
      EXPECT_EQ(stream.status().code(), StatusCode::kResource);
    }
  }

  void Act(User& user) {
    if (user.fate == Fate::kNeverReads) return;
    Read(user);
    if (user.ended || user.fate == Fate::kReads || user.gone) return;
    if (user.tokens[0].size() < user.patience && now_s_ < user.gives_up_s) return;
    user.gone = true;
    if (user.fate == Fate::kCancels) {
      user.stream->Cancel();
    } else {
      user.stream.reset();
      somebody_left_ = true;
    }
  }

  void Read(User& user) {
    for (Event& event : user.stream->Read()) {
      EXPECT_FALSE(user.ended);
      const auto choice = static_cast<size_t>(event.choice);
      EXPECT_FALSE(user.finished[choice]);
      if (event.finished) {
        user.finished[choice] = event.finished;
      } else {
        user.tokens[choice].push_back(event.token.id);
      }
      user.ended = event.last;
    }
  }

  // The request by itself.
  void Alone(const User& user, size_t choice, TokenIds& tokens, FinishReason& finished) const {
    const Request& request = user.request;
    engine::AnswerSpec spec{.sampling = request.sampling,
                            .max_tokens = request.max_tokens,
                            .ends = {},
                            .stop_tokens = request.stop_tokens,
                            .constraint = {}};
    spec.sampling.seed += choice;
    if (!request.ignore_eos) spec.ends = options_.end_of_generation;
    auto answer = engine::Answer::Create(*engine_, request.prompt, std::move(spec)).value();
    while (!answer.finished()) {
      std::vector<float> logits(kVocabulary, 0.0f);
      logits[static_cast<size_t>(engine_->Next(answer.tokens()))] = 10;
      tokens.push_back(answer.Next(logits).value().id);
    }
    finished = *answer.finished();
  }

  void CheckAnswers() {
    for (User& user : users_) {
      if (user.stream == nullptr) continue;
      ASSERT_TRUE(user.ended) << "a request is lost";
      for (size_t choice = 0; choice < user.tokens.size(); ++choice) {
        TokenIds expected;
        FinishReason reason{};
        Alone(user, choice, expected, reason);
        const TokenIds& tokens = user.tokens[choice];
        ASSERT_TRUE(user.finished[choice]);
        const FinishReason finished = *user.finished[choice];
        if (finished == FinishReason::kInterrupted || finished == FinishReason::kSlowReader ||
            finished == FinishReason::kFailed) {
          ASSERT_LE(tokens.size(), expected.size());
          expected.resize(tokens.size());
          ASSERT_TRUE(finished != FinishReason::kInterrupted || user.gone);
          ASSERT_TRUE(finished != FinishReason::kFailed || fails_);
          ASSERT_TRUE(finished != FinishReason::kSlowReader || user.fate == Fate::kNeverReads);
        } else {
          ASSERT_EQ(finished, reason);
        }
        ASSERT_EQ(tokens, expected);
      }
    }
  }

  void CheckBills() {
    int64_t generated = 0;
    int64_t fed = 0;
    for (User& user : users_) {
      if (user.stream == nullptr) continue;
      const Progress progress = user.stream->progress();
      const Usage& usage = progress.usage;
      int64_t tokens = 0;
      for (const TokenIds& choice : user.tokens) {
        tokens += std::ssize(choice);
        fed += std::max<int64_t>(0, std::ssize(choice) - 1);
      }
      generated += tokens;
      ASSERT_EQ(usage.generated_tokens, tokens);
      ASSERT_LE(usage.cached_tokens, usage.prompt_tokens);
      ASSERT_LE(usage.prompt_tokens, std::ssize(user.request.prompt));
      if (tokens > 0) {
        ASSERT_EQ(usage.prompt_tokens, std::ssize(user.request.prompt));
      }
      ASSERT_GE(progress.times.finished_s, progress.times.submitted_s);
    }
    const Usage& total = scheduler_->statistics().usage;
    if (somebody_left_) return;
    ASSERT_EQ(total.generated_tokens, generated);
    int64_t rejected = 0;
    for (const DraftCount& count : scheduler_->statistics().drafts) {
      rejected += count.drafted - count.accepted;
    }
    ASSERT_EQ(engine_->computed_tokens,
              total.prompt_tokens - total.cached_tokens + fed + total.recomputed_tokens + rejected);
  }

  void CheckNothingIsLeft() {
    const Statistics statistics = scheduler_->statistics();
    ASSERT_EQ(scheduler_->CheckIntegrity(), "");
    ASSERT_EQ(statistics.queued_requests, 0);
    ASSERT_EQ(statistics.queued_prompt_tokens, 0);
    ASSERT_EQ(statistics.running + statistics.waiting, 0);
    ASSERT_EQ(engine_->sequences(), 0u);
    ASSERT_EQ(statistics.pages.available(), statistics.pages.total);
    int64_t choices = 0;
    int64_t refused = 0;
    for (const User& user : users_) {
      if (user.refused) ++refused;
      if (!user.refused) choices += user.request.choices;
    }
    for (const int64_t count : statistics.finished) choices -= count;
    ASSERT_EQ(choices, 0);
    ASSERT_EQ(statistics.refused, refused);
    if (draft_ == nullptr) return;
    ASSERT_TRUE(statistics.draft_error.empty() || draft_fails_) << statistics.draft_error;
    ASSERT_EQ(draft_->sequences(), 0u);
    ASSERT_EQ(draft_->CheckIntegrity(), "");
  }

  Rng rng_;
  const bool check_often_;
  double now_s_ = 0;
  SchedulerOptions options_;
  std::unique_ptr<FakeEngine> engine_;
  std::unique_ptr<FakeEngine> draft_;
  std::unique_ptr<Scheduler> scheduler_;
  std::vector<User> users_;
  size_t next_user_ = 0;
  bool draft_fails_ = false;
  bool fails_ = false;          // steps end in errors now and then
  bool somebody_left_ = false;  // and with them the knowledge of what they had got
};

uint64_t FromEnvironment(const char* name, uint64_t otherwise) {
  const char* value = std::getenv(name);
  return value == nullptr ? otherwise : std::stoull(value);
}

TEST(SimulationTest, AnySeed) {
  const uint64_t first = FromEnvironment("TUTTI_SEED", 1);
  const uint64_t seeds = FromEnvironment("TUTTI_SEEDS", 500);
  std::array<DraftCount, kDraftSources> drafts;
  for (uint64_t seed = first; seed < first + seeds; ++seed) {
    SCOPED_TRACE("TUTTI_SEED=" + std::to_string(seed));
    World world(seed);
    world.Run();
    if (HasFailure()) return;
    for (size_t source = 0; source < kDraftSources; ++source) {
      drafts[source].drafted += world.drafts()[source].drafted;
      drafts[source].accepted += world.drafts()[source].accepted;
    }
  }
  if (seeds < 100) return;
  for (const DraftCount& count : drafts) {
    EXPECT_GT(count.accepted, seeds);
    EXPECT_GT(count.drafted - count.accepted, seeds);
  }
}

}  // namespace
}  // namespace tutti::scheduler
