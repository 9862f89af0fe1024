#include "tutti/engine/sequences.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <thread>

#include "tutti/base/rng.h"
#include "tutti/engine/fake_engine.h"

namespace tutti::engine {
namespace {

constexpr TenantId kTenant{7};
constexpr int32_t kPage = memory::kPageTokens;

TokenIds Text(int32_t size, TokenId first = 1) {
  TokenIds tokens(static_cast<size_t>(size), 5);
  for (int32_t i = 0; i < size; ++i) tokens[static_cast<size_t>(i)] = (first + i * 7) % 50;
  return tokens;
}

// The fake engine on few pages; its answers depend on every token that a sequence holds.
class SequencesTest : public ::testing::Test {
 protected:
  void TearDown() override { EXPECT_EQ(engine_.CheckIntegrity(), ""); }

  // Computes the tokens; what would follow.
  TokenId Feed(SequenceId id, std::span<const TokenId> tokens) {
    const auto result = engine_.Forward({{{.sequence = id, .tokens = tokens}}});
    EXPECT_TRUE(result.ok()) << result.status().message();
    if (!result.ok()) return kNoToken;
    return static_cast<TokenId>(std::max_element(result->logits.begin(), result->logits.end()) -
                                result->logits.begin());
  }
  SequenceId New() { return engine_.NewSequence().value(); }
  // A sequence of the tenant that holds the tokens.
  SequenceId Hold(const TokenIds& tokens, TenantId tenant = kTenant) {
    const SequenceId id = New();
    const int32_t found = engine_.Recall(id, tenant, tokens);
    Feed(id, std::span(tokens).subspan(static_cast<size_t>(found)));
    return id;
  }

