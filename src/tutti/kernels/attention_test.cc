#include "tutti/kernels/attention.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "tutti/kernels/simd_targets_test.h"

namespace tutti::kernels {
namespace {

// One sequence with its pages scattered in memory.
struct TestSequence {
  TestSequence(const AttentionShape& shape, KvType type, int64_t tokens, int64_t page_tokens,
               uint32_t seed) {
    std::mt19937 rng(seed);
    std::normal_distribution<float> normal;
    kv.type = type;
    kv.page_tokens = page_tokens;
    kv.key_head_stride = shape.key_dim;
    kv.value_head_stride = shape.value_dim;
    kv.key_token_stride = shape.kv_heads * shape.key_dim + 3;
    kv.value_token_stride = shape.kv_heads * shape.value_dim;
    const int64_t pages = (tokens + page_tokens - 1) / page_tokens;
    for (int64_t p = 0; p < pages; ++p) {
      const int64_t used = std::min(page_tokens, tokens - p * page_tokens);
      AddPage(keys, used * kv.key_token_stride, rng, normal);
      AddPage(values, used * kv.value_token_stride, rng, normal);
    }
    for (auto& page : keys) key_pages.push_back(page.data());
    for (auto& page : values) value_pages.push_back(page.data());
    kv.key_pages = key_pages;
    kv.value_pages = value_pages;
    q.resize(static_cast<size_t>(tokens * shape.heads * shape.key_dim));
    for (float& v : q) v = normal(rng);
    out.assign(static_cast<size_t>(tokens * shape.heads * shape.value_dim), -1);
  }
  // A page as long as the tokens in it: reading behind them shows under asan.
  void AddPage(std::vector<std::vector<std::byte>>& pages, int64_t elements, std::mt19937& rng,
               std::normal_distribution<float>& normal) const {
    std::vector<float> x(static_cast<size_t>(elements));
    for (float& v : x) v = normal(rng);
    pages.emplace_back(static_cast<size_t>(elements * KvBytes(kv.type)));
    StoreKv(kv.type, x, pages.back().data());
  }
  AttentionJob Job(const AttentionShape& shape, int64_t first, int64_t rows) {
    const int64_t q_stride = shape.heads * shape.key_dim;
    const int64_t out_stride = shape.heads * shape.value_dim;
    AttentionJob job;
    job.q = q.data() + first * q_stride;
    job.q_stride = q_stride;
    job.out = out.data() + first * out_stride;
    job.out_stride = out_stride;
    job.rows = rows;
    job.first_position = first;
    job.kv = kv;
    return job;
  }

