// Multi-head latent attention (arXiv 2405.04434), absorbed: attention runs on the latents as they
// are remembered. With c the latent of a token, head h has the key k_up[h]^T c and the value
// v_up[h] c, so
//
//   q . (k_up^T c) = (k_up q) . c      and      sum p v_up c = v_up (sum p c)
//
// and every head attends to the same rows [c | rotary key]: grouped-query attention with one head
// of keys whose values are the beginning of the keys. That reads 576 numbers a token instead of
// 40,960 (DeepSeek-V3), and costs more arithmetic than unfolding only in long prefills.
#include <cstring>

#include "tutti/kernels/rms_norm.h"
#include "tutti/model/layer.h"

namespace tutti::model {
namespace {

using kernels::Operation;
using kernels::ProfileScope;

// q [rows, heads * key_dim], through the bottleneck where the model has one.
void ProjectQueries(const LayerContext& c, const AttentionWeights& w, const float* x, float* q) {
  const int64_t rows = c.rows();
  const int64_t rank = c.attention.q_rank;
  if (rank == 0) {
    const kernels::MatMulJob direct[] = {Job(w.q, {}, q)};
    kernels::MatMul(Rows(x, rows, c.model.dim), direct, c.kernels);
    return;
  }
  float* latent = Room(c.scratch.q_latent, rows * rank);
  const kernels::MatMulJob down[] = {Job(w.q_down, {}, latent)};
  kernels::MatMul(Rows(x, rows, c.model.dim), down, c.kernels);
  kernels::RmsNormRows(latent, rows, 1, rank, w.q_down_norm, c.model.norm_epsilon, latent, rank,
                       c.kernels);
  const kernels::MatMulJob up[] = {Job(w.q, {}, q)};
  kernels::MatMul(Rows(latent, rows, rank), up, c.kernels);
}

// kv [rows][latent, normalised | rotary key, turned]: what is remembered.
void ProjectLatents(const LayerContext& c, const AttentionWeights& w, const float* x, float* kv) {
  const int64_t rows = c.rows();
  const int64_t width = w.kv_down.rows;
  const int64_t rank = c.attention.kv_rank;
  const kernels::MatMulJob down[] = {Job(w.kv_down, {}, kv)};
  kernels::MatMul(Rows(x, rows, c.model.dim), down, c.kernels);
  kernels::RmsNormRows(kv, rows, 1, width, w.kv_down_norm, c.model.norm_epsilon, kv, width,
                       c.kernels);
  c.rope->Apply(kv + rank, width, 1, width, c.kernels);
}

// out [tokens, heads, width]: each head's rows of x times the head's matrix, all heads at once.
void MultiplyHeads(const kernels::Activations& x, const std::vector<WeightView>& weights,
                   float* out, int64_t width, kernels::KernelContext& context) {
  std::vector<kernels::MatMulJob> jobs;
  const ProfileScope scope(context, Operation::kUnfold);
  const int64_t heads = std::ssize(weights);
  for (int64_t h = 0; h < heads; ++h) {
    jobs.push_back({.weight = weights[static_cast<size_t>(h)],
                    .out = out + h * width,
                    .out_stride = heads * width,
                    .first = h,
                    .step = heads});
  }
  kernels::MatMul(x, jobs, context);
}

}  // namespace

void LatentAttention(const LayerContext& c, const AttentionWeights& w, const float* x, float* out) {
  const AttentionSpec& a = c.attention;
  const int64_t rows = c.rows();
  const int64_t heads = a.heads;
  const int64_t rank = a.kv_rank;
  const int64_t width = w.kv_down.rows;  // latent and rotary key
  const int64_t rope_dim = width - rank;
  const int64_t q_width = heads * a.key_dim;
  const int64_t value_width = heads * a.value_dim;

  float* q = Room(c.scratch.q, rows * q_width);
  float* kv = Room(c.scratch.k, rows * width);
  {
    const ProfileScope scope(c.kernels, Operation::kQkv);
    ProjectQueries(c, w, x, q);
    c.rope->Apply(q + a.nope_dim, q_width, heads, a.key_dim, c.kernels);
    ProjectLatents(c, w, x, kv);
  }
  StoreRows(c, kv, nullptr);

  // Queries in the space of the latents: [k_up q_nope | q_rope].
  float* q_latent = Room(c.scratch.q_latent, rows * heads * width);
  MultiplyHeads({.data = q, .rows = rows * heads, .cols = a.nope_dim, .stride = a.key_dim}, w.k_up,
                q_latent, width, c.kernels);
  for (int64_t i = 0; i < rows * heads; ++i) {
    std::memcpy(q_latent + i * width + rank, q + i * a.key_dim + a.nope_dim,
                static_cast<size_t>(rope_dim) * sizeof(float));
  }

  float* attended = Room(c.scratch.attended, rows * heads * rank);
  AttendToStore(c, q_latent, nullptr, attended);

  // Values of each head from its mean latent, and back to the width of the model.
  float* values = Room(c.scratch.values, rows * value_width);
  MultiplyHeads(Rows(attended, rows * heads, rank), w.v_up, values, a.value_dim, c.kernels);
  const ProfileScope scope(c.kernels, Operation::kAttentionOutput);
  const kernels::MatMulJob output[] = {Job(w.o, w.o_bias, out)};
  kernels::MatMul(Rows(values, rows, value_width), output, c.kernels);
}

}  // namespace tutti::model
