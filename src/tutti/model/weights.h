// All weights of a model, found, checked and in the order in which the layers use them.
//
// Matrices are views of the checkpoint's bytes as published. Small vectors (norms, biases) are
// floats of our own, and so are the few matrices that are published in an order no kernel could
// read (see LoadWeights). Shapes in brackets are [rows, columns].
//
// Ownership: `owned` and `late` keep converted matrices; everything else points into the
// checkpoint, which must outlive this. Threads: immutable after loading.
#pragma once
#include <cstddef>
#include <functional>
#include <limits>
#include <memory>
#include <vector>

#include "tutti/base/status.h"
#include "tutti/kernels/moe.h"
#include "tutti/model/architecture.h"
#include "tutti/model/model_source.h"
#include "tutti/model/weight_copies.h"
#include "tutti/spec/model_spec.h"
#include "tutti/spec/token_costs.h"
#include "tutti/tensor/view.h"

namespace tutti::model {

using tensor::WeightView;

// Empty vectors and views mean that the model has no such part.
struct AttentionWeights {
  WeightView q;     // [heads * key_dim, dim], or [.., q_rank] behind the bottleneck
  WeightView k, v;  // [kv_heads * key_dim or value_dim, dim]
  WeightView o;     // [dim, heads * value_dim]
  std::vector<float> q_bias, k_bias, v_bias, o_bias;
  std::vector<float> q_norm, k_norm;  // [key_dim] or, for kWholeRow, [heads * key_dim]
  std::vector<float> sinks;           // [heads]
  // Latent attention.
  WeightView q_down;                // [q_rank, dim]
  std::vector<float> q_down_norm;   // [q_rank]
  WeightView kv_down;               // [kv_rank + rope_dim, dim]
  std::vector<float> kv_down_norm;  // [kv_rank]
  std::vector<WeightView> k_up;     // per head [kv_rank, nope_dim]: keys' unfolding, transposed
  std::vector<WeightView> v_up;     // per head [value_dim, kv_rank]
};

// down(activation(gate x) * (up x))
struct FeedForwardWeights {
  WeightView gate, up;  // [inner, dim]
  WeightView down;      // [dim, inner]
  std::vector<float> gate_bias, up_bias, down_bias;
};

struct MoeWeights {
  WeightView router;                  // [experts, dim]
  std::vector<float> router_bias;     // [experts]
  std::vector<float> selection_bias;  // [experts]
  std::vector<kernels::ExpertWeights> experts;
  std::vector<std::vector<float>> expert_biases;  // what the experts' biases point to
  FeedForwardWeights shared;
  WeightView shared_router;  // [1, dim]
};

struct LayerWeights {
  std::vector<float> attention_norm;  // [dim]
  AttentionWeights attention;
  std::vector<float> ffn_norm;  // [dim]
  FeedForwardWeights dense;     // where the layer is dense
  MoeWeights moe;               // where it has experts
};

struct Weights {
  WeightView embedding;  // [vocab_size, dim]
  std::vector<LayerWeights> layers;
  std::vector<float> output_norm;  // [dim]
  WeightView output;               // [vocab_size, dim], the embedding where tied
  std::vector<std::vector<std::byte>> owned;
  LateCopies late;

  // Every matrix once (the output where it is not the embedding).
  void ForEachMatrix(const std::function<void(const WeightView&)>& visit) const;
  // Bytes of all matrices, and all numbers.
  int64_t TotalBytes() const;
  int64_t Parameters() const;
  // Of the matrices that one token is multiplied with.
  TokenCosts CostsPerToken(const ModelSpec& spec) const;
};

// Errors: kData for a missing tensor ("... is the checkpoint complete?") or one of another shape
// than the description wants, kUnsupported for a form of storage that Tutti cannot compute with
// or a tensor in a layer that the architecture does not have.
// kResource where the converted matrices would take more than `converted_limit_bytes`.
//
// kWhenWanted: transposed matrices have values from Weights::late.Make to Drop only, and count
// nothing; for those who read every matrix once.
enum class CopyTime { kNow, kWhenWanted };
Result<Weights> LoadWeights(const ModelSpec& spec, const TensorNames& names,
                            const ModelSource& source,
                            int64_t converted_limit_bytes = std::numeric_limits<int64_t>::max(),
                            CopyTime copy_time = CopyTime::kNow);

}  // namespace tutti::model
