#include "tutti/kernels/attention_unfold.h"

#include <cmath>
#include <cstring>
#include <memory>
#include <random>
#include <vector>

#include "tutti/base/checked_math.h"
#include "tutti/kernels/attention_isa.h"
#include "tutti/kernels/simd_targets_test.h"
#include "tutti/tensor/decode.h"
#include "tutti/tensor/encode.h"

namespace tutti::kernels {
namespace {

struct Dims {
  int64_t heads, rank, rope_dim, nope_dim, value_dim;
  int64_t key_dim() const { return nope_dim + rope_dim; }
  int64_t width() const { return rank + rope_dim; }
};

// A model's matrices, queries of all positions, and latents of a sequence in pages.
struct Problem {
  Problem(const Dims& dims, KvType type, DType weights, int64_t token_count) : d(dims) {
    std::mt19937 rng(7);
    std::normal_distribution<float> normal;
    tokens = token_count;
    layout = {
        .type = type, .kv_heads = 1, .key_dim = d.width(), .value_dim = d.rank, .latent = true};
    for (int64_t h = 0; h < d.heads; ++h) {
      k_up.push_back(Matrix(weights, d.rank, d.nope_dim, rng));
      v_up.push_back(Matrix(weights, d.value_dim, d.rank, rng));
    }
    const int64_t page_floats = layout.BytesPerToken() * kKvBlockTokens / 4;
    const int64_t count = DivCeil(tokens, kKvBlockTokens);
    memory.assign(static_cast<size_t>(count * page_floats + 16), std::nanf(""));
    auto* begin = reinterpret_cast<std::byte*>(
        RoundUp<uintptr_t>(reinterpret_cast<uintptr_t>(memory.data()), 64));
    std::vector<float> row(static_cast<size_t>(d.width()));
    for (int64_t t = 0; t < tokens; ++t) {
      std::byte* page = begin + t / kKvBlockTokens * page_floats * 4;
      if (t % kKvBlockTokens == 0) pages.push_back(page);
      for (float& v : row) v = normal(rng);
      StoreToken(layout, row.data(), nullptr, t % kKvBlockTokens, page);
    }
    q.resize(static_cast<size_t>(tokens * d.heads * d.key_dim()));
    for (float& v : q) v = normal(rng);
    out.assign(static_cast<size_t>(tokens * d.heads * d.value_dim), -1);
  }

  tensor::WeightView Matrix(DType dtype, int64_t rows, int64_t cols, std::mt19937& rng) {
    std::normal_distribution<float> normal(0, 1 / std::sqrt(static_cast<float>(d.rank)));
    std::vector<float> values(static_cast<size_t>(rows * cols));
    for (float& v : values) v = normal(rng);
    const DTypeInfo& info = InfoOf(dtype);
    auto& bytes = bytes_.emplace_back(values.size() / static_cast<size_t>(info.block_size) *
                                      static_cast<size_t>(info.block_bytes));
    tensor::EncodeRow(dtype, values, bytes);
    return {.dtype = dtype,
            .rows = rows,
            .cols = cols,
            .data = bytes.data(),
            .row_stride_bytes = cols / info.block_size * info.block_bytes};
  }

  UnfoldShape Shape() const {
    return {
        .attention = {.heads = d.heads, .scale = 1 / std::sqrt(static_cast<float>(d.key_dim()))},
        .nope_dim = d.nope_dim,
        .value_dim = d.value_dim,
        .k_up = k_up,
        .v_up = v_up};
  }

  AttentionJob Job(int64_t first, int64_t rows) {
    return {.q = q.data() + first * d.heads * d.key_dim(),
            .q_stride = d.heads * d.key_dim(),
            .out = out.data() + first * d.heads * d.value_dim,
            .out_stride = d.heads * d.value_dim,
            .rows = rows,
            .first_position = first,
            .kv = {.layout = layout, .pages = pages}};
  }