  KvHistory kv;
  std::vector<std::vector<std::byte>> keys, values;
  std::vector<const std::byte*> key_pages, value_pages;
  std::vector<float> q, out;
};

AttentionShape Shape(int64_t heads, int64_t kv_heads, int64_t key_dim, int64_t value_dim) {
  AttentionShape shape;
  shape.heads = heads;
  shape.kv_heads = kv_heads;
  shape.key_dim = key_dim;
  shape.value_dim = value_dim;
  shape.scale = 1 / std::sqrt(static_cast<float>(key_dim));
  return shape;
}

class AttentionTest : public SimdTest {
 protected:
  os::ThreadPool pool_{2};
  KernelContext context_{pool_};
};

TEST_P(AttentionTest, MatchesReference) {
  struct Case {
    int64_t heads, kv_heads, key_dim, value_dim, window, tokens, first, page;
    bool sinks;
  };
  const std::vector<Case> cases = {
      {4, 2, 16, 16, 0, 40, 0, 16, false},     // prompt
      {4, 2, 16, 16, 0, 700, 699, 64, false},  // one row over three pieces
      {8, 1, 20, 12, 0, 300, 250, 7, true},    // odd dimensions, pages that end anywhere
      {3, 3, 64, 80, 0, 90, 0, 256, false},    // no groups
      {6, 2, 33, 7, 5, 600, 20, 32, true},     // window inside a piece
      {4, 4, 24, 24, 300, 900, 400, 100, false},
      {96, 1, 72, 64, 0, 270, 263, 128, false},  // more heads than one block has columns
      {2, 1, 1, 1, 1, 5, 0, 1, false},
  };
  for (const Case& t : cases) {
    for (const KvType type : {KvType::kF32, KvType::kF16, KvType::kBF16}) {
      AttentionShape shape = Shape(t.heads, t.kv_heads, t.key_dim, t.value_dim);
      shape.window = t.window;
      std::vector<float> sinks(static_cast<size_t>(t.heads));
      for (size_t i = 0; i < sinks.size(); ++i) sinks[i] = static_cast<float>(i) - 2;
      if (t.sinks) shape.sinks = sinks.data();
      TestSequence sequence(shape, type, t.tokens, t.page, 11);
      const AttentionJob job = sequence.Job(shape, t.first, t.tokens - t.first);
      Attention(shape, {&job, 1}, context_);
      const std::vector<float> actual = sequence.out;
      AttentionReference(shape, job);
      for (size_t i = 0; i < actual.size(); ++i) {
        ASSERT_NEAR(actual[i], sequence.out[i], 3e-6) << t.heads << " heads, at " << i;
      }
    }
  }
}

// The values are the first part of the keys' rows.
TEST_P(AttentionTest, LatentAttentionReadsOneRowTwice) {
  const AttentionShape shape = Shape(16, 1, 40, 32);
  TestSequence sequence(shape, KvType::kF16, 300, 64, 5);
  AttentionJob job = sequence.Job(shape, 290, 10);
  job.kv.value_pages = job.kv.key_pages;
  job.kv.value_token_stride = job.kv.key_token_stride;
  Attention(shape, {&job, 1}, context_);
  const std::vector<float> actual = sequence.out;
  AttentionReference(shape, job);
  for (size_t i = 0; i < actual.size(); ++i) ASSERT_NEAR(actual[i], sequence.out[i], 3e-6);
}

TEST_P(AttentionTest, ARowHasTheSameBitsAloneChunkedBatchedAndOnAnyThreads) {
  for (const int64_t window : {int64_t{0}, int64_t{270}}) {
    AttentionShape shape = Shape(6, 2, 24, 40);
    shape.window = window;
    constexpr int64_t kTokens = 560;
    TestSequence a(shape, KvType::kF16, kTokens, 48, 1);
    TestSequence b(shape, KvType::kF16, 300, 48, 2);
    os::ThreadPool one_thread(1);
    KernelContext alone{one_thread};
    const AttentionJob whole = a.Job(shape, 0, kTokens);
    Attention(shape, {&whole, 1}, alone);
    const std::vector<float> expected = a.out;
    os::ThreadPool three_threads(3);
    KernelContext crowd{three_threads};
    for (const int64_t chunk : {int64_t{1}, int64_t{37}, int64_t{300}, kTokens}) {
      std::fill(a.out.begin(), a.out.end(), -1.0f);
      for (int64_t first = chunk == 1 ? kTokens - 9 : 0; first < kTokens; first += chunk) {
        const AttentionJob jobs[] = {a.Job(shape, first, std::min(chunk, kTokens - first)),
                                     b.Job(shape, 299, 1)};
        Attention(shape, jobs, crowd);
      }
      const size_t begin = chunk == 1 ? expected.size() - 9 * 6 * 40 : 0;
      ASSERT_EQ(0, std::memcmp(&a.out[begin], &expected[begin],
                               (expected.size() - begin) * sizeof(float)))
          << "chunks of " << chunk << ", window " << window;
    }
  }
}

// What a row may not see must not reach it, not even as 0 * infinity.
TEST_P(AttentionTest, LaterTokensCannotPoisonEarlierOnes) {
  const AttentionShape shape = Shape(4, 2, 16, 16);
  TestSequence sequence(shape, KvType::kF32, 64, 16, 3);
  const AttentionJob job = sequence.Job(shape, 0, 64);
  Attention(shape, {&job, 1}, context_);
  const std::vector<float> clean = sequence.out;
  const float nan = std::nanf("");
  const size_t key_row = static_cast<size_t>(13 * sequence.kv.key_token_stride) * sizeof(float);
  const size_t value_row = static_cast<size_t>(13 * sequence.kv.value_token_stride) * sizeof(float);
  for (size_t i = 0; i < 32; ++i) {  // both heads of position 61
    std::memcpy(sequence.keys[3].data() + key_row + i * 4, &nan, 4);
    std::memcpy(sequence.values[3].data() + value_row + i * 4, &nan, 4);
  }
  Attention(shape, {&job, 1}, context_);
  const size_t row = 4 * 16;
  ASSERT_EQ(0, std::memcmp(sequence.out.data(), clean.data(), 61 * row * sizeof(float)));
  for (size_t i = 61 * row; i < 64 * row; ++i) ASSERT_TRUE(std::isnan(sequence.out[i]));
}

TEST_P(AttentionTest, LargeScoresDoNotOverflow) {
  AttentionShape shape = Shape(1, 1, 16, 16);
  shape.scale = 100;
  TestSequence sequence(shape, KvType::kF32, 520, 128, 8);
  const AttentionJob job = sequence.Job(shape, 500, 20);
  Attention(shape, {&job, 1}, context_);
  const std::vector<float> actual = sequence.out;
  AttentionReference(shape, job);
  // Scores are around 400, rounded to 2^-15 of it; the softmax has weights 0 and 1.
  for (size_t i = 500 * 16; i < actual.size(); ++i) ASSERT_NEAR(actual[i], sequence.out[i], 1e-3);
}

TEST_P(AttentionTest, StoredNumbersAreRoundedToNearestEven) {
  const std::vector<float> x = {1.0f, 1.00390625f, 1.01171875f, -0.333333f, 65504, 1e-8f, 3e38f};
  for (const KvType type : {KvType::kF32, KvType::kF16, KvType::kBF16}) {
    std::vector<std::byte> stored(x.size() * static_cast<size_t>(KvBytes(type)));
    std::vector<float> back(x.size());
    StoreKv(type, x, stored.data());
    LoadKv(type, stored.data(), back);
    EXPECT_EQ(back[0], 1.0f);
    if (type == KvType::kBF16) {
      EXPECT_EQ(back[1], 1.0f);       // 1 + 2^-8 is a tie: to even
      EXPECT_EQ(back[2], 1.015625f);  // 1 + 3 * 2^-8 is a tie: up to even
      EXPECT_NEAR(back[6], 3e38, 1e36);
    }
    if (type == KvType::kF16) {
      EXPECT_EQ(back[4], 65504);
      EXPECT_NEAR(back[3], -0.333333, 1e-4);
      EXPECT_TRUE(std::isinf(back[6]));
    }
    if (type == KvType::kF32) {
      EXPECT_EQ(back, x);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Targets, AttentionTest, ::testing::ValuesIn(SimdTargets()),
                         SimdTargetName);

}  // namespace
}  // namespace tutti::kernels
