// Grouped-query attention (arXiv 2305.13245), with the variations that AttentionSpec names.
#include <algorithm>

#include "tutti/kernels/attention.h"
#include "tutti/kernels/rms_norm.h"
#include "tutti/model/layer.h"

namespace tutti::model {
namespace {

using kernels::Operation;
using kernels::ProfileScope;

void Clip(float limit, std::span<float> values) {
  for (float& value : values) value = std::clamp(value, -limit, limit);
}

// Normalises Q and K: over the whole row, or every head by itself.
void NormQueriesAndKeys(const LayerContext& c, const AttentionWeights& w, float* q, float* k) {
  const AttentionSpec& a = c.attention;
  const bool whole = a.qk_norm == QkNorm::kWholeRow;
  const int64_t q_width = int64_t{a.heads} * a.key_dim;
  const int64_t k_width = int64_t{a.kv_heads} * a.key_dim;
  const float epsilon = c.model.norm_epsilon;
  kernels::RmsNormRows(q, c.rows(), whole ? 1 : a.heads, q_width, w.q_norm, epsilon, q, q_width,
                       c.kernels);
  kernels::RmsNormRows(k, c.rows(), whole ? 1 : a.kv_heads, k_width, w.k_norm, epsilon, k, k_width,
                       c.kernels);
}

// What stands between the products and the store: norms, clipping, positions.
void PlaceQueriesAndKeys(const LayerContext& c, const AttentionWeights& w, float* q, float* k,
                         float* v) {
  const ProfileScope scope(c.kernels, Operation::kRope);
  const AttentionSpec& a = c.attention;
  const int64_t rows = c.rows();
  const int64_t q_width = int64_t{a.heads} * a.key_dim;
  const int64_t k_width = int64_t{a.kv_heads} * a.key_dim;
  const int64_t v_width = int64_t{a.kv_heads} * a.value_dim;
  const bool norm_after = a.qk_norm == QkNorm::kPerHeadAfterRope;
  if (a.qk_norm != QkNorm::kNone && !norm_after) NormQueriesAndKeys(c, w, q, k);
  if (a.clip_qkv > 0) {
    Clip(a.clip_qkv, {q, static_cast<size_t>(rows * q_width)});
    Clip(a.clip_qkv, {k, static_cast<size_t>(rows * k_width)});
    Clip(a.clip_qkv, {v, static_cast<size_t>(rows * v_width)});
  }
  if (c.rope != nullptr) {
    c.rope->Apply(q, q_width, a.heads, a.key_dim, c.kernels);
    c.rope->Apply(k, k_width, a.kv_heads, a.key_dim, c.kernels);
  }
  if (norm_after) NormQueriesAndKeys(c, w, q, k);
}

}  // namespace

void StoreRows(const LayerContext& c, const float* keys, const float* values) {
  const ProfileScope scope(c.kernels, Operation::kStoreKv);
  const kernels::KvLayout& layout = c.store.layout();
  const int64_t key_width = layout.kv_heads * layout.key_dim;
  const int64_t value_width = layout.latent ? 0 : layout.kv_heads * layout.value_dim;
  // A row's cache lines come from memory, one by one: some microseconds.
  constexpr int64_t kStoreGrain = 2;
  c.kernels.pool.ParallelFor(c.rows(), kStoreGrain, [&](int64_t begin, int64_t end) {
    for (const SequenceRows& sequence : c.step.sequences) {
      const int64_t last = std::min<int64_t>(end, sequence.begin + sequence.rows);
      for (int64_t row = std::max<int64_t>(begin, sequence.begin); row < last; ++row) {
        const int64_t position = sequence.first_position + row - sequence.begin;
        c.store.Store(*sequence.table, static_cast<int32_t>(position), keys + row * key_width,
                      values + row * value_width);
      }
    }
  });
}

std::span<const kernels::AttentionJob> JobsOfStore(const LayerContext& c,
                                                   std::span<const SequenceRows> sequences,
                                                   const float* q, int64_t q_width, float* out,
                                                   int64_t out_width) {
  Scratch& s = c.scratch;
  s.page_pointers.resize(std::max(s.page_pointers.size(), sequences.size()));
  s.attention_jobs.clear();
  for (size_t i = 0; i < sequences.size(); ++i) {
    const SequenceRows& sequence = sequences[i];
    s.attention_jobs.push_back({.q = q + sequence.begin * q_width,
                                .q_stride = q_width,
                                .out = out + sequence.begin * out_width,
                                .out_stride = out_width,
                                .rows = sequence.rows,
                                .first_position = sequence.first_position,
                                .kv = c.store.History(*sequence.table, s.page_pointers[i])});
  }
  return s.attention_jobs;
}

void AttendToStore(const LayerContext& c, std::span<const SequenceRows> sequences, const float* q,
                   const float* sinks, float* out) {
  const ProfileScope scope(c.kernels, Operation::kAttention);
  const kernels::AttentionShape shape{.heads = c.attention.heads,
                                      .scale = c.attention.scale,
                                      .window = c.layer.window,
                                      .sinks = sinks};
  const int64_t q_width = shape.heads * c.store.layout().key_dim;
  const int64_t out_width = shape.heads * c.store.layout().value_dim;
  kernels::Attention(shape, JobsOfStore(c, sequences, q, q_width, out, out_width), c.kernels);
}

void GroupedAttention(const LayerContext& c, const AttentionWeights& w, const float* x,
                      float* out) {
  const AttentionSpec& a = c.attention;
  const int64_t rows = c.rows();
  const int64_t q_width = int64_t{a.heads} * a.key_dim;
  const int64_t k_width = int64_t{a.kv_heads} * a.key_dim;
  const int64_t v_width = int64_t{a.kv_heads} * a.value_dim;
  const int64_t out_width = int64_t{a.heads} * a.value_dim;
  float* q = Room(c.scratch.q, rows * q_width);
  float* k = Room(c.scratch.k, rows * k_width);
  float* v = Room(c.scratch.v, rows * v_width);
  float* attended = Room(c.scratch.attended, rows * out_width);

  // Queries, keys and values of the new tokens.
  const kernels::MatMulJob project[] = {Job(w.q, w.q_bias, q), Job(w.k, w.k_bias, k),
                                        Job(w.v, w.v_bias, v)};
  {
    const ProfileScope scope(c.kernels, Operation::kQkv);
    kernels::MatMul(Rows(x, rows, c.model.dim), project, c.kernels);
  }
  PlaceQueriesAndKeys(c, w, q, k, v);

  // Remember, attend, and back to the width of the model.
  StoreRows(c, k, v);
  AttendToStore(c, c.step.sequences, q, DataOrNull(w.sinks), attended);
  const ProfileScope scope(c.kernels, Operation::kAttentionOutput);
  const kernels::MatMulJob output[] = {Job(w.o, w.o_bias, out)};
  kernels::MatMul(Rows(attended, rows, out_width), output, c.kernels);
}

}  // namespace tutti::model
