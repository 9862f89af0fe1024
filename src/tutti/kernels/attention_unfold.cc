#include "tutti/kernels/attention_unfold.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <vector>

#include "tutti/base/check.h"
#include "tutti/base/checked_math.h"
#include "tutti/kernels/attention_isa.h"
#include "tutti/kernels/decode_simd.h"
#include "tutti/kernels/parallel.h"
#include "tutti/kernels/profile.h"

namespace tutti::kernels {
namespace {

// Bytes of unfolded keys and values at a time: as many heads as fit, at least one.
constexpr int64_t kMaxUnfoldedBytes = int64_t{64} << 20;
// Pages that a task unfolds for one head after the other, so that a head's matrices come from the
// level-2 cache for all of them but one.
constexpr int64_t kTaskPages = 4;

class Unfolder {
 public:
  Unfolder(const UnfoldShape& shape, const KvLayout& latents, KernelContext& context)
      : shape_(shape),
        latents_(latents),
        context_(context),
        isa_(context.attention != nullptr ? *context.attention
                                          : *AttentionIsas(latents.type).front()),
        rank_(latents.value_dim),
        padded_nope_(RoundUp<int64_t>(shape.nope_dim, 16)),
        rank_words_(rank_ / isa_.group),
        padded_rank_words_(RoundUp<int64_t>(rank_words_, 16)),
        rope_words_((latents.key_dim - rank_) / isa_.group),
        tile_rows_(
            std::max(RoundUp<int64_t>(latents.key_dim, 16) / isa_.group, padded_rank_words_)) {}

  int64_t heads() const { return shape_.attention.heads; }

  // What `heads` heads remember, unfolded.
  KvLayout LayoutOf(int64_t heads) const {
    return {.type = isa_.group == 2 ? KvType::kBF16 : KvType::kF32,
            .kv_heads = heads,
            .key_dim = shape_.nope_dim + latents_.key_dim - rank_,
            .value_dim = shape_.value_dim};
  }

  // The matrices of all heads as words; before Unfold.
  void PrepareWeights() {
    const ProfileScope scope(context_, Operation::kUnfold);
    weights_ = context_.workspace.Get<Word>(Workspace::kShared, Slot::kUnfoldWeights,
                                            static_cast<size_t>(heads() * HeadWords()));
    RunTasks(context_.pool, heads(), [&](int member, int64_t head) {
      PrepareKeys(member, head);
      PrepareValues(member, head);
    });
  }

  struct Interval {
    int64_t begin, end;
    int64_t size() const { return end - begin; }
  };

  // Unfolds the first pages of `kv` for a group of heads into `out`, pages of
  // LayoutOf(group.size()).
  void Unfold(const KvHistory& kv, Interval group, std::span<std::byte* const> out) {
    const ProfileScope scope(context_, Operation::kUnfold);
    const int64_t heads = group.size();
    const int64_t pages = std::ssize(out);
    const int64_t parts = DivCeil(pages, kTaskPages);
    // Enough tasks for everybody, though each part turns its latents again.
    constexpr int64_t kTasksPerMember = 4;
    const int64_t wanted = DivCeil<int64_t>(kTasksPerMember * context_.pool.size(), parts);
    const int64_t task_heads = DivCeil(heads, std::clamp<int64_t>(wanted, 1, heads));
    const int64_t splits = DivCeil(heads, task_heads);
    RunTasks(context_.pool, parts * splits, [&](int member, int64_t task) {
      const int64_t first_page = task / splits * kTaskPages;
      const int64_t first_head = task % splits * task_heads;
      UnfoldPart(
          member, kv, {first_page, std::min(first_page + kTaskPages, pages)}, group,
          {group.begin + first_head, std::min(group.begin + first_head + task_heads, group.end)},
          out);
    });
  }

