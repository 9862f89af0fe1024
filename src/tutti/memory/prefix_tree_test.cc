#include "tutti/memory/prefix_tree.h"

#include <gtest/gtest.h>

#include <memory>

#include "tutti/base/rng.h"

namespace tutti::memory {
namespace {

constexpr int64_t kBytesPerToken[] = {8};

class PrefixTreeTest : public ::testing::Test {
 protected:
  void Pages(int64_t pages) {
    tree_.reset();
    auto pool = KvPool::Create(kBytesPerToken, pages * KvPool::PageBytes(kBytesPerToken));
    ASSERT_TRUE(pool.ok());
    pool_ = std::move(pool).value();
    tree_ = std::make_unique<PrefixTree>(*pool_);
  }
  void SetUp() override { Pages(8); }
  void TearDown() override {
    EXPECT_EQ(tree_->CheckIntegrity(), "");
    EXPECT_EQ(pool_->CheckIntegrity(), "");
  }

  // A page of tokens that begins with `first`, then counts.
  static TokenIds Page(TokenId first, int32_t size = kPageTokens) {
    TokenIds tokens = {first};
    while (std::ssize(tokens) < size) tokens.push_back(static_cast<TokenId>(tokens.size()));
    return tokens;
  }
  // A page that only the tree holds.
  PrefixTree::Node* Add(PrefixTree::Node& parent, const TokenIds& tokens) {
    return tree_->Insert(parent, tokens, pool_->Take());
  }

