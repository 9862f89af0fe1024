// The arithmetic of attention: one product of tiles, and what turns stored blocks into tiles and
// scores into weights. Internal to attention.
//
// Everything is counted in *words* of 4 bytes: one float32 number, or a pair of bf16 numbers whose
// products are added. A *tile* holds one block of a history as rows of words:
//
//                     keys                               values
//   float32           [key_dim][32 tokens]               [32 tokens][padded value_dim]
//   bf16 pairs        [key_dim / 2][32 tokens]           [32 / 2][padded value_dim]
//
// so that scores and weighted sums of values are the same operation: row i of the tile, times word
// i of each column, is added to that column's sums, in ascending order of i. Both orders follow
// from the position of a token alone, so a column's result does not depend on its company.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "tutti/kernels/kv_layout.h"

namespace tutti::kernels {

using Word = uint32_t;

// Words of a whole row of a tile of keys.
inline constexpr int64_t kKeyTileLanes = kKvBlockTokens;

struct TileProduct {
  const Word* factors = nullptr;  // [columns][count]
  int64_t factor_stride = 0;      // words between columns
  int64_t columns = 0;
  const std::byte* tile = nullptr;  // [count][lanes]
  int64_t tile_stride = 0;          // words between rows
  int64_t count = 0;
  int64_t lanes = 0;       // a multiple of 16
  float* sums = nullptr;   // [columns][lanes]
  int64_t sum_stride = 0;  // floats between columns
  bool add = false;        // to what is in sums; else sums are overwritten
  // What will be read soon, laid out like the tile: asked for from memory meanwhile. May be the
  // tile itself.
  const std::byte* ahead = nullptr;
};

struct AttentionIsa {
  std::string_view name;
  int64_t group = 1;  // numbers in a word: 1 float32, 2 bf16

  // Are stored blocks of this type tiles as they lie, for so many columns?
  bool (*reads_stored)(KvType type, int64_t columns);
  // `words` of ceil(count / group) words: the factors of a column.
  void (*convert_factors)(const float* x, int64_t count, Word* words);
  // Words of two numbers, words[i] of first[i] and second[i]; `count` is a multiple of 16. Null
  // where a word is one number.
  void (*pair)(const float* first, const float* second, int64_t count, Word* words);
  // A head's block of one page to a tile; `ahead` as above.
  void (*unpack_keys)(const KvLayout& layout, const std::byte* block, const std::byte* ahead,
                      Word* tile);
  void (*unpack_values)(const KvLayout& layout, const std::byte* block, const std::byte* ahead,
                        Word* tile);
  // A tile of values whose rows are `dim` wide and `stride` words apart to one of keys.
  void (*turn)(const Word* values, int64_t stride, int64_t dim, Word* keys);
  // `stored`: what the tile's words are where reads_stored allowed it; else ignored.
  void (*multiply)(KvType stored, bool unpacked, const TileProduct& product);
  // The weights exp(scale * scores[i] - max) of i in [begin, end), as factors: words from
  // begin / group to (end - 1) / group are written, with 0 for what is outside of the range.
  // `scores` may be written. max and sum are those of the weights as they are rounded.
  void (*softmax)(float* scores, float scale, int64_t begin, int64_t end, Word* weights, float* max,
                  float* sum);
  // out = a * x + b * y; out may be x. `count` is a multiple of 16.
  void (*blend)(int64_t count, float a, const float* x, float b, const float* y, float* out);
};

// out[c][r] = in[r][c] for r < rows, a multiple of 16, and c < columns; up to the next multiple of
// 16 columns are read and written. Strides in words.
void TransposeWords(const Word* in, int64_t in_stride, int64_t rows, int64_t columns, Word* out,
                    int64_t out_stride);

// Float32 arithmetic in Highway's vectors: the best target of this machine.
const AttentionIsa& Float32AttentionIsa();
// bf16 products where the machine has them (AVX-512 BF16), else null.
const AttentionIsa* Bf16AttentionIsa();

// All that this machine can run on keys and values of a type, the preferred one first.
//
// 32 bits are multiplied in 32 bits; narrower numbers as bf16 where the machine multiplies that
// faster, which costs less accuracy than 8-bit activations do (docs/LOG.md).
std::span<const AttentionIsa* const> AttentionIsas(KvType type);

}  // namespace tutti::kernels
