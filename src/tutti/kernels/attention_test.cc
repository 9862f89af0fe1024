#include "tutti/kernels/attention.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <vector>

#include "tutti/base/checked_math.h"
#include "tutti/kernels/attention_isa.h"
#include "tutti/kernels/simd_targets_test.h"

namespace tutti::kernels {
namespace {

struct Free {
  void operator()(void* p) const { std::free(p); }
};
using PageMemory = std::unique_ptr<std::byte, Free>;

// One sequence with its pages scattered in memory; what was never written there is NaN.
struct TestSequence {
  TestSequence(int64_t heads, const KvLayout& layout, int64_t tokens, uint32_t seed) {
    std::mt19937 rng(seed);
    std::normal_distribution<float> normal;
    kv.layout = layout;
    page_bytes = static_cast<size_t>(layout.BytesPerToken() * kKvBlockTokens);
    for (int64_t page = 0; page < DivCeil(tokens, kKvBlockTokens); ++page) {
      memory.emplace_back(static_cast<std::byte*>(std::aligned_alloc(64, page_bytes)));
      std::memset(memory.back().get(), 0xff, page_bytes);
      pages.push_back(memory.back().get());
    }
    kv.pages = pages;
    std::vector<float> keys(static_cast<size_t>(layout.kv_heads * layout.key_dim));
    std::vector<float> values(static_cast<size_t>(layout.kv_heads * layout.value_dim));
    for (int64_t t = 0; t < tokens; ++t) {
      for (float& v : keys) v = normal(rng);
      for (float& v : values) v = normal(rng);
      Store(t, keys, values);
    }
    q.resize(static_cast<size_t>(tokens * heads * layout.key_dim));
    for (float& v : q) v = normal(rng);
    out.assign(static_cast<size_t>(tokens * heads * layout.value_dim), -1);
  }
  void Store(int64_t token, const std::vector<float>& keys, const std::vector<float>& values) {
    StoreToken(kv.layout, keys.data(), kv.layout.latent ? nullptr : values.data(),
               token % kKvBlockTokens, memory[static_cast<size_t>(token / kKvBlockTokens)].get());
  }
  AttentionJob Job(int64_t heads, int64_t first, int64_t rows) {
    const int64_t q_stride = heads * kv.layout.key_dim;
    const int64_t out_stride = heads * kv.layout.value_dim;
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
  size_t page_bytes = 0;
  std::vector<PageMemory> memory;
  std::vector<const std::byte*> pages;
  std::vector<float> q, out;
};

AttentionShape Shape(int64_t heads, const KvLayout& layout) {
  return {.heads = heads, .scale = 1 / std::sqrt(static_cast<float>(layout.key_dim))};
}

KvLayout Grouped(KvType type, int64_t kv_heads, int64_t key_dim, int64_t value_dim) {
  return {.type = type, .kv_heads = kv_heads, .key_dim = key_dim, .value_dim = value_dim};
}

KvLayout Latent(KvType type, int64_t key_dim, int64_t value_dim) {
  return {.type = type, .kv_heads = 1, .key_dim = key_dim, .value_dim = value_dim, .latent = true};
}

// Of a result, normally distributed values with weights that sum to one. bf16 has 8 bits.
float Tolerance(const AttentionIsa& isa) { return isa.group == 1 ? 3e-6f : 2e-2f; }

// Runs once per SIMD target, within it for every arithmetic that the machine has.
class AttentionTest : public SimdTest {
 protected:
  void ExpectReference(const AttentionShape& shape, TestSequence& sequence, const AttentionJob& job,
                       float tolerance) {
    Attention(shape, {&job, 1}, context_);
    const std::vector<float> actual = sequence.out;
    AttentionReference(shape, job);
    for (size_t i = 0; i < actual.size(); ++i) {
      ASSERT_NEAR(actual[i], sequence.out[i], tolerance)
          << (context_.attention != nullptr ? context_.attention->name : "") << ", "
          << KvTypeName(job.kv.layout.type) << ", " << shape.heads << " heads, at " << i;
    }
  }