 private:
  int64_t PaddedValue() const { return RoundUp<int64_t>(shape_.value_dim, 16); }
  // Of a head: factors [padded nope_dim][padded_rank_words_], then a tile
  // [padded_rank_words_][padded value_dim].
  int64_t KeyWords() const { return padded_nope_ * padded_rank_words_; }
  int64_t HeadWords() const { return KeyWords() + padded_rank_words_ * PaddedValue(); }
  Word* KeyFactors(int64_t head) const { return weights_ + head * HeadWords(); }
  Word* ValueTile(int64_t head) const { return KeyFactors(head) + KeyWords(); }

  // The rows of k_up[h] are dimensions of the latent, so that words take two of them.
  void PrepareKeys(int member, int64_t head) {
    const tensor::WeightView& matrix = shape_.k_up[static_cast<size_t>(head)];
    const auto row = static_cast<size_t>(padded_nope_);
    const size_t count = static_cast<size_t>(padded_rank_words_) * row;
    float* rows = context_.workspace.Get<float>(member, Slot::kUnfold, 2 * row + count);
    Word* words = reinterpret_cast<Word*>(rows + 2 * row);
    std::fill_n(rows, 2 * row, 0.0f);
    std::fill_n(words, count, Word{0});
    for (int64_t r = 0; r < rank_words_; ++r) {
      for (int64_t i = 0; i < isa_.group; ++i) {
        DecodeRowFast(matrix, r * isa_.group + i,
                      {rows + i * padded_nope_, static_cast<size_t>(shape_.nope_dim)});
      }
      ToWords(rows, rows + padded_nope_, padded_nope_, words + r * padded_nope_);
    }
    TransposeWords(words, padded_nope_, padded_rank_words_, shape_.nope_dim, KeyFactors(head),
                   padded_rank_words_);
  }

  void PrepareValues(int member, int64_t head) {
    const tensor::WeightView& matrix = shape_.v_up[static_cast<size_t>(head)];
    const size_t count = static_cast<size_t>(PaddedValue() * padded_rank_words_);
    float* row = context_.workspace.Get<float>(
        member, Slot::kUnfold, static_cast<size_t>(RoundUp<int64_t>(rank_, 16)) + count);
    Word* words = reinterpret_cast<Word*>(row + RoundUp<int64_t>(rank_, 16));
    std::fill_n(words, count, Word{0});
    for (int64_t v = 0; v < shape_.value_dim; ++v) {
      DecodeRowFast(matrix, v, {row, static_cast<size_t>(rank_)});
      isa_.convert_factors(row, rank_, words + v * padded_rank_words_);
    }
    TransposeWords(words, padded_rank_words_, PaddedValue(), rank_words_, ValueTile(head),
                   PaddedValue());
  }

  // Words of two rows, or the first as it is where a word is one number.
  void ToWords(const float* first, const float* second, int64_t count, Word* words) const {
    if (isa_.group == 2) return isa_.pair(first, second, count, words);
    std::memcpy(words, first, static_cast<size_t>(count) * sizeof(Word));
  }

  // Two forms of a page of latents: a tile of keys [tile_rows_][32 tokens], and factors [32 tokens]
  // [padded_rank_words_].
  int64_t PageWords() const { return kKvBlockTokens * (tile_rows_ + padded_rank_words_); }

  void UnfoldPart(int member, const KvHistory& kv, Interval pages, Interval group, Interval heads,
                  std::span<std::byte* const> out) {
    const int64_t values_words = kKvBlockTokens / isa_.group * latents_.PaddedValueDim();
    const int64_t sums = kKvBlockTokens * std::max(padded_nope_, PaddedValue());
    const int64_t count = pages.size();
    Word* memory = context_.workspace.Get<Word>(
        member, Slot::kUnfold, static_cast<size_t>(count * PageWords() + values_words + sums));
    Word* const values = memory + count * PageWords();
    for (int64_t i = 0; i < count; ++i) {
      TurnPage(kv.pages[static_cast<size_t>(pages.begin + i)], values, memory + i * PageWords());
    }
    const KvLayout layout = LayoutOf(group.size());
    for (int64_t h = heads.begin; h < heads.end; ++h) {
      for (int64_t i = 0; i < count; ++i) {
        std::byte* page = out[static_cast<size_t>(pages.begin + i)];
        const Word* tile = memory + i * PageWords();
        auto* buffer = reinterpret_cast<float*>(values + values_words);
        UnfoldKeys(KeyFactors(h), tile, buffer,
                   reinterpret_cast<Word*>(page + layout.KeysAt(h - group.begin)));
        UnfoldValues(tile + kKvBlockTokens * tile_rows_, ValueTile(h), buffer,
                     reinterpret_cast<Word*>(page + layout.ValuesAt(h - group.begin)));
      }
    }
  }