  FakeEngine engine_{50, 8 * kPage, 8};
};

TEST_F(SequencesTest, ARunningSequenceSharesItsFullPages) {
  const TokenIds text = Text(2 * kPage + 10);
  Hold(text);
  EXPECT_EQ(engine_.pages().free, 5);
  const SequenceId id = New();
  EXPECT_EQ(engine_.Recall(id, kTenant, text), 2 * kPage);
  EXPECT_EQ(engine_.Length(id), 2 * kPage);
  EXPECT_EQ(engine_.pages().free, 5);
  EXPECT_EQ(engine_.pages().idle, 0);
  EXPECT_EQ(Feed(id, std::span(text).subspan(2 * kPage)), engine_.Next(text));
  EXPECT_EQ(engine_.computed_tokens, 2 * kPage + 20);
}

TEST_F(SequencesTest, GuessesAreSharedWithNobody) {
  const TokenIds text = Text(2 * kPage + 10);
  const auto found = [&] {
    const SequenceId id = New();
    const int32_t tokens = engine_.Recall(id, kTenant, text);
    engine_.EndSequence(id);
    return tokens;
  };
  const SequenceId id = Hold(TokenIds(text.begin(), text.begin() + kPage - 5));
  const auto rest = std::span(text).subspan(kPage - 5);
  const auto guess = [&](int32_t drafts) {
    ASSERT_TRUE(engine_.Forward({{{.sequence = id, .tokens = rest, .drafts = drafts}}}).ok());
    EXPECT_EQ(engine_.CheckIntegrity(), "");
  };
  guess(static_cast<int32_t>(rest.size()) - 1);
  EXPECT_EQ(found(), 0) << "nothing, not even the page that was full of them";
  engine_.Truncate(id, kPage - 4);
  EXPECT_EQ(found(), 0);
  engine_.Truncate(id, kPage - 5);
  guess(15);  // up to the second page
  EXPECT_EQ(found(), kPage);
  engine_.Truncate(id, 2 * kPage + 3);  // some came true
  EXPECT_EQ(found(), 2 * kPage);
  EXPECT_EQ(Feed(id, std::span(text).subspan(2 * kPage + 3)), engine_.Next(text));
  // The end of a sequence drops what is not sure.
  engine_.Truncate(id, kPage + 2);
  ASSERT_TRUE(engine_
                  .Forward({{{.sequence = id,
                              .tokens = std::span(text).subspan(kPage + 2, kPage + 2),
                              .drafts = kPage}}})
                  .ok());
  engine_.EndSequence(id);
  EXPECT_EQ(found(), kPage + 4);
}

TEST_F(SequencesTest, AnEndedSequenceLeavesAllItsTokens) {
  TokenIds text = Text(kPage + 10);
  engine_.EndSequence(Hold(text));
  EXPECT_EQ(engine_.pages().idle, 2);
  EXPECT_EQ(engine_.pages().available(), 8);
  text.push_back(3);
  const SequenceId id = New();
  EXPECT_EQ(engine_.Recall(id, kTenant, text), kPage + 10);
  EXPECT_EQ(Feed(id, std::span(text).last(1)), engine_.Next(text));
  // The part of a page was copied, not taken: another answer to the same text begins there too.
  TokenIds other(text.begin(), text.end() - 1);
  other.push_back(4);
  const SequenceId second = New();
  EXPECT_EQ(engine_.Recall(second, kTenant, other), kPage + 10);
  EXPECT_EQ(Feed(second, std::span(other).last(1)), engine_.Next(other));
  EXPECT_EQ(engine_.CheckIntegrity(), "");
}

TEST_F(SequencesTest, APageThatBeginsAlikeIsCopied) {
  const TokenIds text = Text(2 * kPage);
  Hold(text);
  TokenIds other = text;
  other[kPage + 20] = 49;
  const SequenceId id = New();
  EXPECT_EQ(engine_.Recall(id, kTenant, other), kPage + 20);
  EXPECT_EQ(engine_.PagesMissing(id, 1), 1);
  EXPECT_EQ(Feed(id, std::span(other).subspan(kPage + 20)), engine_.Next(other));
  EXPECT_EQ(engine_.CheckIntegrity(), "");
}

TEST_F(SequencesTest, TenantsShareNothing) {
  const TokenIds text = Text(2 * kPage);
  Hold(text);
  EXPECT_EQ(engine_.Recall(New(), TenantId{8}, text), 0);
  const SequenceId alone = New();
  Feed(alone, text);
  engine_.EndSequence(alone);
  EXPECT_EQ(engine_.Recall(New(), TenantId{8}, text), 0);
  EXPECT_EQ(engine_.pages().free, 6);
}

TEST_F(SequencesTest, RecallCatchesUpWithOthersOnTheWay) {
  const TokenIds text = Text(3 * kPage + 5);
  const SequenceId slow = New();
  engine_.Recall(slow, kTenant, text);
  Feed(slow, std::span(text).first(10));
  Hold(text);
  // Its own part of a page gives way to the full one.
  EXPECT_EQ(engine_.Recall(slow, kTenant, std::span(text).subspan(10)), 3 * kPage - 10);
  EXPECT_EQ(engine_.pages().free, 4);
  EXPECT_EQ(engine_.Recall(slow, kTenant, std::span(text).subspan(3 * kPage)), 0);
  EXPECT_EQ(Feed(slow, std::span(text).subspan(3 * kPage)), engine_.Next(text));
}

TEST_F(SequencesTest, TheSamePagesComputedTwiceAreKeptOnce) {
  const TokenIds text = Text(2 * kPage);
  const SequenceId a = New();
  const SequenceId b = New();
  engine_.Recall(a, kTenant, text);
  engine_.Recall(b, kTenant, text);
  ASSERT_TRUE(
      engine_.Forward({{{.sequence = a, .tokens = text}, {.sequence = b, .tokens = text}}}).ok());
  EXPECT_EQ(engine_.pages().free, 6);
}

TEST_F(SequencesTest, ForksPartWhereTheyDiffer) {
  TokenIds text = Text(kPage + 10);
  const SequenceId id = Hold(text);
  const SequenceId fork = *engine_.Fork(id);
  EXPECT_EQ(engine_.pages().free, 6);
  TokenIds other = text;
  text.push_back(1);
  other.push_back(2);
  EXPECT_EQ(Feed(fork, std::span(other).last(1)), engine_.Next(other));
  EXPECT_EQ(Feed(id, std::span(text).last(1)), engine_.Next(text));
  EXPECT_EQ(engine_.pages().free, 5);
  EXPECT_EQ(engine_.CheckIntegrity(), "");
  engine_.EndSequence(id);
  EXPECT_EQ(engine_.Length(fork), kPage + 11);
  EXPECT_EQ(Feed(fork, Text(5)), [&] {
    const TokenIds more = Text(5);
    other.insert(other.end(), more.begin(), more.end());
    return engine_.Next(other);
  }());
}

TEST_F(SequencesTest, MemoryIsTakenFromWhatIsOnlyRemembered) {
  engine_.EndSequence(Hold(Text(4 * kPage, 1)));
  engine_.EndSequence(Hold(Text(4 * kPage, 2)));
  EXPECT_EQ(engine_.pages().free, 0);
  EXPECT_EQ(engine_.pages().idle, 8);
  const TokenIds text = Text(5 * kPage, 3);
  const SequenceId id = Hold(text);
  EXPECT_EQ(engine_.pages().evicted, 5);
  // The older text is gone, of the younger one the beginning is left.
  EXPECT_EQ(engine_.Recall(New(), kTenant, Text(4 * kPage, 1)), 0);
  EXPECT_EQ(engine_.Recall(New(), kTenant, Text(4 * kPage, 2)), 3 * kPage);
  const TokenIds one = {1};
  const SequenceId late = New();
  const auto refused = engine_.Forward({{{.sequence = late, .tokens = one}}});
  EXPECT_EQ(refused.status().code(), StatusCode::kResource);
  EXPECT_EQ(engine_.Length(id), 5 * kPage);
}

// A sequence that has all of memory to itself can always go on to the end of it.
TEST_F(SequencesTest, APartIsNotTakenWhereNoPageIsLeftToCopyIt) {
  const TokenIds text = Text(8 * kPage - 5);
  engine_.EndSequence(Hold(text));
  TokenIds more = text;
  more.push_back(3);
  const SequenceId id = New();
  EXPECT_EQ(engine_.Recall(id, kTenant, more), 7 * kPage);
  EXPECT_EQ(Feed(id, std::span(more).subspan(7 * kPage)), engine_.Next(more));
}

TEST_F(SequencesTest, WhatIsCutOffStaysTrue) {
  TokenIds text = Text(2 * kPage);
  const SequenceId id = Hold(text);
  // Only this sequence knows the page: it is not copied.
  engine_.Truncate(id, kPage + 9);
  EXPECT_EQ(engine_.PagesMissing(id, 1), 0);
  text.resize(kPage + 9);
  text.push_back(0);
  EXPECT_EQ(Feed(id, std::span(text).last(1)), engine_.Next(text));
  // Another one holds it: it is.
  const SequenceId other = Hold(Text(2 * kPage));
  Hold(Text(2 * kPage));
  engine_.Truncate(other, kPage + 4);
  EXPECT_EQ(engine_.PagesMissing(other, 1), 1);
  const SequenceId third = New();
  EXPECT_EQ(engine_.Recall(third, kTenant, text), kPage + 9);
  EXPECT_EQ(engine_.CheckIntegrity(), "");
  engine_.Truncate(id, kPage);
  engine_.Truncate(id, 0);
  EXPECT_EQ(engine_.Recall(id, kTenant, text), kPage + 9);
}

TEST_F(SequencesTest, NoiseIsNobodysPrefix) {
  const SequenceId id = New();
  engine_.Recall(id, kTenant, {});
  ASSERT_TRUE(engine_.ExtendWithNoise(id, 2 * kPage + 3).ok());
  EXPECT_EQ(engine_.Recall(New(), kTenant, TokenIds(2 * kPage, 0)), 0);
  EXPECT_EQ(engine_.Recall(id, kTenant, Text(3)), 0);
  engine_.EndSequence(id);
  EXPECT_EQ(engine_.pages().free, 8);
}

// Everything at once, at random; the answers must be those of the tokens.
TEST_F(SequencesTest, RandomUseGivesRightAnswers) {
  for (uint64_t seed = 1; seed <= 30; ++seed) {
    Rng rng(seed);
    FakeEngine engine(50, 6 * kPage, 12);
    std::vector<std::pair<SequenceId, TokenIds>> open;
    const auto random = [&](uint64_t n) { return rng.NextU64() % n; };
    for (int round = 0; round < 150; ++round) {
      const uint64_t what = random(6);
      const size_t which = open.empty() ? 0 : random(open.size());
      if (open.empty() || (what == 0 && open.size() < 5)) {
        open.emplace_back(engine.NewSequence().value(), TokenIds{});
        engine.Recall(open.back().first, TenantId{random(2)}, {});
      } else if (what == 1) {
        engine.EndSequence(open[which].first);
        open.erase(open.begin() + static_cast<ptrdiff_t>(which));
      } else if (what == 2 && open.size() < 5) {
        open.emplace_back(engine.Fork(open[which].first).value(), open[which].second);
      } else if (what == 3) {
        TokenIds& tokens = open[which].second;
        tokens.resize(random(tokens.size() + 1));
        engine.Truncate(open[which].first, static_cast<int32_t>(tokens.size()));
      } else {
        TokenIds more = Text(static_cast<int32_t>(1 + random(80)), 1);
        TokenIds& tokens = open[which].second;
        for (TokenId& id : more) {
          if (random(60) == 0) id = static_cast<TokenId>(random(50));
        }
        if (tokens.size() + more.size() > 6 * kPage) continue;
        const auto result = engine.Forward({{{.sequence = open[which].first, .tokens = more}}});
        if (!result.ok()) continue;  // memory is full
        tokens.insert(tokens.end(), more.begin(), more.end());
        ASSERT_EQ(result->logits[static_cast<size_t>(engine.Next(tokens))], 10) << "seed " << seed;
      }
      ASSERT_EQ(engine.CheckIntegrity(), "") << "seed " << seed << " round " << round;
    }
    for (const auto& [id, tokens] : open) engine.EndSequence(id);
    EXPECT_EQ(engine.pages().available(), 12) << "seed " << seed;
    EXPECT_EQ(engine.CheckIntegrity(), "") << "seed " << seed;
  }
}

class DiskTest : public ::testing::Test {
 protected:
  void SetUp() override { std::filesystem::remove(path_); }
  void TearDown() override { std::filesystem::remove(path_); }