  std::unique_ptr<KvPool> pool_;
  std::unique_ptr<PrefixTree> tree_;
};

TEST_F(PrefixTreeTest, FindsWholePagesByAllTheirTokens) {
  PrefixTree::Node* root = tree_->Enter(1);
  PrefixTree::Node* a = Add(*root, Page(7));
  PrefixTree::Node* b = Add(*a, Page(9));
  EXPECT_EQ(a->depth, 1);
  EXPECT_EQ(b->depth, 2);
  EXPECT_EQ(PrefixTree::RootOf(b), root);
  TokenIds text = Page(7);
  const TokenIds next = Page(9);
  text.insert(text.end(), next.begin(), next.end());
  EXPECT_EQ(PrefixTree::FindPage(*root, text), a);
  EXPECT_EQ(PrefixTree::FindPage(*a, std::span(text).subspan(kPageTokens)), b);
  EXPECT_EQ(PrefixTree::FindPage(*root, next), nullptr);  // stands elsewhere
  EXPECT_EQ(PrefixTree::FindPage(*root, std::span(text).first(kPageTokens - 1)), nullptr);
  text[31] = 1000;
  EXPECT_EQ(PrefixTree::FindPage(*root, text), nullptr);
  tree_->Leave(root);
}

TEST_F(PrefixTreeTest, FindsTheLongestBeginning) {
  PrefixTree::Node* root = tree_->Enter(1);
  TokenIds one = Page(5);
  TokenIds two = Page(5);
  one[10] = 900;
  two[20] = 1;
  PrefixTree::Node* a = Add(*root, one);
  PrefixTree::Node* b = Add(*root, two);
  Add(*root, Page(6));
  const auto check = [&](const TokenIds& tokens, const PrefixTree::Node* node, int32_t count) {
    const auto found = PrefixTree::FindBeginning(*root, tokens);
    EXPECT_EQ(found.tokens, count);
    EXPECT_EQ(found.node, node);
  };
  check(Page(5), b, 20);
  TokenIds tokens = Page(5);
  tokens[10] = 900;
  tokens[12] = 0;
  check(tokens, a, 12);
  check(two, b, 32);
  check({5, 1}, b, 2);
  check({4}, nullptr, 0);
  check({}, nullptr, 0);
  tree_->Leave(root);
}

TEST_F(PrefixTreeTest, TenantsSeeNothingOfEachOther) {
  PrefixTree::Node* one = tree_->Enter(1);
  PrefixTree::Node* two = tree_->Enter(2);
  Add(*one, Page(7));
  EXPECT_EQ(PrefixTree::FindPage(*two, Page(7)), nullptr);
  EXPECT_EQ(PrefixTree::FindBeginning(*two, Page(7)).tokens, 0);
  EXPECT_EQ(tree_->Enter(1), one);
  tree_->Leave(one);
  tree_->Leave(one);
  tree_->Leave(two);
  EXPECT_EQ(PrefixTree::FindBeginning(*tree_->Enter(1), Page(7)).tokens, kPageTokens);
  tree_->Leave(one);
}

TEST_F(PrefixTreeTest, TheSameTextIsKeptOnce) {
  PrefixTree::Node* root = tree_->Enter(1);
  PrefixTree::Node* a = Add(*root, Page(7));
  EXPECT_EQ(Add(*root, Page(7)), a);
  EXPECT_EQ(Add(*root, Page(7, 10)), a);  // a beginning of it
  EXPECT_EQ(pool_->free_pages(), 7);
  PrefixTree::Node* part = Add(*a, Page(3, 10));
  EXPECT_EQ(Add(*a, Page(3, 9)), part);
  EXPECT_EQ(tree_->size(), 2);
  PrefixTree::Node* longer = Add(*a, Page(3, 20));
  EXPECT_EQ(tree_->size(), 2);
  EXPECT_EQ(longer->tokens.size(), 20u);
  EXPECT_EQ(Add(*a, Page(3))->tokens.size(), 32u);
  EXPECT_EQ(tree_->size(), 2);
  EXPECT_EQ(pool_->free_pages(), 6);
  tree_->Leave(root);
}

TEST_F(PrefixTreeTest, EvictsTheOldestLeavesFirst) {
  PrefixTree::Node* root = tree_->Enter(1);
  PrefixTree::Node* a = Add(*root, Page(1));
  PrefixTree::Node* b = Add(*a, Page(2));
  PrefixTree::Node* c = Add(*root, Page(3));
  tree_->Use(*c);
  tree_->Use(*b);
  EXPECT_TRUE(tree_->Evict(6));
  EXPECT_EQ(PrefixTree::FindPage(*root, Page(3)), nullptr);
  EXPECT_TRUE(tree_->Evict(7));
  EXPECT_EQ(PrefixTree::FindPage(*root, Page(1)), a);
  EXPECT_EQ(PrefixTree::FindPage(*a, Page(2)), nullptr);
  EXPECT_TRUE(tree_->Evict(8));
  EXPECT_FALSE(tree_->Evict(9));
  EXPECT_EQ(tree_->evicted(), 3);
  tree_->Leave(root);
}

TEST_F(PrefixTreeTest, AFloodPushesOutItsOwnPages) {
  PrefixTree::Node* modest = tree_->Enter(1);
  PrefixTree::Node* a = Add(*modest, Page(1));
  PrefixTree::Node* b = Add(*a, Page(2));
  PrefixTree::Node* flood = tree_->Enter(2);
  for (TokenId i = 0; i < 14; ++i) {
    ASSERT_TRUE(tree_->Evict(1));
    Add(*flood, Page(i));
  }
  EXPECT_EQ(PrefixTree::FindPage(*modest, Page(1)), a);
  EXPECT_EQ(PrefixTree::FindPage(*a, Page(2)), b);
  EXPECT_EQ(PrefixTree::FindPage(*flood, Page(0)), nullptr);
  EXPECT_NE(PrefixTree::FindPage(*flood, Page(13)), nullptr);
  // What is used stays, however long it goes on; what is not goes in the end.
  for (TokenId i = 14; i < 400; ++i) {
    ASSERT_TRUE(tree_->Evict(1));
    Add(*flood, Page(i));
    tree_->Use(*a);
  }
  EXPECT_EQ(PrefixTree::FindPage(*modest, Page(1)), a);
  EXPECT_EQ(PrefixTree::FindPage(*a, Page(2)), nullptr);
  tree_->Leave(modest);
  tree_->Leave(flood);
}

TEST_F(PrefixTreeTest, NeverEvictsWhatSomebodyHolds) {
  PrefixTree::Node* root = tree_->Enter(1);
  PrefixTree::Node* a = Add(*root, Page(1));
  PrefixTree::Node* b = Add(*a, Page(2));
  Add(*b, Page(3));
  const PagePin first = a->page.Share();
  const PagePin second = b->page.Share();
  EXPECT_TRUE(tree_->Evict(6));
  EXPECT_FALSE(tree_->Evict(7));
  EXPECT_EQ(PrefixTree::FindPage(*a, Page(2)), b);
  EXPECT_EQ(PrefixTree::FindPage(*b, Page(3)), nullptr);
  tree_->Leave(root);
}

// Texts that grow at random places, with pins that come and go, against plain counts.
TEST_F(PrefixTreeTest, RandomUseLosesNothing) {
  Pages(40);
  Rng rng(11);
  PrefixTree::Node* root = tree_->Enter(1);
  std::vector<std::vector<PagePin>> held;
  for (int round = 0; round < 3000; ++round) {
    const uint64_t what = rng.NextU64() % 4;
    if (what == 0 && !held.empty()) {
      std::swap(held[rng.NextU64() % held.size()], held.back());
      held.pop_back();
    } else if (what == 1) {
      const int64_t wanted = static_cast<int64_t>(rng.NextU64() % 42);
      const bool possible = pool_->free_pages() + pool_->idle_pages() >= wanted;
      ASSERT_EQ(tree_->Evict(wanted), possible);
      ASSERT_TRUE(!possible || pool_->free_pages() >= wanted);
    } else if (held.size() < 6) {
      std::vector<PagePin>& pins = held.emplace_back();
      PrefixTree::Node* node = root;
      for (uint64_t depth = rng.NextU64() % 6; depth > 0 && tree_->Evict(1); --depth) {
        PagePin page = pool_->Take();
        node = tree_->Insert(*node, Page(static_cast<TokenId>(rng.NextU64() % 3)), page);
        pins.push_back(node->page.Share());
      }
      if (node != root) tree_->Use(*node);
      if (tree_->Evict(1) && rng.NextU64() % 2 == 0) {
        Add(*node, Page(static_cast<TokenId>(rng.NextU64() % 3),
                        1 + static_cast<int32_t>(rng.NextU64() % 31)));
      }
    }
    ASSERT_EQ(tree_->CheckIntegrity(), "") << round;
    ASSERT_EQ(pool_->CheckIntegrity(), "") << round;
    std::map<PageId, int32_t> holders;
    tree_->CountHolders(holders);
    for (const auto& pins : held) {
      for (const PagePin& pin : pins) ++holders[pin.id()];
    }
    ASSERT_EQ(std::ssize(holders), pool_->pages() - pool_->free_pages()) << round;
    for (const auto& [page, count] : holders) ASSERT_EQ(pool_->Holders(page), count);
  }
  held.clear();
  EXPECT_TRUE(tree_->Evict(40));
  tree_->Leave(root);
}

// A text may be as long as memory; nothing recurses over it.
TEST_F(PrefixTreeTest, DepthCostsNoStack) {
  Pages(200000);
  PrefixTree::Node* root = tree_->Enter(1);
  PrefixTree::Node* node = root;
  for (int i = 0; i < 200000; ++i) node = Add(*node, Page(1));
  tree_->Use(*node);
  tree_->Leave(root);
  EXPECT_TRUE(tree_->Evict(100));
  EXPECT_EQ(tree_->size(), 199900);
}

// Pages that were never used again lie in the order in which they came, the oldest parent first to
// be looked at: each look through the list frees one page only.
TEST_F(PrefixTreeTest, EvictsAChainThatNobodyUsedFromItsEnd) {
  constexpr int64_t kPages = 40;
  Pages(kPages);
  PrefixTree::Node* root = tree_->Enter(1);
  PrefixTree::Node* at = root;
  for (int64_t i = 0; i < kPages; ++i) at = Add(*at, Page(static_cast<TokenId>(i)));
  EXPECT_EQ(pool_->free_pages(), 0);
  EXPECT_TRUE(tree_->Evict(kPages));
  EXPECT_EQ(pool_->free_pages(), kPages);
  tree_->Leave(root);
}

}  // namespace
}  // namespace tutti::memory
