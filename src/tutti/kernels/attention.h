// Causal attention of the new tokens of some sequences over their paged histories.
//
//   out[h] = sum_p softmax_p(scale * q[h] . k[p]) v[p]      over the positions p that q's row sees
//
// with grouped queries (head h reads key head h / (heads / kv_heads), arXiv 2305.13245), a sliding
// window (arXiv 2310.06825) and learnt sinks (arXiv 2508.10925: one more logit per head, without
// value). Multi-head latent attention in its absorbed form (arXiv 2405.04434) is the case of one
// key head whose row is [latent | rotary part] and whose values are the latents of the same rows.
//
// Arithmetic: float32 sums of products in float32 or, for keys and values of at most 16 bits where
// the machine has such products, in bf16 (attention_isa.h). The history is cut at multiples of
// kSplitTokens; each piece gets a softmax of its own (two passes), and pieces are merged in
// ascending order (arXiv 2112.05682). Both depend on a token's position only, so a row's result has
// the same bits whatever else is in the call, however the prompt was chunked and on any number of
// threads.
//
// Threads: one call at a time per context; parallel over sequences, heads and rows, and over the
// history where those do not suffice. Errors: none; shapes are the caller's duty (checked).
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>

#include "tutti/kernels/context.h"
#include "tutti/kernels/kv_layout.h"

namespace tutti::kernels {

inline constexpr int64_t kSplitTokens = 256;

// The heads that share a key head, and its dimensions, are in the layout of the history.
struct AttentionShape {
  int64_t heads = 0;  // a multiple of the history's kv_heads
  float scale = 1;
  int64_t window = 0;            // > 0: a token sees itself and the window - 1 before it
  const float* sinks = nullptr;  // [heads] or null
};

// What one sequence remembers in one layer. Page i holds the tokens [i * kKvBlockTokens,
// (i + 1) * kKvBlockTokens) as kv_layout.h says; pages may lie anywhere, each on a cache line's
// border. Pages that are left of every row's window are not read and may be null.
struct KvHistory {
  KvLayout layout;
  std::span<const std::byte* const> pages;  // the beginning of the layer's part of each
};

// The new rows of one sequence. Row i is at position first_position + i and sees the history up to
// and including itself, so its own key and value must have been stored before.
struct AttentionJob {
  const float* q = nullptr;  // [rows][heads][key_dim]
  int64_t q_stride = 0;      // floats between rows
  float* out = nullptr;      // [rows][heads][value_dim]
  int64_t out_stride = 0;
  int64_t rows = 0;
  int64_t first_position = 0;
  KvHistory kv;
};

void Attention(const AttentionShape& shape, std::span<const AttentionJob> jobs,
               KernelContext& context);

// The 16-bit type of keys and values that suits this machine: bf16 where it multiplies that (f16
// would be rounded to it, and gain nothing), else f16.
KvType FastKvType();

// The same in double precision, one softmax over everything: the oracle of the tests.
void AttentionReference(const AttentionShape& shape, const AttentionJob& job);

}  // namespace tutti::kernels
