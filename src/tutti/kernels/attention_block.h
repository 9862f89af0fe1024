// The unit of work of attention.cc: some rows and heads of one sequence that share a key head.
// Internal to attention.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "tutti/base/checked_math.h"
#include "tutti/kernels/attention.h"

namespace tutti::kernels {

// Columns (query heads of rows) in a block at most: with 128 dimensions a block's queries, scores
// and sums take 160 KB, which a level-2 cache holds beside one piece of the history.
inline constexpr int64_t kMaxColumns = 64;

struct Range {
  int64_t begin = 0;
  int64_t end = 0;
};

struct AttentionBlock {
  const AttentionShape* shape = nullptr;
  const AttentionJob* job = nullptr;
  int64_t kv_head = 0;
  int64_t row_begin = 0;
  int64_t rows = 0;
  int64_t head_begin = 0;  // of all query heads
  int64_t heads = 0;

  // Column c is head head_begin + c % heads of row row_begin + c / heads.
  int64_t columns() const { return rows * heads; }
  int64_t padded_value_dim() const { return RoundUp<int64_t>(shape->value_dim, 16); }
  const float* QueryOf(int64_t c) const {
    return job->q + (row_begin + c / heads) * job->q_stride +
           (head_begin + c % heads) * shape->key_dim;
  }
  float* OutOf(int64_t c) const {
    return job->out + (row_begin + c / heads) * job->out_stride +
           (head_begin + c % heads) * shape->value_dim;
  }

  // Positions that row `row` of the block sees.
  Range Visible(int64_t row) const {
    const int64_t position = job->first_position + row_begin + row;
    const int64_t begin = shape->window > 0 ? position - shape->window + 1 : 0;
    return {std::max<int64_t>(0, begin), position + 1};
  }
  // Pieces of the history that any row sees.
  Range Splits() const {
    return {Visible(0).begin / kSplitTokens, DivCeil(Visible(rows - 1).end, kSplitTokens)};
  }
  // What is seen of one piece, counted from its beginning; empty ranges have begin >= end.
  static Range Within(Range range, int64_t split) {
    return {std::max<int64_t>(0, range.begin - split * kSplitTokens),
            std::min(kSplitTokens, range.end - split * kSplitTokens)};
  }
  Range VisibleIn(int64_t split, int64_t c) const { return Within(Visible(c / heads), split); }
  Range NeededIn(int64_t split) const {
    return Within({Visible(0).begin, Visible(rows - 1).end}, split);
  }

  // Where the keys or values of the positions [begin, end) lie: out[i] is that of begin + i.
  void KeyRows(int64_t begin, int64_t end, const std::byte** out) const {
    RowsOf(job->kv.key_pages, job->kv.key_token_stride, job->kv.key_head_stride, begin, end, out);
  }
  void ValueRows(int64_t begin, int64_t end, const std::byte** out) const {
    RowsOf(job->kv.value_pages, job->kv.value_token_stride, job->kv.value_head_stride, begin, end,
           out);
  }

 private:
  void RowsOf(std::span<const std::byte* const> pages, int64_t token_stride, int64_t head_stride,
              int64_t begin, int64_t end, const std::byte** out) const {
    const int64_t element_bytes = KvBytes(job->kv.type);
    while (begin < end) {
      const int64_t page = begin / job->kv.page_tokens;
      const int64_t page_end = std::min(end, (page + 1) * job->kv.page_tokens);
      int64_t element = (begin - page * job->kv.page_tokens) * token_stride + kv_head * head_stride;
      for (; begin < page_end; ++begin, element += token_stride) {
        *out++ = pages[static_cast<size_t>(page)] + element * element_bytes;
      }
    }
  }
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

// Where a member keeps a tile of keys, a piece's values as floats and its scores.
struct AttentionScratch {
  static constexpr int64_t kTileTokens = 32;  // two vectors of 16 lanes

  float* row = nullptr;     // [key_dim, padded, + 16]
  float* tile = nullptr;    // [key_dim][kTileTokens]
  float* scores = nullptr;  // [columns][kSplitTokens]
  float* values = nullptr;  // [kSplitTokens][padded_value_dim]

  static int64_t Floats(const AttentionBlock& block) {
    return RoundUp<int64_t>(block.shape->key_dim, 16) * (1 + kTileTokens) + 16 +
           kSplitTokens * (kMaxColumns + block.padded_value_dim());
  }
  AttentionScratch(const AttentionBlock& block, float* memory) {
    const int64_t padded_key_dim = RoundUp<int64_t>(block.shape->key_dim, 16);
    row = memory;
    tile = row + padded_key_dim + 16;
    scores = tile + padded_key_dim * kTileTokens;
    values = scores + kSplitTokens * kMaxColumns;
  }
};

}  // namespace tutti::kernels