  void TurnPage(const std::byte* page, Word* values, Word* out) const {
    const std::byte* block = page + latents_.ValuesAt(0);
    const Word* rows = reinterpret_cast<const Word*>(block);
    if (!isa_.reads_stored(latents_.type, std::numeric_limits<int64_t>::max())) {
      isa_.unpack_values(latents_, block, block, values);
      rows = values;
    }
    isa_.turn(rows, latents_.PaddedValueDim(), latents_.key_dim, out);
    TransposeWords(out, kKvBlockTokens, padded_rank_words_, kKvBlockTokens,
                   out + kKvBlockTokens * tile_rows_, padded_rank_words_);
  }

  // Sums [nope_dim][32 tokens] are keys as they lie in a block, but for their words.
  void UnfoldKeys(const Word* factors, const Word* tile, float* buffer, Word* block) const {
    float* sums = isa_.group == 2 ? buffer : reinterpret_cast<float*>(block);
    isa_.multiply(LayoutOf(1).type, true,
                  {.factors = factors,
                   .factor_stride = padded_rank_words_,
                   .columns = shape_.nope_dim,
                   .tile = reinterpret_cast<const std::byte*>(tile),
                   .tile_stride = kKvBlockTokens,
                   .count = rank_words_,
                   .lanes = kKvBlockTokens,
                   .sums = sums,
                   .sum_stride = kKvBlockTokens,
                   .ahead = reinterpret_cast<const std::byte*>(tile)});
    const int64_t words = shape_.nope_dim / isa_.group;
    if (isa_.group == 2) {
      for (int64_t i = 0; i < words; ++i) {
        const float* first = sums + 2 * i * kKvBlockTokens;
        isa_.pair(first, first + kKvBlockTokens, kKvBlockTokens, block + i * kKvBlockTokens);
      }
    }
    std::memcpy(block + words * kKvBlockTokens, tile + rank_words_ * kKvBlockTokens,
                static_cast<size_t>(rope_words_ * kKvBlockTokens) * sizeof(Word));
  }

  void UnfoldValues(const Word* factors, const Word* tile, float* buffer, Word* block) const {
    const int64_t dim = PaddedValue();
    float* sums = isa_.group == 2 ? buffer : reinterpret_cast<float*>(block);
    isa_.multiply(LayoutOf(1).type, true,
                  {.factors = factors,
                   .factor_stride = padded_rank_words_,
                   .columns = kKvBlockTokens,
                   .tile = reinterpret_cast<const std::byte*>(tile),
                   .tile_stride = dim,
                   .count = rank_words_,
                   .lanes = dim,
                   .sums = sums,
                   .sum_stride = dim,
                   .ahead = reinterpret_cast<const std::byte*>(tile)});
    if (isa_.group == 1) return;
    for (int64_t t = 0; t < kKvBlockTokens; t += 2) {
      isa_.pair(sums + t * dim, sums + (t + 1) * dim, dim, block + t / 2 * dim);
    }
  }