  // An engine on few pages, with the disk of the one before, which ends first.
  void Start(int64_t pages, int64_t disk_bytes = 1 << 20) {
    engine_.reset();
    engine_ = std::make_unique<FakeEngine>(50, 16 * kPage, pages);
    auto disk = memory::PrefixDisk::Open(
        path_, {.fingerprint = 1, .page_bytes = static_cast<uint64_t>(engine_->page_bytes())},
        disk_bytes);
    ASSERT_TRUE(disk.ok()) << disk.status().message();
    engine_->KeepOnDisk(std::move(disk).value());
  }
  // Computes what is not found, and ends; how much was found.
  int32_t Run(const TokenIds& text, TenantId tenant = kTenant) {
    const SequenceId id = engine_->NewSequence().value();
    const int32_t found = engine_->Recall(id, tenant, std::span(text).first(text.size() - 1));
    const auto rest = std::span(text).subspan(static_cast<size_t>(found));
    const auto result = engine_->Forward({{{.sequence = id, .tokens = rest}}});
    EXPECT_TRUE(result.ok()) << result.status().message();
    EXPECT_EQ(engine_->CheckIntegrity(), "");
    const int64_t best =
        std::max_element(result->logits.begin(), result->logits.end()) - result->logits.begin();
    EXPECT_EQ(best, engine_->Next(text));
    engine_->EndSequence(id);
    EXPECT_EQ(engine_->CheckIntegrity(), "");
    return found;
  }

