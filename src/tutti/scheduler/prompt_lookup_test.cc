#include "tutti/scheduler/prompt_lookup.h"

#include <gtest/gtest.h>

#include <map>

#include "tutti/base/rng.h"

namespace tutti::scheduler {
namespace {

TEST(PromptLookupTest, GivesWhatFollowedTheLastTime) {
  PromptLookup lookup;
  TokenIds text = {1, 2, 3, 4, 5, 9, 1, 2, 3, 6, 7, 8, 0};
  EXPECT_TRUE(lookup.Draft(text, 5).empty());
  for (const TokenId id : {1, 2}) text.push_back(id);
  EXPECT_TRUE(lookup.Draft(text, 5).empty());
  text.push_back(3);
  EXPECT_EQ(lookup.Draft(text, 3), (TokenIds{6, 7, 8}));  // the later one of two
  EXPECT_EQ(lookup.Draft(text, 1), (TokenIds{6}));
  EXPECT_TRUE(lookup.Draft(text, 0).empty());
}

TEST(PromptLookupTest, ShortTextsHaveNothing) {
  PromptLookup lookup;
  EXPECT_TRUE(lookup.Draft({}, 5).empty());
  EXPECT_TRUE(lookup.Draft(TokenIds{1, 1, 1}, 5).empty());
  EXPECT_EQ(lookup.Draft(TokenIds{1, 1, 1, 1}, 5), (TokenIds{1, 1, 1, 1, 1}));
}

TEST(PromptLookupTest, ADraftGoesOnFromItself) {
  PromptLookup lookup;
  EXPECT_EQ(lookup.Draft(TokenIds{7, 8, 9, 7, 8, 9}, 8), (TokenIds{7, 8, 9, 7, 8, 9, 7, 8}));
}

// Against the same said simply, as long as the table holds everything without confusion; and
// whatever it confuses, a draft is what followed the same tokens.
TEST(PromptLookupTest, FindsTheLastPlaceInAnyText) {
  Rng rng(5);
  for (const int32_t vocabulary : {2, 5, 60}) {
    PromptLookup lookup;
    TokenIds text;
    std::map<TokenIds, size_t> places;
    int found = 0;
    int expected = 0;
    for (int i = 0; i < 3000; ++i) {
      const size_t added = 1 + rng.NextU64() % 3;
      for (size_t j = 0; j < added; ++j) {
        if (text.size() >= kLookupTokens) {
          places[TokenIds(text.end() - kLookupTokens, text.end())] = text.size();
        }
        text.push_back(static_cast<TokenId>(rng.NextU64() % static_cast<uint64_t>(vocabulary)));
      }
      const TokenIds drafts = lookup.Draft(text, 1);
      if (text.size() < kLookupTokens) continue;
      const auto it = places.find(TokenIds(text.end() - kLookupTokens, text.end()));
      if (it != places.end()) ++expected;
      if (drafts.empty()) continue;
      ++found;
      ASSERT_TRUE(it != places.end());
      ASSERT_EQ(drafts[0], text[it->second]);
    }
    EXPECT_GT(found, expected * 3 / 4);
  }
}

}  // namespace
}  // namespace tutti::scheduler
