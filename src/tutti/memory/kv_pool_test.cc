#include "tutti/memory/kv_pool.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <set>

#include "tutti/base/rng.h"
#include "tutti/memory/page_table.h"

namespace tutti::memory {
namespace {

constexpr int64_t kBytesPerToken[] = {8, 20, 4};  // 20 * 32 is no multiple of a cache line

std::unique_ptr<KvPool> PoolOf(int64_t pages) {
  auto pool = KvPool::Create(kBytesPerToken, pages * KvPool::PageBytes(kBytesPerToken));
  EXPECT_TRUE(pool.ok()) << pool.status().message();
  return std::move(pool).value();
}

TEST(KvPoolTest, LayersLieBehindEachOtherOnCacheLines) {
  const auto pool = PoolOf(2);
  EXPECT_EQ(pool->LayerOffset(0), 0);
  EXPECT_EQ(pool->LayerOffset(1), 8 * kPageTokens);
  EXPECT_EQ(pool->LayerOffset(2), 8 * kPageTokens + 20 * kPageTokens);
  for (size_t layer = 0; layer < 3; ++layer) EXPECT_EQ(pool->LayerOffset(layer) % 64, 0);
  EXPECT_EQ(pool->page_bytes(), 32 * kPageTokens);
  EXPECT_EQ(pool->Data(PageId{1}) - pool->Data(PageId{0}), pool->page_bytes());
}

TEST(KvPoolTest, BudgetBelowOnePageIsAnErrorWithNumbers) {
  const auto pool = KvPool::Create(kBytesPerToken, 100);
  ASSERT_FALSE(pool.ok());
  EXPECT_EQ(pool.status().code(), StatusCode::kResource);
  EXPECT_NE(pool.status().message().find("100 bytes"), std::string::npos);
  EXPECT_NE(pool.status().message().find("1024 bytes"), std::string::npos);
}

// Of a pool far larger than memory, only what is used costs anything.
TEST(KvPoolTest, AGenerousBudgetCostsWhatIsUsed) {
  const auto resident_bytes = [] {
    std::ifstream file("/proc/self/statm");
    int64_t total = 0;
    int64_t resident = 0;
    file >> total >> resident;
    return resident * ::sysconf(_SC_PAGESIZE);
  };
  const int64_t before = resident_bytes();
  const auto pool = PoolOf(int64_t{1} << 28);
  const PagePin first = pool->Take();
  const PagePin second = pool->Take();
  EXPECT_LT(resident_bytes() - before, 16 << 20);
  EXPECT_EQ(pool->free_pages(), (int64_t{1} << 28) - 2);
  EXPECT_EQ(pool->CheckIntegrity(), "");
}

TEST(KvPoolTest, PagesAreDistinctAndComeBack) {
  const auto pool = PoolOf(3);
  {
    std::vector<PagePin> pins;
    std::set<std::byte*> seen;
    for (int i = 0; i < 3; ++i) {
      pins.push_back(pool->Take());
      ASSERT_TRUE(pins.back());
      std::memset(pins.back().data(), 0xff, static_cast<size_t>(pool->page_bytes()));
      seen.insert(pins.back().data());
    }
    EXPECT_EQ(seen.size(), 3u);
    EXPECT_FALSE(pool->Take());
    EXPECT_EQ(pool->CheckIntegrity(), "");
    PagePin moved = std::move(pins[0]);
    EXPECT_EQ(pool->free_pages(), 0);
  }
  EXPECT_EQ(pool->free_pages(), 3);
  EXPECT_EQ(pool->CheckIntegrity(), "");
}

TEST(KvPoolTest, BytesForTokensRoundsToPages) {
  EXPECT_EQ(KvPool::BytesForTokens(kBytesPerToken, 0), 0);
  EXPECT_EQ(KvPool::BytesForTokens(kBytesPerToken, 1), 1024);
  EXPECT_EQ(KvPool::BytesForTokens(kBytesPerToken, kPageTokens), 1024);
  EXPECT_EQ(KvPool::BytesForTokens(kBytesPerToken, kPageTokens + 1), 2048);
}

TEST(PageTableTest, ReserveIsAllOrNothing) {
  const auto pool = PoolOf(3);
  PageTable table(*pool);
  EXPECT_TRUE(table.Reserve(kPageTokens + 1));
  EXPECT_EQ(pool->free_pages(), 1);
  EXPECT_FALSE(table.Reserve(3 * kPageTokens + 1));
  EXPECT_EQ(pool->free_pages(), 1);
  EXPECT_EQ(table.length(), 0);
  table.Advance(kPageTokens + 1);
  EXPECT_EQ(table.length(), kPageTokens + 1);
  EXPECT_EQ(table.CheckIntegrity(), "");
}

TEST(PageTableTest, TruncateReturnsEmptyPagesOnly) {
  const auto pool = PoolOf(3);
  PageTable table(*pool);
  ASSERT_TRUE(table.Reserve(2 * kPageTokens + 5));
  table.Advance(2 * kPageTokens + 5);
  std::byte* second = table.pages()[1];
  table.Truncate(kPageTokens + 1);
  EXPECT_EQ(pool->free_pages(), 1);
  EXPECT_EQ(table.pages()[1], second);
  table.Truncate(kPageTokens);
  EXPECT_EQ(pool->free_pages(), 2);
  table.Truncate(0);
  EXPECT_EQ(pool->free_pages(), 3);
}

TEST(KvPoolTest, SharedPagesGoBackWithTheLastPin) {
  const auto pool = PoolOf(2);
  PagePin first = pool->Take();
  pool->SetDispensable(first, true);
  EXPECT_EQ(pool->idle_pages(), 1);
  {
    const PagePin second = first.Share();
    EXPECT_EQ(second.data(), first.data());
    EXPECT_TRUE(first.shared());
    EXPECT_EQ(pool->Holders(first.id()), 2);
    EXPECT_EQ(pool->idle_pages(), 0);
    EXPECT_EQ(pool->free_pages(), 1);
  }
  EXPECT_EQ(pool->idle_pages(), 1);
  EXPECT_EQ(pool->CheckIntegrity(), "");
  first = PagePin();
  EXPECT_EQ(pool->idle_pages(), 0);
  EXPECT_EQ(pool->free_pages(), 2);
  EXPECT_EQ(pool->CheckIntegrity(), "");
}

TEST(PageTableTest, ForksCopyThePageTheyWriteTo) {
  const auto pool = PoolOf(4);
  PageTable table(*pool);
  ASSERT_TRUE(table.Reserve(kPageTokens + 5));
  table.Advance(kPageTokens + 5);
  table.pages()[1][7] = std::byte{42};
  PageTable fork = table.Fork();
  EXPECT_EQ(pool->free_pages(), 2);
  EXPECT_EQ(fork.length(), table.length());
  EXPECT_EQ(fork.PagesMissing(fork.length()), 0);
  EXPECT_EQ(fork.PagesMissing(fork.length() + 1), 1);
  EXPECT_EQ(fork.PagesMissing(2 * kPageTokens + 1), 2);
  EXPECT_FALSE(fork.Reserve(4 * kPageTokens + 1));
  EXPECT_EQ(fork.pages()[1], table.pages()[1]);
  ASSERT_TRUE(fork.Reserve(fork.length() + 1));
  EXPECT_EQ(fork.pages()[0], table.pages()[0]);
  EXPECT_NE(fork.pages()[1], table.pages()[1]);
  EXPECT_EQ(fork.pages()[1][7], std::byte{42});
  EXPECT_EQ(table.PagesMissing(table.length() + 1), 0);  // it has its page alone again
  fork.Truncate(0);
  EXPECT_EQ(pool->free_pages(), 2);
  EXPECT_EQ(table.CheckIntegrity(), "");
}

TEST(PageTableTest, AdoptedPagesAreSharedUntilWrittenTo) {
  const auto pool = PoolOf(3);
  const PagePin full = pool->Take();
  const PagePin part = pool->Take();
  PageTable table(*pool);
  table.Adopt(full.Share(), kPageTokens);
  table.Adopt(part.Share(), 3);
  EXPECT_EQ(table.length(), kPageTokens + 3);
  EXPECT_EQ(table.pages()[1], part.data());
  ASSERT_TRUE(table.Reserve(kPageTokens + 4));
  EXPECT_NE(table.pages()[1], part.data());
  EXPECT_EQ(table.pages()[0], full.data());
  table.Truncate(kPageTokens);
  table.Replace(0, pool->Take());
  EXPECT_FALSE(full.shared());
  EXPECT_EQ(table.CheckIntegrity(), "");
  EXPECT_EQ(pool->CheckIntegrity(), "");
}

// Random growth and truncation of several sequences against a plain count.
TEST(PageTableTest, ManySequencesNeverShareOrLosePages) {
  const auto pool = PoolOf(17);
  std::vector<PageTable> tables;
  for (int i = 0; i < 4; ++i) tables.emplace_back(*pool);
  Rng rng(7);
  for (int step = 0; step < 2000; ++step) {
    PageTable& table = tables[rng.NextU64() % tables.size()];
    const auto tokens = static_cast<int32_t>(rng.NextU64() % 100);
    if (rng.NextU64() % 2 == 0) {
      if (table.Reserve(table.length() + tokens)) table.Advance(tokens);
    } else {
      table.Truncate(std::max(0, table.length() - tokens));
    }
    std::set<std::byte*> used;
    size_t pages = 0;
    for (const PageTable& each : tables) {
      ASSERT_EQ(each.CheckIntegrity(), "");
      used.insert(each.pages().begin(), each.pages().end());
      pages += each.pages().size();
    }
    ASSERT_EQ(used.size(), pages);
    ASSERT_EQ(pool->free_pages(), 17 - static_cast<int64_t>(pages));
    ASSERT_EQ(pool->CheckIntegrity(), "");
  }
}

}  // namespace
}  // namespace tutti::memory
