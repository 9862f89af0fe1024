// The unit of work of attention.cc: some rows and heads of one sequence that share a key head.
// Internal to attention.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "tutti/base/checked_math.h"
#include "tutti/kernels/attention.h"
#include "tutti/kernels/attention_isa.h"

namespace tutti::kernels {

// Columns (query heads of rows) in a block at most. With 128 dimensions a block's queries, scores
// and sums take 260 KB as bf16, which a level-2 cache holds beside one piece of the history; and
// 128 is all heads of the largest latent attention, so that one pass over its latents serves all.
inline constexpr int64_t kMaxColumns = 128;

struct Range {
  int64_t begin = 0;
  int64_t end = 0;
  bool empty() const { return begin >= end; }
  Range operator&(Range other) const {
    return {std::max(begin, other.begin), std::min(end, other.end)};
  }
};

struct AttentionBlock {
  const AttentionShape* shape = nullptr;
  const AttentionJob* job = nullptr;
  int64_t kv_head = 0;
  int64_t row_begin = 0;
  int64_t rows = 0;
  int64_t head_begin = 0;  // of all query heads
  int64_t heads = 0;

  const KvLayout& layout() const { return job->kv.layout; }
  // Column c is head head_begin + c % heads of row row_begin + c / heads.
  int64_t columns() const { return rows * heads; }
  int64_t padded_value_dim() const { return RoundUp<int64_t>(layout().value_dim, 16); }
  const float* QueryOf(int64_t c) const {
    return job->q + (row_begin + c / heads) * job->q_stride +
           (head_begin + c % heads) * layout().key_dim;
  }
  float* OutOf(int64_t c) const {
    return job->out + (row_begin + c / heads) * job->out_stride +
           (head_begin + c % heads) * layout().value_dim;
  }

  // Positions that row `row` of the block sees.
  Range Visible(int64_t row) const {
    const int64_t position = job->first_position + row_begin + row;
    const int64_t begin = shape->window > 0 ? position - shape->window + 1 : 0;
    return {std::max<int64_t>(0, begin), position + 1};
  }
  // Positions that any row sees.
  Range Needed() const { return {Visible(0).begin, Visible(rows - 1).end}; }
  // The pieces of the history with any of them.
  Range Splits() const {
    return {Needed().begin / kSplitTokens, DivCeil(Needed().end, kSplitTokens)};
  }
  // What is seen of one piece, counted from its beginning.
  static Range Within(Range range, int64_t split) {
    return {std::max<int64_t>(0, range.begin - split * kSplitTokens),
            std::min(kSplitTokens, range.end - split * kSplitTokens)};
  }
  Range VisibleIn(int64_t split, int64_t c) const { return Within(Visible(c / heads), split); }

  const std::byte* Page(int64_t page) const { return job->kv.pages[static_cast<size_t>(page)]; }
  const std::byte* Keys(int64_t page) const { return Page(page) + layout().KeysAt(kv_head); }
  const std::byte* Values(int64_t page) const { return Page(page) + layout().ValuesAt(kv_head); }
};

// Softmax sums of a block over a part of the history: for column c
//   sum[c] = sum_p exp(s_p - max[c]),  acc[c] = sum_p exp(s_p - max[c]) v_p;
// a column that sees nothing of the part has max -infinity and sum 0.
struct Piece {
  float* max = nullptr;  // [columns]
  float* sum = nullptr;  // [columns]
  float* acc = nullptr;  // [columns][padded_value_dim]

  static int64_t Floats(const AttentionBlock& block) {
    return kMaxColumns * 2 + block.columns() * block.padded_value_dim();
  }
  explicit Piece(float* memory)
      : max(memory), sum(memory + kMaxColumns), acc(memory + 2 * kMaxColumns) {}
};

// Where a member keeps what it computes for a block and a split. Words are of isa.group numbers.
struct AttentionScratch {
  static constexpr int64_t kSplitBlocks = kSplitTokens / kKvBlockTokens;

  Word* queries = nullptr;  // [columns][query_stride]
  float* query = nullptr;   // [key_dim], one on its way to be rotated
  Word* keys = nullptr;     // a tile: [key_dim / group, padded][kKeyTileLanes]
  float* scores = nullptr;  // [columns][kSplitTokens]
  Word* weights = nullptr;  // [columns][weight_stride]
  Word* values = nullptr;   // tiles: [kSplitTokens / group][value_stride]
  Word* edge = nullptr;     // a row of a tile of values
  int64_t query_stride = 0;
  int64_t weight_stride = 0;
  int64_t value_stride = 0;
  int64_t words = 0;  // in all

  AttentionScratch(const AttentionBlock& block, const AttentionIsa& isa, float* memory) {
    const int64_t padded_key_dim = RoundUp<int64_t>(block.layout().key_dim, 16);
    query_stride = padded_key_dim / isa.group;
    weight_stride = kSplitTokens / isa.group;
    value_stride = block.layout().PaddedValueDim();
    const auto take = [&](int64_t count) {
      Word* at = reinterpret_cast<Word*>(memory) + words;
      words += RoundUp<int64_t>(count, 16);
      return at;
    };
    queries = take(block.columns() * query_stride);
    query = reinterpret_cast<float*>(take(padded_key_dim));
    keys = take(query_stride * kKeyTileLanes);
    scores = reinterpret_cast<float*>(take(block.columns() * kSplitTokens));
    weights = take(block.columns() * weight_stride);
    values = take(weight_stride * value_stride);
    edge = take(value_stride);
  }
  static int64_t Words(const AttentionBlock& block, const AttentionIsa& isa) {
    alignas(4) static float anywhere;
    return AttentionScratch(block, isa, &anywhere).words;
  }
};

}  // namespace tutti::kernels