  const UnfoldShape& shape_;
  const KvLayout& latents_;
  KernelContext& context_;
  const AttentionIsa& isa_;
  const int64_t rank_;
  const int64_t padded_nope_;
  const int64_t rank_words_;
  const int64_t padded_rank_words_;
  const int64_t rope_words_;
  const int64_t tile_rows_;  // of a tile of latents
  Word* weights_ = nullptr;  // [heads][HeadWords()]
};

void CheckShape(const UnfoldShape& shape, const KvLayout& latents) {
  const int64_t heads = shape.attention.heads;
  const int64_t rank = latents.value_dim;
  TUTTI_CHECK(latents.latent &&
                  UnfoldingRows(rank, latents.key_dim - rank, shape.nope_dim, shape.value_dim) > 0,
              "latents that cannot be unfolded");
  TUTTI_CHECK(shape.attention.window == 0, "latents are not unfolded within a window");
  TUTTI_CHECK(std::ssize(shape.k_up) == heads && std::ssize(shape.v_up) == heads,
              "every head has its matrices");
  for (int64_t h = 0; h < heads; ++h) {
    const tensor::WeightView& k = shape.k_up[static_cast<size_t>(h)];
    const tensor::WeightView& v = shape.v_up[static_cast<size_t>(h)];
    TUTTI_CHECK(
        k.rows == rank && k.cols == shape.nope_dim && v.rows == shape.value_dim && v.cols == rank,
        "matrices of another shape");
  }
}

}  // namespace

int64_t UnfoldingRows(int64_t rank, int64_t rope_dim, int64_t nope_dim, int64_t value_dim) {
  // Words of two numbers must not reach over a border.
  if (rank % 2 != 0 || rope_dim % 2 != 0 || nope_dim % 2 != 0) return 0;
  const int64_t saved = 2 * rank - nope_dim - value_dim;  // of a row
  if (saved <= 0) return 0;
  const int64_t rows = DivCeil(rank * (nope_dim + value_dim), saved);
  return static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(std::max(rows, kKvBlockTokens))));
}

void UnfoldedAttention(const UnfoldShape& shape, std::span<const AttentionJob> jobs,
                       KernelContext& context) {
  if (jobs.empty()) return;
  const KvLayout& latents = jobs.front().kv.layout;
  CheckShape(shape, latents);
  Unfolder unfolder(shape, latents, context);
  unfolder.PrepareWeights();
  const int64_t all_heads = shape.attention.heads;
  const int64_t key_dim = unfolder.LayoutOf(1).key_dim;
  std::vector<std::byte*> pages;
  for (const AttentionJob& job : jobs) {
    const int64_t count = DivCeil(job.first_position + job.rows, kKvBlockTokens);
    TUTTI_CHECK(std::ssize(job.kv.pages) >= count, "unfolding: the history has too few pages");
    const int64_t head_bytes = count * kKvBlockTokens * unfolder.LayoutOf(1).BytesPerToken();
    const int64_t fit = std::clamp<int64_t>(kMaxUnfoldedBytes / head_bytes, 1, all_heads);
    const int64_t step = DivCeil(all_heads, DivCeil(all_heads, fit));
    for (int64_t head = 0; head < all_heads; head += step) {
      const int64_t heads = std::min(step, all_heads - head);
      const KvLayout layout = unfolder.LayoutOf(heads);
      const int64_t page_bytes = layout.BytesPerToken() * kKvBlockTokens;
      auto* memory = context.workspace.Get<std::byte>(Workspace::kShared, Slot::kUnfolded,
                                                      static_cast<size_t>(count * page_bytes));
      pages.clear();
      for (int64_t i = 0; i < count; ++i) pages.push_back(memory + i * page_bytes);
      unfolder.Unfold(job.kv, {head, head + heads}, pages);

      const ProfileScope scope(context, Operation::kAttention);
      AttentionShape part = shape.attention;
      part.heads = heads;
      if (part.sinks != nullptr) part.sinks += head;
      AttentionJob unfolded = job;
      unfolded.q += head * key_dim;
      unfolded.out += head * shape.value_dim;
      const std::vector<const std::byte*> read(pages.begin(), pages.end());
      unfolded.kv = {.layout = layout, .pages = read};
      Attention(part, {&unfolded, 1}, context);
    }
  }
}

}  // namespace tutti::kernels
