// Multi-head latent attention (arXiv 2405.04434) in two forms. With c the latent of a token, head h
// has the key k_up[h]^T c and the value v_up[h] c. Long prompts unfold both
// (kernels/attention_unfold.h); elsewhere they are absorbed: attention runs on the latents as they
// are remembered, because
//
//   q . (k_up^T c) = (k_up q) . c      and      sum p v_up c = v_up (sum p c)
//
// and every head attends to the same rows [c | rotary key]: grouped-query attention with one head
// of keys whose values are the beginning of the keys. That reads 576 numbers a token instead of
// 40,960 (DeepSeek-V3).
//
// Which form a row takes depends on its position and the length of its prompt only: the positions
// of a prompt are cut into blocks of as many rows as make unfolding the cheaper form, rows of
// blocks that the prompt fills are unfolded, and all others (its end, and what is generated) are
// absorbed. So a row has the same bits in any chunk and any company.
#include <algorithm>
#include <cstring>
#include <vector>

#include "tutti/kernels/attention_unfold.h"
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

// Rows of one or several sequences that take one form, one behind the other.
struct Part {
  int32_t begin = 0;  // the first row
  int32_t rows = 0;
  std::vector<SequenceRows> sequences;

  void Add(const SequenceRows& sequence) {
    if (sequence.rows == 0) return;
    if (rows == 0) begin = sequence.begin;
    rows += sequence.rows;
    sequences.push_back(sequence);
  }
};

// The step's rows by form; parts that are absorbed have no gaps.
struct Forms {
  Part unfolded;  // of many sequences, with gaps
  std::vector<Part> absorbed;
};

Forms FormsOf(const LayerContext& c) {
  const AttentionSpec& a = c.attention;
  const int64_t rope_dim = a.key_dim - a.nope_dim;
  const int64_t block =
      c.layer.window > 0 ? 0 : kernels::UnfoldingRows(a.kv_rank, rope_dim, a.nope_dim, a.value_dim);
  Forms forms;
  forms.absorbed.emplace_back();
  for (const SequenceRows& sequence : c.step.sequences) {
    const int64_t border = block == 0 ? 0 : sequence.prompt_length / block * block;
    SequenceRows head = sequence;
    head.rows = static_cast<int32_t>(
        std::clamp<int64_t>(border - sequence.first_position, 0, sequence.rows));
    SequenceRows tail = sequence;
    tail.begin += head.rows;
    tail.first_position += head.rows;
    tail.rows -= head.rows;
    forms.unfolded.Add(head);
    if (head.rows > 0 && forms.absorbed.back().rows > 0) forms.absorbed.emplace_back();
    forms.absorbed.back().Add(tail);
  }
  return forms;
}

// Of the part's rows: queries q [rows, heads, key_dim] to values [rows, heads, value_dim]; both
// begin with the step's first row.
void AttendUnfolded(const LayerContext& c, const AttentionWeights& w, const Part& part,
                    const float* q, float* values) {
  if (part.rows == 0) return;
  const AttentionSpec& a = c.attention;
  const kernels::UnfoldShape shape{.attention = {.heads = a.heads, .scale = a.scale},
                                   .nope_dim = a.nope_dim,
                                   .value_dim = a.value_dim,
                                   .k_up = w.k_up,
                                   .v_up = w.v_up};
  kernels::UnfoldedAttention(shape,
                             JobsOfStore(c, part.sequences, q, int64_t{a.heads} * a.key_dim, values,
                                         int64_t{a.heads} * a.value_dim),
                             c.kernels);
}

void AttendAbsorbed(const LayerContext& c, const AttentionWeights& w, const Part& part,
                    const float* q, float* values) {
  if (part.rows == 0) return;
  const AttentionSpec& a = c.attention;
  const int64_t rows = part.rows;
  const int64_t heads = a.heads;
  const int64_t rank = a.kv_rank;
  const int64_t width = w.kv_down.rows;  // latent and rotary key
  q += part.begin * heads * a.key_dim;
  values += part.begin * heads * a.value_dim;

  // Queries in the space of the latents: [k_up q_nope | q_rope].
  float* q_latent = Room(c.scratch.q_latent, rows * heads * width);
  MultiplyHeads({.data = q, .rows = rows * heads, .cols = a.nope_dim, .stride = a.key_dim}, w.k_up,
                q_latent, width, c.kernels);
  for (int64_t i = 0; i < rows * heads; ++i) {
    std::memcpy(q_latent + i * width + rank, q + i * a.key_dim + a.nope_dim,
                static_cast<size_t>(width - rank) * sizeof(float));
  }

  float* attended = Room(c.scratch.attended, rows * heads * rank);
  std::vector<SequenceRows> sequences = part.sequences;
  for (SequenceRows& sequence : sequences) sequence.begin -= part.begin;
  AttendToStore(c, sequences, q_latent, nullptr, attended);

  // Values of each head from its mean latent.
  MultiplyHeads(Rows(attended, rows * heads, rank), w.v_up, values, a.value_dim, c.kernels);
}

}  // namespace

void LatentAttention(const LayerContext& c, const AttentionWeights& w, const float* x, float* out) {
  const AttentionSpec& a = c.attention;
  const int64_t rows = c.rows();
  const int64_t heads = a.heads;
  const int64_t q_width = heads * a.key_dim;
  const int64_t value_width = heads * a.value_dim;

  float* q = Room(c.scratch.q, rows * q_width);
  float* kv = Room(c.scratch.k, rows * w.kv_down.rows);
  {
    const ProfileScope scope(c.kernels, Operation::kQkv);
    ProjectQueries(c, w, x, q);
    c.rope->Apply(q + a.nope_dim, q_width, heads, a.key_dim, c.kernels);
    ProjectLatents(c, w, x, kv);
  }
  StoreRows(c, kv, nullptr);

  float* values = Room(c.scratch.values, rows * value_width);
  const Forms forms = FormsOf(c);
  AttendUnfolded(c, w, forms.unfolded, q, values);
  for (const Part& part : forms.absorbed) AttendAbsorbed(c, w, part, q, values);

  // Back to the width of the model.
  const ProfileScope scope(c.kernels, Operation::kAttentionOutput);
  const kernels::MatMulJob output[] = {Job(w.o, w.o_bias, out)};
  kernels::MatMul(Rows(values, rows, value_width), output, c.kernels);
}

}  // namespace tutti::model