  os::ThreadPool pool_{2};
  KernelContext context_{pool_};
};

TEST_P(AttentionTest, MatchesReference) {
  struct Case {
    int64_t heads, kv_heads, key_dim, value_dim, window, tokens, first;
    bool sinks;
  };
  const std::vector<Case> cases = {
      {4, 2, 16, 16, 0, 40, 0, false},     // prompt
      {4, 2, 16, 16, 0, 700, 699, false},  // one row over three pieces
      {8, 1, 20, 12, 0, 300, 250, true},   // dimensions that are no multiple of anything
      {3, 3, 64, 80, 0, 90, 0, false},     // no groups
      {6, 2, 33, 7, 5, 600, 220, true},    // window inside a piece
      {4, 4, 24, 24, 300, 900, 820, false},
      {150, 1, 72, 64, 0, 270, 263, false},  // more heads than one block has columns
      {2, 1, 1, 1, 1, 5, 0, false},
  };
  for (const Case& t : cases) {
    for (const KvType type : kKvTypes) {
      for (const AttentionIsa* isa : AttentionIsas(type)) {
        context_.attention = isa;
        const KvLayout layout = Grouped(type, t.kv_heads, t.key_dim, t.value_dim);
        AttentionShape shape = Shape(t.heads, layout);
        shape.window = t.window;
        std::vector<float> sinks(static_cast<size_t>(t.heads));
        for (size_t i = 0; i < sinks.size(); ++i) sinks[i] = static_cast<float>(i % 8) - 2;
        if (t.sinks) shape.sinks = sinks.data();
        TestSequence sequence(t.heads, layout, t.tokens, 11);
        const AttentionJob job = sequence.Job(t.heads, t.first, t.tokens - t.first);
        ExpectReference(shape, sequence, job, Tolerance(*isa));
      }
    }
  }
}

// The values are the first part of the keys' rows.
TEST_P(AttentionTest, LatentAttentionReadsOneRowTwice) {
  for (const KvType type : kKvTypes) {
    for (const AttentionIsa* isa : AttentionIsas(type)) {
      context_.attention = isa;
      for (const auto& [heads, key_dim, value_dim] :
           std::vector<std::array<int64_t, 3>>{{16, 40, 32}, {5, 576, 512}, {130, 48, 20}}) {
        const KvLayout layout = Latent(type, key_dim, value_dim);
        TestSequence sequence(heads, layout, 300, 5);
        const AttentionJob job = sequence.Job(heads, 290, 10);
        ExpectReference(Shape(heads, layout), sequence, job, Tolerance(*isa));
      }
    }
  }
}

TEST_P(AttentionTest, ARowHasTheSameBitsAloneChunkedBatchedAndOnAnyThreads) {
  os::ThreadPool one_thread(1);
  os::ThreadPool three_threads(3);
  constexpr int64_t kTokens = 560;
  constexpr int64_t kHeads = 6;
  for (const KvType type : kKvTypes) {
    for (const AttentionIsa* isa : AttentionIsas(type)) {
      for (const KvLayout& layout : {Grouped(type, 2, 24, 40), Latent(type, 40, 32)}) {
        for (const int64_t window : {int64_t{0}, int64_t{270}}) {
          AttentionShape shape = Shape(kHeads, layout);
          shape.window = window;
          TestSequence a(kHeads, layout, kTokens, 1);
          TestSequence b(kHeads, layout, 300, 2);
          KernelContext alone{.pool = one_thread, .attention = isa};
          const AttentionJob whole = a.Job(kHeads, 0, kTokens);
          Attention(shape, {&whole, 1}, alone);
          const std::vector<float> expected = a.out;
          const AttentionJob company = b.Job(kHeads, 299, 1);
          Attention(shape, {&company, 1}, alone);
          const std::vector<float> expected_of_company = b.out;
          KernelContext crowd{.pool = three_threads, .attention = isa};
          for (const int64_t chunk : {int64_t{1}, int64_t{37}, int64_t{300}, kTokens}) {
            std::fill(a.out.begin(), a.out.end(), -1.0f);
            for (int64_t first = chunk == 1 ? kTokens - 9 : 0; first < kTokens; first += chunk) {
              std::fill(b.out.begin(), b.out.end(), -1.0f);
              const AttentionJob jobs[] = {a.Job(kHeads, first, std::min(chunk, kTokens - first)),
                                           company};
              Attention(shape, jobs, crowd);
              ASSERT_EQ(b.out, expected_of_company) << isa->name << ", " << KvTypeName(type);
            }
            const auto row = static_cast<size_t>(kHeads * layout.value_dim);
            const size_t begin = chunk == 1 ? expected.size() - 9 * row : 0;
            ASSERT_EQ(0, std::memcmp(&a.out[begin], &expected[begin],
                                     (expected.size() - begin) * sizeof(float)))
                << isa->name << ", " << KvTypeName(type) << ", chunks of " << chunk << ", window "
                << window;
          }
        }
      }
    }
  }
}

// What a row may not see must not reach it, not even as 0 * infinity.
TEST_P(AttentionTest, LaterTokensCannotPoisonEarlierOnes) {
  constexpr int64_t kHeads = 4;
  const std::vector<float> nan(64, std::nanf(""));
  for (const KvType type : kKvTypes) {
    for (const AttentionIsa* isa : AttentionIsas(type)) {
      context_.attention = isa;
      for (const KvLayout& layout : {Grouped(type, 2, 16, 16), Latent(type, 32, 16)}) {
        for (const int64_t poisoned : {int64_t{44}, int64_t{61}}) {
          const AttentionShape shape = Shape(kHeads, layout);
          TestSequence sequence(kHeads, layout, 64, 3);
          const AttentionJob job = sequence.Job(kHeads, 0, 64);
          Attention(shape, {&job, 1}, context_);
          const std::vector<float> clean = sequence.out;
          sequence.Store(poisoned, nan, nan);
          Attention(shape, {&job, 1}, context_);
          const auto first = static_cast<size_t>(poisoned * kHeads * layout.value_dim);
          ASSERT_EQ(0, std::memcmp(sequence.out.data(), clean.data(), first * sizeof(float)))
              << isa->name << ", " << KvTypeName(type);
          for (size_t i = first; i < clean.size(); ++i) {
            ASSERT_TRUE(std::isnan(sequence.out[i])) << isa->name << ", " << KvTypeName(type);
          }
        }
      }
    }
  }
}

// Tokens that fell out of the window cannot poison either, and their pages need not be there.
TEST_P(AttentionTest, AWindowTouchesItsOwnPagesOnly) {
  constexpr int64_t kHeads = 4;
  constexpr int64_t kTokens = 600;
  const std::vector<float> nan(64, std::nanf(""));
  for (const KvType type : kKvTypes) {
    for (const AttentionIsa* isa : AttentionIsas(type)) {
      context_.attention = isa;
      for (const int64_t rows : {int64_t{1}, int64_t{70}}) {
        const KvLayout layout = Grouped(type, 2, 16, 16);
        AttentionShape shape = Shape(kHeads, layout);
        shape.window = 76;
        TestSequence sequence(kHeads, layout, kTokens, 4);
        const int64_t first_seen = kTokens - rows - shape.window + 1;
        sequence.Store(first_seen - 1, nan, nan);
        for (int64_t page = 0; page < first_seen / kKvBlockTokens; ++page) {
          sequence.pages[static_cast<size_t>(page)] = nullptr;
        }
        const AttentionJob job = sequence.Job(kHeads, kTokens - rows, rows);
        ExpectReference(shape, sequence, job, Tolerance(*isa));
      }
    }
  }
}

TEST_P(AttentionTest, LargeScoresDoNotOverflow) {
  // Scores are around 400, rounded to 2^-15 of it, or to 2^-8 as bf16; the softmax has weights 0
  // and 1.
  for (const KvType type : {KvType::kF32, KvType::kBF16}) {
    for (const AttentionIsa* isa : AttentionIsas(type)) {
      context_.attention = isa;
      const KvLayout layout = Grouped(type, 1, 16, 16);
      AttentionShape shape = Shape(1, layout);
      shape.scale = 100;
      TestSequence sequence(1, layout, 520, 8);
      const AttentionJob job = sequence.Job(1, 500, 20);
      if (isa->group == 1) ExpectReference(shape, sequence, job, 1e-3f);
      Attention(shape, {&job, 1}, context_);
      for (size_t i = 500 * 16; i < sequence.out.size(); ++i) {
        ASSERT_LT(std::abs(sequence.out[i]), 10) << isa->name;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Targets, AttentionTest, ::testing::ValuesIn(SimdTargets()),
                         SimdTargetName);

}  // namespace
}  // namespace tutti::kernels