  Dims d;
  int64_t tokens = 0;
  KvLayout layout;
  std::vector<std::vector<std::byte>> bytes_;
  std::vector<tensor::WeightView> k_up, v_up;
  std::vector<float> memory;
  std::vector<const std::byte*> pages;
  std::vector<float> q, out;
};

// The absorbed form, in double precision: queries and mean latents go through the matrices.
std::vector<float> Absorbed(const Problem& p, int64_t first) {
  const Dims& d = p.d;
  const auto decode = [](const tensor::WeightView& w, int64_t row) {
    std::vector<float> values(static_cast<size_t>(w.cols));
    tensor::DecodeRow(w, row, values);
    return values;
  };
  const int64_t rows = p.tokens - first;
  std::vector<float> latent_q(static_cast<size_t>(rows * d.heads * d.width()));
  std::vector<float> latent_out(static_cast<size_t>(rows * d.heads * d.rank));
  for (int64_t i = 0; i < rows * d.heads; ++i) {
    const float* q = p.q.data() + (first * d.heads + i) * d.key_dim();
    float* to = latent_q.data() + i * d.width();
    for (int64_t r = 0; r < d.rank; ++r) {
      const std::vector<float> row = decode(p.k_up[static_cast<size_t>(i % d.heads)], r);
      double sum = 0;
      for (int64_t n = 0; n < d.nope_dim; ++n) sum += double{row[static_cast<size_t>(n)]} * q[n];
      to[r] = static_cast<float>(sum);
    }
    std::copy_n(q + d.nope_dim, d.rope_dim, to + d.rank);
  }
  const AttentionJob job{.q = latent_q.data(),
                         .q_stride = d.heads * d.width(),
                         .out = latent_out.data(),
                         .out_stride = d.heads * d.rank,
                         .rows = rows,
                         .first_position = first,
                         .kv = {.layout = p.layout, .pages = p.pages}};
  AttentionReference(p.Shape().attention, job);
  std::vector<float> out;
  for (int64_t i = 0; i < rows * d.heads; ++i) {
    for (int64_t v = 0; v < d.value_dim; ++v) {
      const std::vector<float> row = decode(p.v_up[static_cast<size_t>(i % d.heads)], v);
      double sum = 0;
      for (int64_t r = 0; r < d.rank; ++r) {
        sum +=
            double{row[static_cast<size_t>(r)]} * latent_out[static_cast<size_t>(i * d.rank + r)];
      }
      out.push_back(static_cast<float>(sum));
    }
  }
  return out;
}

class AttentionUnfoldTest : public SimdTest {
 protected:
  os::ThreadPool pool_{2};
  KernelContext context_{pool_};
};

TEST_P(AttentionUnfoldTest, IsTheAbsorbedForm) {
  struct Case {
    Dims dims;
    DType weights;
    int64_t tokens, first;
  };
  const std::vector<Case> cases = {
      {{3, 40, 16, 32, 24}, DType::kF32, 75, 40},
      {{2, 36, 12, 20, 28}, DType::kBF16, 150, 141},  // no multiples of 16
      {{2, 96, 16, 32, 32}, DType::kQ8_0, 33, 0},
      {{1, 2, 2, 2, 1}, DType::kF32, 5, 0},
      {{2, 512, 64, 128, 128}, DType::kQ8_0, 300, 297},
  };
  for (const Case& t : cases) {
    for (const KvType type : kKvTypes) {
      for (const AttentionIsa* isa : AttentionIsas(type)) {
        context_.attention = isa;
        Problem p(t.dims, type, t.weights, t.tokens);
        const std::vector<float> expected = Absorbed(p, t.first);
        const AttentionJob job = p.Job(t.first, t.tokens - t.first);
        UnfoldedAttention(p.Shape(), {&job, 1}, context_);
        const size_t begin = p.out.size() - expected.size();
        for (size_t i = 0; i < expected.size(); ++i) {
          ASSERT_NEAR(p.out[begin + i], expected[i], isa->group == 1 ? 5e-6f : 3e-2f)
              << isa->name << ", " << KvTypeName(type) << ", rank " << t.dims.rank << ", at " << i;
        }
      }
    }
  }
}

// Two sequences in a call, in any chunks and on any number of threads: the same bits.
TEST_P(AttentionUnfoldTest, ARowHasTheSameBitsAloneChunkedBatchedAndOnAnyThreads) {
  constexpr int64_t kTokens = 330;
  os::ThreadPool one_thread(1);
  os::ThreadPool three_threads(3);
  for (const KvType type : kKvTypes) {
    for (const AttentionIsa* isa : AttentionIsas(type)) {
      const Dims dims{5, 40, 16, 32, 24};
      Problem a(dims, type, DType::kF32, kTokens);
      Problem b(dims, type, DType::kF32, 40);
      KernelContext alone{.pool = one_thread, .attention = isa};
      const AttentionJob whole = a.Job(0, kTokens);
      UnfoldedAttention(a.Shape(), {&whole, 1}, alone);
      const std::vector<float> expected = a.out;
      const AttentionJob company = b.Job(30, 10);
      UnfoldedAttention(a.Shape(), {&company, 1}, alone);
      const std::vector<float> expected_of_company = b.out;
      KernelContext crowd{.pool = three_threads, .attention = isa};
      for (const int64_t chunk : {int64_t{37}, int64_t{300}, kTokens}) {
        std::fill(a.out.begin(), a.out.end(), -1.0f);
        for (int64_t first = 0; first < kTokens; first += chunk) {
          std::fill(b.out.begin(), b.out.end(), -1.0f);
          const AttentionJob jobs[] = {company, a.Job(first, std::min(chunk, kTokens - first))};
          UnfoldedAttention(a.Shape(), jobs, crowd);
          ASSERT_EQ(b.out, expected_of_company) << isa->name << ", " << KvTypeName(type);
        }
        ASSERT_EQ(0, std::memcmp(a.out.data(), expected.data(), expected.size() * sizeof(float)))
            << isa->name << ", " << KvTypeName(type) << ", chunks of " << chunk;
      }
    }
  }
}

TEST(UnfoldingRowsTest, CountsOperations) {
  // DeepSeek-V2 and V3: 512 * 256 per token of the history, 768 less per row.
  EXPECT_EQ(UnfoldingRows(512, 64, 128, 128), 256);
  EXPECT_EQ(UnfoldingRows(40, 16, 32, 24), 128);
  EXPECT_EQ(UnfoldingRows(200, 16, 8, 8), 32) << "whole pages";
  EXPECT_EQ(UnfoldingRows(64, 16, 64, 64), 0) << "latents as narrow as keys";
  EXPECT_EQ(UnfoldingRows(513, 64, 128, 128), 0);
}

INSTANTIATE_TEST_SUITE_P(Targets, AttentionUnfoldTest, ::testing::ValuesIn(SimdTargets()),
                         SimdTargetName);

}  // namespace
}  // namespace tutti::kernels