  const std::filesystem::path path_ = std::filesystem::path(::testing::TempDir()) /
                                      fmt::format("tutti_sequences_disk_{}", ::getpid());
  std::unique_ptr<FakeEngine> engine_;
};

TEST_F(DiskTest, WhatMemoryForgetsIsFoundAgain) {
  Start(8);
  const TokenIds first = Text(6 * kPage + 5);
  EXPECT_EQ(Run(first), 0);
  EXPECT_EQ(Run(Text(7 * kPage, 3)), 0);
  EXPECT_GT(engine_->pages().evicted, 4);
  EXPECT_EQ(Run(first), 6 * kPage) << "full pages are kept";
  EXPECT_GT(engine_->disk().hits, 4);
  EXPECT_EQ(engine_->disk().error, "");
  EXPECT_EQ(Run(first, TenantId{8}), 0) << "another tenant's";
}

TEST_F(DiskTest, WhatMemoryHeldIsFoundAfterARestart) {
  Start(40);
  const TokenIds text = Text(6 * kPage + 5);
  TokenIds other = text;
  other[3 * kPage] = 49;
  Run(text);
  Run(other);
  Run(Text(2 * kPage), TenantId{8});
  Start(40);
  EXPECT_EQ(engine_->disk().pages, 6 + 3 + 2);
  EXPECT_EQ(Run(text, TenantId{8}), 2 * kPage);
  EXPECT_EQ(Run(text, TenantId{9}), 0);
  EXPECT_EQ(Run(other), 6 * kPage);
  EXPECT_EQ(Run(text), 6 * kPage);
  EXPECT_EQ(engine_->disk().hits, 2 + 6 + 3);
}

// A killed process leaves the file as it was at that moment: as a copy of it.
TEST_F(DiskTest, WhatWasWrittenBehindOutlivesAKill) {
  Start(40);
  EXPECT_FALSE(engine_->WriteBehind(1 << 20)) << "there is nothing";
  const TokenIds text = Text(6 * kPage + 5);
  Run(text);
  EXPECT_EQ(engine_->disk().pages, 0);
  int calls = 0;
  while (engine_->WriteBehind(2 * engine_->page_bytes())) {
    EXPECT_LE(engine_->disk().pages, 2 * ++calls);
    while (engine_->disk().written < engine_->disk().pages) std::this_thread::yield();
  }
  EXPECT_GE(calls, 3);
  EXPECT_EQ(engine_->disk().written, 6);
  EXPECT_EQ(engine_->CheckIntegrity(), "");
  const auto copy = std::filesystem::path(path_) += ".copy";
  std::filesystem::copy_file(path_, copy);
  Run(Text(3 * kPage, 3));
  engine_.reset();
  std::filesystem::rename(copy, path_);
  Start(40);
  EXPECT_EQ(engine_->disk().pages, 6);
  EXPECT_EQ(Run(text), 6 * kPage);
  EXPECT_EQ(Run(Text(3 * kPage, 3)), 0) << "not there yet when it was killed";
}

TEST_F(DiskTest, WritingBehindEndsWhereTheDiskHoldsLess) {
  Start(40, 4096 * 4);
  Run(Text(9 * kPage));
  Run(Text(4 * kPage + 1, 3));
  int calls = 0;
  while (engine_->WriteBehind(engine_->page_bytes())) {
    ASSERT_LT(++calls, 10'000);
    while (engine_->disk().written + engine_->disk().dropped < engine_->disk().pages) {
      std::this_thread::yield();
    }
  }
  EXPECT_LE(engine_->disk().pages, 3);
}

TEST_F(DiskTest, FewSlotsKeepTheLatest) {
  Start(40, 4096 * 5);
  Run(Text(4 * kPage + 1, 3));
  Run(Text(4 * kPage + 1));
  Start(40, 4096 * 5);
  EXPECT_EQ(engine_->disk().pages, 4);
  EXPECT_EQ(Run(Text(4 * kPage + 1, 3)), 0);
  EXPECT_EQ(Run(Text(4 * kPage + 1)), 4 * kPage);
}

// Texts that grow from each other, of two tenants, on little memory and a small disk, with
// restarts; the fake engine's answers tell whether a page is the wrong one.
TEST_F(DiskTest, RandomTextsAreNeverMistaken) {
  Rng rng(23);
  Start(10, 4096 * 20);
  int32_t found = 0;
  for (int round = 0; round < 400; ++round) {
    if (rng.NextU64() % 40 == 0) {
      Start(8 + static_cast<int64_t>(rng.NextU64() % 8),
            4096 * (10 + static_cast<int64_t>(rng.NextU64() % 20)));
    }
    TokenIds text = Text(1 + static_cast<int32_t>(rng.NextU64() % (7 * kPage)));
    for (int i = 0; i < 2; ++i) {
      const size_t page = rng.NextU64() % 8;
      if (page * kPage < text.size()) text[page * kPage] = static_cast<TokenId>(rng.NextU64() % 3);
    }
    found += Run(text, TenantId{rng.NextU64() % 2});
  }
  EXPECT_GT(found, 400 * kPage / 2);
}

}  // namespace
}  // namespace tutti::engine
