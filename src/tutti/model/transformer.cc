#include "tutti/model/transformer.h"

#include <algorithm>
#include <atomic>

#include "tutti/base/rng.h"
#include "tutti/kernels/elementwise.h"
#include "tutti/kernels/rms_norm.h"
#include "tutti/tensor/decode.h"

namespace tutti::model {

using kernels::Operation;

Transformer::Transformer(const ModelSpec& spec, const Weights& weights, const memory::KvPool& pool,
                         KvType kv_type)
    : spec_(spec), weights_(weights) {
  for (size_t i = 0; i < spec.layers.size(); ++i) {
    stores_.emplace_back(LayoutOf(spec, spec.layers[i], kv_type), pool.LayerOffset(i));
    const auto experts = spec.layers[i].moe ? static_cast<size_t>(spec.moe.experts) : size_t{0};
    expert_tokens_.emplace_back(experts);
  }
  for (const RopeSpec& rope : spec.rope) ropes_.emplace_back(rope);
}

void Transformer::Forward(const Step& step, float* logits, float* hidden,
                          kernels::KernelContext& kernels) {
  {
    const kernels::ProfileScope scope(kernels, Operation::kEmbedding);
    Embed(step);
    FillRotaryTables(step);
  }
  for (size_t i = 0; i < spec_.layers.size(); ++i) Layer(i, step, kernels);
  if (!step.hidden.empty()) FinalNorm(step.hidden, hidden, kernels);
  Logits(step, logits, kernels);
}

void Transformer::Layer(size_t index, const Step& step, kernels::KernelContext& kernels) {
  const LayerSpec& layer = spec_.layers[index];
  const LayerWeights& w = weights_.layers[index];
  const int64_t rows = step.rows();
  const LayerContext context{
      .model = spec_,
      .layer = layer,
      .attention = spec_.attention[static_cast<size_t>(layer.attention)],
      .store = stores_[index],
      .rope = layer.rope < 0 ? nullptr : &ropes_[static_cast<size_t>(layer.rope)],
      .step = step,
      .scratch = scratch_,
      .kernels = kernels,
      .expert_tokens = expert_tokens_[index]};

  Norm(w.attention_norm, rows, kernels);
  if (context.attention.kind == AttentionKind::kLatent) {
    LatentAttention(context, w.attention, normed_.data(), branch_.data());
  } else {
    GroupedAttention(context, w.attention, normed_.data(), branch_.data());
  }
  AddBranch(rows, kernels);

  Norm(w.ffn_norm, rows, kernels);
  if (layer.moe) {
    MoeFeedForward(context, w.moe, normed_.data(), branch_.data());
  } else {
    DenseFeedForward(context, w.dense, normed_.data(), branch_.data());
  }
  AddBranch(rows, kernels);
}

void Transformer::Embed(const Step& step) {
  const int64_t dim = spec_.dim;
  Room(residual_, step.rows() * dim);
  Room(normed_, step.rows() * dim);
  Room(branch_, step.rows() * dim);
  for (int64_t i = 0; i < step.rows(); ++i) {
    const std::span<float> row(residual_.data() + i * dim, static_cast<size_t>(dim));
    tensor::DecodeRow(weights_.embedding, step.tokens[static_cast<size_t>(i)], row);
    if (spec_.embedding_scale != 1) kernels::ScaleInPlace(spec_.embedding_scale, row);
  }
}

void Transformer::RememberNoise(const memory::PageTable& table, int32_t begin, int32_t tokens,
                                os::ThreadPool& pool) const {
  constexpr uint64_t kPlaces = 1 << 14;
  int64_t width = 0;
  for (const LayerStore& store : stores_) {
    const kernels::KvLayout& layout = store.layout();
    width = std::max(width, layout.kv_heads * std::max(layout.key_dim, layout.value_dim));
  }
  Rng rng(1);
  std::vector<float> noise(kPlaces + static_cast<size_t>(width));
  for (float& value : noise) value = static_cast<float>(rng.NextDouble() * 2 - 1);
  pool.ParallelFor(tokens, memory::kPageTokens, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) {
      Rng places(static_cast<uint64_t>(begin + i));
      for (const LayerStore& store : stores_) {
        const float* keys = noise.data() + places.NextU64() % kPlaces;
        const float* values = noise.data() + places.NextU64() % kPlaces;
        store.Store(table, begin + static_cast<int32_t>(i), keys, values);
      }
    }
  });
}

std::vector<std::vector<int64_t>> Transformer::ExpertTokens() const {
  std::vector<std::vector<int64_t>> all(expert_tokens_.size());
  for (size_t i = 0; i < all.size(); ++i) {
    for (int64_t& count : expert_tokens_[i]) {
      all[i].push_back(std::atomic_ref<int64_t>(count).load(std::memory_order_relaxed));
    }
  }
  return all;
}

void Transformer::FillRotaryTables(const Step& step) {
  for (kernels::RopeTable& rope : ropes_) rope.Fill(step.positions);
}

void Transformer::Norm(const std::vector<float>& weight, int64_t rows,
                       kernels::KernelContext& kernels) {
  const kernels::ProfileScope scope(kernels, Operation::kNorm);
  kernels::RmsNormRows(residual_.data(), rows, 1, spec_.dim, weight, spec_.norm_epsilon,
                       normed_.data(), spec_.dim, kernels);
}

void Transformer::AddBranch(int64_t rows, kernels::KernelContext& kernels) {
  const kernels::ProfileScope scope(kernels, Operation::kAdd);
  const int64_t dim = spec_.dim;
  kernels.pool.ParallelFor(rows, kRowGrain, [&](int64_t begin, int64_t end) {
    const auto size = static_cast<size_t>((end - begin) * dim);
    kernels::AddTo({branch_.data() + begin * dim, size}, {residual_.data() + begin * dim, size});
  });
}

void Transformer::FinalNorm(std::span<const int32_t> rows, float* states,
                            kernels::KernelContext& kernels) {
  const int64_t dim = spec_.dim;
  for (size_t i = 0; i < rows.size(); ++i) {
    std::copy_n(residual_.data() + rows[i] * dim, dim,
                branch_.data() + static_cast<int64_t>(i) * dim);
  }
  kernels::RmsNormRows(branch_.data(), std::ssize(rows), 1, dim, weights_.output_norm,
                       spec_.norm_epsilon, states, dim, kernels);
}

void Transformer::Logits(const Step& step, float* logits, kernels::KernelContext& kernels) {
  const int64_t rows = std::ssize(step.wanted);
  if (rows == 0) return;
  const kernels::ProfileScope scope(kernels, Operation::kLogits);
  FinalNorm(step.wanted, normed_.data(), kernels);
  const kernels::MatMulJob output[] = {Job(weights_.output, {}, logits)};
  kernels::MatMul(Rows(normed_.data(), rows, spec_.dim), output, kernels);
  if (spec_.logit_scale != 1) {
    kernels::ScaleInPlace(spec_.logit_scale,
                          {logits, static_cast<size_t>(rows * spec_.vocab_size)});
  }
}

}  // namespace tutti::model
