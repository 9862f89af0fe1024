// Multi-head latent attention with the keys and values of every head (arXiv 2405.04434): the form
// for long prompts. With c the latent of a token,
//
//   key[h] = [k_up[h]^T c | rotary key]      value[h] = v_up[h] c
//
// are unfolded for the whole history, once per call, and attended to like any others. The absorbed
// form (attention.h on the latents) unfolds nothing, but every row of a prompt pays for it with
// scores and sums as wide as the latents. Per head and token of the history, in multiply-adds:
//
//   absorbed   rows * (2 rank + rope_dim)
//   unfolded   rows * (nope_dim + rope_dim + value_dim) + rank * (nope_dim + value_dim)
//
// Arithmetic: that of attention.h for the type of the latents; the unfolded numbers are bf16 where
// products are, else float32. The result of a row depends on its position and the history only, as
// in attention.h.
//
// Threads: one call at a time per context; parallel inside. Errors: none; shapes are the caller's
// duty (checked).
#pragma once
#include <cstdint>
#include <span>

#include "tutti/kernels/attention.h"
#include "tutti/kernels/context.h"
#include "tutti/tensor/view.h"

namespace tutti::kernels {

struct UnfoldShape {
  AttentionShape attention;  // without window
  int64_t nope_dim = 0;      // of a key, the part that is unfolded; even
  int64_t value_dim = 0;     // of a head's value
  // One matrix per head: [rank, nope_dim] and [value_dim, rank], rank even.
  std::span<const tensor::WeightView> k_up, v_up;
};

// The number of rows from which on unfolding costs fewer operations, as a power of two of at least
// a page; 0: it never does, or UnfoldedAttention cannot.
int64_t UnfoldingRows(int64_t rank, int64_t rope_dim, int64_t nope_dim, int64_t value_dim);

// As Attention, where each job's history holds latents [rank | rotary key], its queries are [rows]
// [heads][nope_dim + rope_dim] and its results [rows][heads][value_dim].
void UnfoldedAttention(const UnfoldShape& shape, std::span<const AttentionJob> jobs,
                       KernelContext& context);

}  // namespace tutti::kernels
