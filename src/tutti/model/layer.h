// What the parts of a layer share: the step, the rotary tables, the memory, room to compute in.
//
// Each part is a function from rows to rows, [rows, dim] -> [rows, dim], that the transformer adds
// to the residual stream. It sees the rows already normalised, and of the sequences only what its
// LayerStore keeps; so another way of attending (sparse with an indexer, linear with a state)
// or another way of carrying the residual (several streams) changes its own file only.
//
// Threads: one step at a time; the kernels parallelise inside.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "tutti/kernels/attention.h"
#include "tutti/kernels/context.h"
#include "tutti/kernels/matmul.h"
#include "tutti/kernels/moe.h"
#include "tutti/kernels/profile.h"
#include "tutti/kernels/rope.h"
#include "tutti/kernels/router.h"
#include "tutti/model/layer_memory.h"
#include "tutti/model/step.h"
#include "tutti/model/weights.h"
#include "tutti/os/step_buffer.h"
#include "tutti/spec/model_spec.h"

namespace tutti::model {

// Buffers that live from step to step and only grow. The shapes are those of the current step.
struct Scratch {
  os::StepFloats q;         // [rows, heads * key_dim]
  os::StepFloats k;         // [rows, kv_heads * key_dim]; latent: [rows, kv_rank + rope_dim]
  os::StepFloats v;         // [rows, kv_heads * value_dim]
  os::StepFloats q_latent;  // [rows, q_rank]; then [rows, heads, kv_rank + rope_dim]
  os::StepFloats attended;  // [rows, heads * value_dim] or [rows, heads * kv_rank]
  os::StepFloats values;    // latent: [rows, heads * value_dim]
  os::StepFloats router;    // [rows, experts], then the gates of the shared experts, [rows]
  kernels::Routes routes;
  std::vector<std::vector<const std::byte*>> page_pointers;  // per sequence
  std::vector<kernels::AttentionJob> attention_jobs;
};

struct LayerContext {
  const ModelSpec& model;
  const LayerSpec& layer;
  const AttentionSpec& attention;
  const LayerStore& store;
  const kernels::RopeTable* rope;  // null: no rotary embedding in this layer
  const Step& step;
  Scratch& scratch;
  kernels::KernelContext& kernels;
  // Counters, [experts] of this layer: only this thread adds, others may look with atomic_ref.
  std::span<int64_t> expert_tokens = {};

  int64_t rows() const { return step.rows(); }
};

// Rows of cheap work that make it worth while to wake the team.
inline constexpr int64_t kRowGrain = 16;

// The buffer's first `count` floats, made larger where needed.
inline float* Room(os::StepFloats& buffer, int64_t count) {
  if (std::ssize(buffer) < count) buffer.resize(static_cast<size_t>(count));
  return buffer.data();
}

// Null for an empty vector: the kernels' way to say "none".
inline const float* DataOrNull(const std::vector<float>& values) {
  return values.empty() ? nullptr : values.data();
}

// Rows without gaps.
inline kernels::Activations Rows(const float* data, int64_t rows, int64_t cols) {
  return {.data = data, .rows = rows, .cols = cols, .stride = cols};
}

// out = W x (+ bias) for rows without gaps.
inline kernels::MatMulJob Job(const WeightView& weight, const std::vector<float>& bias,
                              float* out) {
  return {.weight = weight, .bias = DataOrNull(bias), .out = out, .out_stride = weight.rows};
}

// x and out are [rows, model.dim] and do not overlap.
void GroupedAttention(const LayerContext& c, const AttentionWeights& w, const float* x, float* out);
void LatentAttention(const LayerContext& c, const AttentionWeights& w, const float* x, float* out);
void DenseFeedForward(const LayerContext& c, const FeedForwardWeights& w, const float* x,
                      float* out);
void MoeFeedForward(const LayerContext& c, const MoeWeights& w, const float* x, float* out);

// The form in which the kernels take a feed-forward network; valid as long as `w`.
kernels::ExpertWeights ExpertOf(const FeedForwardWeights& w);
// The network with every product by itself, so that an observer sees its input: x and out are
// [rows, dim].
void FeedForwardByParts(const LayerContext& c, const kernels::ExpertWeights& w, const float* x,
                        int64_t rows, float* out);

// Attends with the queries [rows][heads][store key_dim] of `sequences` over everything that is
// stored, the step's own tokens included, into out [rows][heads][store value_dim].
void AttendToStore(const LayerContext& c, std::span<const SequenceRows> sequences, const float* q,
                   const float* sinks, float* out);
// The same as jobs for a kernel, with rows of q_width and out_width floats; they live in the
// scratch until the next call.
std::span<const kernels::AttentionJob> JobsOfStore(const LayerContext& c,
                                                   std::span<const SequenceRows> sequences,
                                                   const float* q, int64_t q_width, float* out,
                                                   int64_t out_width);
// Writes the rows' keys and values into the pages of their sequences.
void StoreRows(const LayerContext& c, const float* keys, const float* values);

}  // namespace tutti::model
