#include "tutti/text/bpe.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tutti/base/rng.h"

namespace tutti::text {
namespace {

// The definition, word for word.
TokenIds MergedSlowly(const MergeTable& table, TokenIds ids) {
  for (;;) {
    size_t best = ids.size();
    MergeTable::Merge merge;
    for (size_t i = 0; i + 1 < ids.size(); ++i) {
      const MergeTable::Merge here = table.Find(ids[i], ids[i + 1]);
      if (here.rank < merge.rank) {
        merge = here;
        best = i;
      }
    }
    if (merge.rank == MergeTable::kNoRank) return ids;
    ids[best] = merge.result;
    ids.erase(ids.begin() + static_cast<std::ptrdiff_t>(best) + 1);
  }
}

// Random tables: symbols below `symbols` are letters, the others results. Ranks may repeat and may
// fall (a result may merge before what it is made of), as untrusted vocabularies do.
MergeTable RandomTable(Rng* rng, int symbols, int merges, uint32_t ranks) {
  MergeTable table;
  for (int i = 0; i < merges; ++i) {
    const auto limit = static_cast<uint64_t>(symbols + i);
    table.Add(static_cast<TokenId>(rng->NextU64() % limit),
              static_cast<TokenId>(rng->NextU64() % limit),
              static_cast<uint32_t>(rng->NextU64() % ranks), symbols + i);
  }
  return table;
}

TEST(BpeTest, EveryLengthAsTheDefinition) {
  Rng rng(7);
  for (int round = 0; round < 400; ++round) {
    const int symbols = 1 + static_cast<int>(rng.NextU64() % 4);
    const auto ranks = static_cast<uint32_t>(1 + rng.NextU64() % (round % 2 == 0 ? 3 : 60));
    const MergeTable table = RandomTable(&rng, symbols, 40, ranks);
    BpeMerger merger(table);  // one for all lengths: scratch memory is reused
    for (const size_t size : {0, 1, 2, 3, 7, 30, 48, 49, 50, 90, 200}) {
      TokenIds ids(size);
      for (TokenId& id : ids) {
        id = static_cast<TokenId>(rng.NextU64() % static_cast<uint64_t>(symbols));
      }
      const TokenIds want = MergedSlowly(table, ids);
      merger.Merge(&ids);
      ASSERT_EQ(ids, want) << "round " << round << ", " << size << " symbols";
    }
  }
}

TEST(BpeTest, TheFirstRankOfAPairStays) {
  MergeTable table;
  table.Add(1, 2, 5, 10);
  table.Add(1, 2, 3, 11);
  EXPECT_EQ(table.Find(1, 2).rank, 5u);
  EXPECT_EQ(table.Find(1, 2).result, 10);
  EXPECT_EQ(table.Find(2, 1).rank, MergeTable::kNoRank);
}

TEST(BpeTest, TheTableGrows) {
  MergeTable table(2);
  for (TokenId i = 0; i < 5000; ++i) table.Add(i, i * 7, static_cast<uint32_t>(i), i + 1);
  for (TokenId i = 0; i < 5000; ++i) ASSERT_EQ(table.Find(i, i * 7).result, i + 1);
  EXPECT_EQ(table.rank_limit(), 5000u);
}

// Doubling merges (aa, aaaa, ...) and one-by-one merges (aa, aaa, ...) of a long run; a quadratic
// merger would need minutes.
TEST(BpeTest, LongRuns) {
  constexpr size_t kSize = 1 << 20;
  MergeTable doubling, growing, same_rank;
  for (TokenId i = 0; i < 16; ++i) doubling.Add(i, i, static_cast<uint32_t>(i), i + 1);
  for (TokenId i = 0; i < 1000; ++i) {
    growing.Add(i, 0, static_cast<uint32_t>(1000 - i), i + 1);
    same_rank.Add(i, 0, 0, i + 1);
  }
  TokenIds ids(kSize, 0);
  BpeMerger(doubling).Merge(&ids);
  EXPECT_EQ(ids, TokenIds(kSize >> 16, 16));
  for (const MergeTable* table : {&growing, &same_rank}) {
    ids.assign(kSize, 0);
    BpeMerger(*table).Merge(&ids);
    EXPECT_EQ(ids.size(), (kSize + 1000) / 1001);
    EXPECT_EQ(ids[0], 1000);
  }
}

}  // namespace
}  // namespace tutti::text
