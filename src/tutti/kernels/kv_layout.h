// How a page remembers the keys and values of kKvBlockTokens tokens in one layer, and the way of
// rows of floats into it.
//
// A *block* is what one head remembers in one page. Keys lie turned, so that a score is a chain of
// multiply-adds per lane with the tokens side by side; values lie token by token. Numbers of 16 and
// 8 bits lie in pairs, the form that dot-product instructions take:
//
//            keys [kv_heads]                          values [kv_heads]
//   f32      [key_dim][32]                            [32][padded value_dim]
//   others   [key_dim / 2][32][2 dimensions]          [32 / 2][padded value_dim][2 tokens]
//   q8_0     ... and scales [key_dim / 32][32]        ... and scales [32][padded value_dim / 32]
//
// Odd key dimensions have a zero more. Latent attention keeps one block per page that serves as
// keys and as values: rows [latent | rotary key] in the form of values.
//
// q8_0 keeps keys *rotated* by a Hadamard matrix (KeyRotation): the few dimensions that are large
// in every token are spread over all, where one scale per 32 suits them (arXiv 2404.00456). Scores
// remain the same if queries are rotated alike. Values have no such dimensions, and latents would
// have to be rotated back.
//
// Threads: different pages at the same time, or different tokens of one page.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "tutti/base/checked_math.h"
#include "tutti/spec/kv_type.h"

namespace tutti::kernels {

inline constexpr int64_t kKvBlockTokens = 32;
inline constexpr int64_t kKvScaleDims = 32;  // numbers of a token that share a scale in q8_0
inline constexpr int64_t kMaxRotation = 64;

struct KvLayout {
  KvType type = KvType::kF32;
  int64_t kv_heads = 0;
  int64_t key_dim = 0;
  int64_t value_dim = 0;
  bool latent = false;  // kv_heads is 1, values are the first value_dim of each key

  // Numbers that lie together: 1, or 2 dimensions of a key and 2 tokens of a value.
  int64_t Group() const { return type == KvType::kF32 ? 1 : 2; }
  // Vectors of 16 floats cover a value.
  int64_t PaddedValueDim() const { return RoundUp<int64_t>(latent ? key_dim : value_dim, 16); }
  int64_t NumberBytes() const { return type == KvType::kF32 ? 4 : type == KvType::kQ8_0 ? 1 : 2; }
  // 0 keys in a latent page.
  int64_t KeyBlockBytes() const {
    return latent ? 0 : KeyScalesAt() + Scales(key_dim) * kKvBlockTokens * 2;
  }
  int64_t ValueBlockBytes() const {
    return ValueScalesAt() + Scales(PaddedValueDim()) * kKvBlockTokens * 2;
  }
  int64_t BytesPerToken() const {
    return kv_heads * (KeyBlockBytes() + ValueBlockBytes()) / kKvBlockTokens;
  }
  // Where a head's blocks begin in the layer's part of a page, and q8_0's scales in a block.
  int64_t KeysAt(int64_t head) const { return head * KeyBlockBytes(); }
  int64_t ValuesAt(int64_t head) const {
    return kv_heads * KeyBlockBytes() + head * ValueBlockBytes();
  }
  int64_t KeyScalesAt() const { return RoundUp(key_dim, Group()) * kKvBlockTokens * NumberBytes(); }
  int64_t ValueScalesAt() const { return PaddedValueDim() * kKvBlockTokens * NumberBytes(); }
  int64_t Scales(int64_t dim) const {
    return type == KvType::kQ8_0 ? DivCeil(dim, kKvScaleDims) : 0;
  }
  // Dimensions of a key that are rotated together: the largest power of two that divides its width,
  // at most kMaxRotation. 1: it is kept as it is.
  int64_t KeyRotation() const {
    return type == KvType::kQ8_0 && !latent ? std::min(kMaxRotation, key_dim & -key_dim) : 1;
  }
};

// Multiplies each `size` numbers, a power of two up to kMaxRotation, with the orthonormal Hadamard
// matrix of that size; twice gives what was there, but for rounding.
void Rotate(int64_t size, std::span<float> x);

// Writes one token's row at `token` (of its page) of the page whose part for this layer begins at
// `page`: keys [kv_heads][key_dim], values [kv_heads][value_dim]; no values where the layout is
// latent. Rounds to the nearest number of the type, ties to even; magnitudes above f16's 65504
// become infinite. `page` is aligned to a cache line.
void StoreToken(const KvLayout& layout, const float* keys, const float* values, int64_t token,
                std::byte* page);

// The way back, slow, and exact where nothing was rotated: the key or value of one head, all its
// key_dim or value_dim floats (of a latent the first value_dim as well).
void LoadKey(const KvLayout& layout, const std::byte* page, int64_t head, int64_t token,
             std::span<float> out);
void LoadValue(const KvLayout& layout, const std::byte* page, int64_t head, int64_t token,
               std::span<float> out);

}  // namespace tutti::kernels
