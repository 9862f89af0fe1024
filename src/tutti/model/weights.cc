#include "tutti/model/weights.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "tutti/model/weight_finder.h"
#include "tutti/tensor/weight_lookup.h"

namespace tutti::model {
namespace {

// The names of one layer, complete.
class LayerNames {
 public:
  LayerNames(const TensorNames& names, int64_t layer)
      : prefix_(fmt::format(fmt::runtime(names.layer_prefix), layer)) {}
  std::string operator()(const std::string& name) const { return prefix_ + name; }

 private:
  std::string prefix_;
};

class Loader {
 public:
  Loader(const ModelSpec& spec, const TensorNames& names, const ModelSource& source,
         WeightCopies copies)
      : spec_(spec), names_(names), gguf_(source.gguf), find_(source), copies_(copies) {}

  Status LoadEnds(Weights& weights);
  Status LoadLayer(int64_t index, LayerWeights& layer);
  Status CheckNothingLeft() const {
    return find_.CheckNothingLeft(names_.layer_prefix, std::ssize(spec_.layers));
  }

 private:
  Status LoadGrouped(const LayerNames& in, const AttentionSpec& spec, AttentionWeights& a);
  Status LoadLatent(const LayerNames& in, const AttentionSpec& spec, int64_t rope_dim,
                    AttentionWeights& a);
  Status LoadLatentUnfolding(const LayerNames& in, const AttentionSpec& spec, AttentionWeights& a);
  Status LoadFeedForward(const LayerNames& in, int64_t inner, const std::string& gate,
                         const std::string& up, const std::string& down, bool bias,
                         FeedForwardWeights& f);
  Status LoadMoe(const LayerNames& in, MoeWeights& moe);
  // Expert by expert, [experts].
  using Experts = std::vector<FeedForwardWeights>;
  Status LoadListedExperts(const LayerNames& in, Experts& experts);
  Status LoadStackedExperts(const LayerNames& in, Experts& experts);
  Status LoadStackedExpertBiases(const LayerNames& in, Experts& experts);
  Status LoadInterleavedExperts(const LayerNames& in, Experts& experts);
  Status LoadInterleavedExpertBiases(const LayerNames& in, Experts& experts);

  const ModelSpec& spec_;
  const TensorNames& names_;
  const bool gguf_;
  WeightFinder find_;
  WeightCopies copies_;
};

Status Loader::LoadEnds(Weights& weights) {
  TUTTI_ASSIGN_OR_RETURN(weights.embedding,
                         find_.Matrix(names_.embedding, spec_.vocab_size, spec_.dim));
  TUTTI_ASSIGN_OR_RETURN(weights.output_norm, find_.Vector(names_.output_norm, spec_.dim));
  if (spec_.tied_embedding) {
    weights.output = weights.embedding;
  } else {
    TUTTI_ASSIGN_OR_RETURN(weights.output,
                           find_.Matrix(names_.output, spec_.vocab_size, spec_.dim));
  }
  return Status();
}

Status Loader::LoadGrouped(const LayerNames& in, const AttentionSpec& spec, AttentionWeights& a) {
  const int64_t q_rows = int64_t{spec.heads} * spec.key_dim;
  const int64_t k_rows = int64_t{spec.kv_heads} * spec.key_dim;
  const int64_t v_rows = int64_t{spec.kv_heads} * spec.value_dim;
  TUTTI_ASSIGN_OR_RETURN(a.q, find_.Matrix(in(names_.q), q_rows, spec_.dim));
  TUTTI_ASSIGN_OR_RETURN(a.k, find_.Matrix(in(names_.k), k_rows, spec_.dim));
  TUTTI_ASSIGN_OR_RETURN(a.v, find_.Matrix(in(names_.v), v_rows, spec_.dim));
  TUTTI_ASSIGN_OR_RETURN(
      a.o, find_.Matrix(in(names_.o), spec_.dim, int64_t{spec.heads} * spec.value_dim));
  if (spec.qkv_bias) {
    TUTTI_ASSIGN_OR_RETURN(a.q_bias, find_.Vector(in(names_.q + ".bias"), q_rows));
    TUTTI_ASSIGN_OR_RETURN(a.k_bias, find_.Vector(in(names_.k + ".bias"), k_rows));
    TUTTI_ASSIGN_OR_RETURN(a.v_bias, find_.Vector(in(names_.v + ".bias"), v_rows));
  }
  if (spec.output_bias) {
    TUTTI_ASSIGN_OR_RETURN(a.o_bias, find_.Vector(in(names_.o + ".bias"), spec_.dim));
  }
  if (spec.qk_norm != QkNorm::kNone) {
    const bool whole = spec.qk_norm == QkNorm::kWholeRow;
    TUTTI_ASSIGN_OR_RETURN(a.q_norm,
                           find_.Vector(in(names_.q_norm), whole ? q_rows : spec.key_dim));
    TUTTI_ASSIGN_OR_RETURN(a.k_norm,
                           find_.Vector(in(names_.k_norm), whole ? k_rows : spec.key_dim));
  }
  if (spec.sinks) {
    TUTTI_ASSIGN_OR_RETURN(a.sinks, find_.Vector(in(names_.sinks), spec.heads));
  }
  return Status();
}

Status Loader::LoadLatent(const LayerNames& in, const AttentionSpec& spec, int64_t rope_dim,
                          AttentionWeights& a) {
  const int64_t q_rows = int64_t{spec.heads} * spec.key_dim;
  if (spec.q_rank > 0) {
    TUTTI_ASSIGN_OR_RETURN(a.q_down, find_.Matrix(in(names_.q_a), spec.q_rank, spec_.dim));
    TUTTI_ASSIGN_OR_RETURN(a.q_down_norm, find_.Vector(in(names_.q_a_norm), spec.q_rank));
    TUTTI_ASSIGN_OR_RETURN(a.q, find_.Matrix(in(names_.q_b), q_rows, spec.q_rank));
  } else {
    TUTTI_ASSIGN_OR_RETURN(a.q, find_.Matrix(in(names_.q), q_rows, spec_.dim));
  }
  TUTTI_ASSIGN_OR_RETURN(a.kv_down,
                         find_.Matrix(in(names_.kv_a), spec.kv_rank + rope_dim, spec_.dim));
  TUTTI_ASSIGN_OR_RETURN(a.kv_down_norm, find_.Vector(in(names_.kv_a_norm), spec.kv_rank));
  TUTTI_ASSIGN_OR_RETURN(
      a.o, find_.Matrix(in(names_.o), spec_.dim, int64_t{spec.heads} * spec.value_dim));
  return LoadLatentUnfolding(in, spec, a);
}

// Attention works on the latents themselves: the keys' unfolding moves to the query's side, which
// needs it transposed. Newer GGUFs have it so; otherwise it is a copy of ours.
Status Loader::LoadLatentUnfolding(const LayerNames& in, const AttentionSpec& spec,
                                   AttentionWeights& a) {
  if (!names_.k_b.empty() && find_.Has(in(names_.k_b))) {
    find_.Ignore(in(names_.kv_b));  // some files have both
    for (int64_t h = 0; h < spec.heads; ++h) {
      TUTTI_ASSIGN_OR_RETURN(
          WeightView k, find_.OfStack(in(names_.k_b), h, spec.heads, spec.kv_rank, spec.nope_dim));
      TUTTI_ASSIGN_OR_RETURN(
          WeightView v, find_.OfStack(in(names_.v_b), h, spec.heads, spec.value_dim, spec.kv_rank));
      a.k_up.push_back(k);
      a.v_up.push_back(v);
    }
    return Status();
  }
  const int64_t per_head = int64_t{spec.nope_dim} + spec.value_dim;
  TUTTI_ASSIGN_OR_RETURN(WeightView kv,
                         find_.Matrix(in(names_.kv_b), spec.heads * per_head, spec.kv_rank));
  const auto sliceable = [&](int64_t row) { return row % kv.scale_block_rows == 0; };
  if (kv.scales != nullptr && !(sliceable(per_head) && sliceable(spec.nope_dim))) {
    // Blocks of scales that reach over the heads' borders.
    TUTTI_ASSIGN_OR_RETURN(kv, copies_.Decoded(kv));
  }
  for (int64_t h = 0; h < spec.heads; ++h) {
    const int64_t begin = h * per_head;
    TUTTI_ASSIGN_OR_RETURN(const WeightView k_up,
                           copies_.Transposed(kv.Rows(begin, begin + spec.nope_dim)));
    a.k_up.push_back(k_up);
    a.v_up.push_back(kv.Rows(begin + spec.nope_dim, begin + per_head));
  }
  return Status();
}

Status Loader::LoadFeedForward(const LayerNames& in, int64_t inner, const std::string& gate,
                               const std::string& up, const std::string& down, bool bias,
                               FeedForwardWeights& f) {
  TUTTI_ASSIGN_OR_RETURN(f.gate, find_.Matrix(in(gate), inner, spec_.dim));
  TUTTI_ASSIGN_OR_RETURN(f.up, find_.Matrix(in(up), inner, spec_.dim));
  TUTTI_ASSIGN_OR_RETURN(f.down, find_.Matrix(in(down), spec_.dim, inner));
  if (bias) {
    TUTTI_ASSIGN_OR_RETURN(f.gate_bias, find_.Vector(in(gate + ".bias"), inner));
    TUTTI_ASSIGN_OR_RETURN(f.up_bias, find_.Vector(in(up + ".bias"), inner));
    TUTTI_ASSIGN_OR_RETURN(f.down_bias, find_.Vector(in(down + ".bias"), spec_.dim));
  }
  return Status();
}

// One tensor per expert and matrix: Hugging Face.
Status Loader::LoadListedExperts(const LayerNames& in, Experts& experts) {
  const auto numbered = [](const std::string& name, int64_t expert) {
    return fmt::format(fmt::runtime(name), expert);
  };
  for (int64_t e = 0; e < spec_.moe.experts; ++e) {
    TUTTI_RETURN_IF_ERROR(LoadFeedForward(
        in, spec_.moe.expert_dim, numbered(names_.expert_gate, e), numbered(names_.expert_up, e),
        numbered(names_.expert_down, e), spec_.moe.expert_bias, experts.emplace_back()));
  }
  return Status();
}

// One stack per matrix: GGUF.
Status Loader::LoadStackedExperts(const LayerNames& in, Experts& experts) {
  const int64_t count = spec_.moe.experts;
  const int64_t inner = spec_.moe.expert_dim;
  for (int64_t e = 0; e < count; ++e) {
    FeedForwardWeights& f = experts.emplace_back();
    TUTTI_ASSIGN_OR_RETURN(f.gate,
                           find_.OfStack(in(names_.expert_gate), e, count, inner, spec_.dim));
    TUTTI_ASSIGN_OR_RETURN(f.up, find_.OfStack(in(names_.expert_up), e, count, inner, spec_.dim));
    TUTTI_ASSIGN_OR_RETURN(f.down,
                           find_.OfStack(in(names_.expert_down), e, count, spec_.dim, inner));
  }
  return spec_.moe.expert_bias ? LoadStackedExpertBiases(in, experts) : Status();
}

std::vector<float> Slice(const std::vector<float>& values, int64_t begin, int64_t size,
                         int64_t step = 1) {
  std::vector<float> slice(static_cast<size_t>(size));
  for (int64_t i = 0; i < size; ++i) {
    slice[static_cast<size_t>(i)] = values[static_cast<size_t>(begin + i * step)];
  }
  return slice;
}

Status Loader::LoadStackedExpertBiases(const LayerNames& in, Experts& experts) {
  const int64_t inner = spec_.moe.expert_dim;
  const int64_t count = spec_.moe.experts;
  TUTTI_ASSIGN_OR_RETURN(const auto gate,
                         find_.Vector(in(names_.expert_gate + ".bias"), count * inner));
  TUTTI_ASSIGN_OR_RETURN(const auto up,
                         find_.Vector(in(names_.expert_up + ".bias"), count * inner));
  TUTTI_ASSIGN_OR_RETURN(const auto down,
                         find_.Vector(in(names_.expert_down + ".bias"), count * spec_.dim));
  for (int64_t e = 0; e < count; ++e) {
    FeedForwardWeights& f = experts[static_cast<size_t>(e)];
    f.gate_bias = Slice(gate, e * inner, inner);
    f.up_bias = Slice(up, e * inner, inner);
    f.down_bias = Slice(down, e * spec_.dim, spec_.dim);
  }
  return Status();
}

// gpt-oss: gate and up in one stack, row by row in turns. As MXFP4 blocks the rows are those of the
// product; as plain numbers the matrices are transposed, which we undo once.
Status Loader::LoadInterleavedExperts(const LayerNames& in, Experts& experts) {
  const int64_t count = spec_.moe.experts;
  const int64_t inner = spec_.moe.expert_dim;
  const int64_t dim = spec_.dim;
  const std::string gate_up = in(names_.expert_gate_up);
  const std::string down = in(names_.expert_down);
  const bool blocks = find_.HasTensor(gate_up + "_blocks");
  for (int64_t e = 0; e < count; ++e) {
    FeedForwardWeights& f = experts.emplace_back();
    WeightView both;
    if (blocks) {
      TUTTI_ASSIGN_OR_RETURN(both, find_.OfStack(gate_up, e, count, 2 * inner, dim));
      TUTTI_ASSIGN_OR_RETURN(f.down, find_.OfStack(down, e, count, dim, inner));
    } else {
      TUTTI_ASSIGN_OR_RETURN(both, find_.OfStack(gate_up, e, count, dim, 2 * inner));
      TUTTI_ASSIGN_OR_RETURN(f.down, find_.OfStack(down, e, count, inner, dim));
      TUTTI_ASSIGN_OR_RETURN(both, copies_.Transposed(both));
      TUTTI_ASSIGN_OR_RETURN(f.down, copies_.Transposed(f.down));
    }
    TUTTI_ASSIGN_OR_RETURN(f.gate, tensor::EveryOtherRow(both, 0));
    TUTTI_ASSIGN_OR_RETURN(f.up, tensor::EveryOtherRow(both, 1));
  }
  return spec_.moe.expert_bias ? LoadInterleavedExpertBiases(in, experts) : Status();
}

Status Loader::LoadInterleavedExpertBiases(const LayerNames& in, Experts& experts) {
  const int64_t inner = spec_.moe.expert_dim;
  const int64_t count = spec_.moe.experts;
  TUTTI_ASSIGN_OR_RETURN(const auto gate_up,
                         find_.Vector(in(names_.expert_gate_up + "_bias"), count * 2 * inner));
  TUTTI_ASSIGN_OR_RETURN(const auto down,
                         find_.Vector(in(names_.expert_down + "_bias"), count * spec_.dim));
  for (int64_t e = 0; e < count; ++e) {
    FeedForwardWeights& f = experts[static_cast<size_t>(e)];
    f.gate_bias = Slice(gate_up, e * 2 * inner, inner, 2);
    f.up_bias = Slice(gate_up, e * 2 * inner + 1, inner, 2);
    f.down_bias = Slice(down, e * spec_.dim, spec_.dim);
  }
  return Status();
}

// The form in which the kernel takes it.
void AddExpert(FeedForwardWeights f, MoeWeights& moe) {
  kernels::ExpertWeights expert{.gate = f.gate, .up = f.up, .down = f.down};
  if (!f.gate_bias.empty()) {
    expert.gate_bias = moe.expert_biases.emplace_back(std::move(f.gate_bias)).data();
    expert.up_bias = moe.expert_biases.emplace_back(std::move(f.up_bias)).data();
    expert.down_bias = moe.expert_biases.emplace_back(std::move(f.down_bias)).data();
  }
  moe.experts.push_back(expert);
}

Status Loader::LoadMoe(const LayerNames& in, MoeWeights& moe) {
  const MoeSpec& spec = spec_.moe;
  TUTTI_ASSIGN_OR_RETURN(moe.router, find_.Matrix(in(names_.router), spec.experts, spec_.dim));
  if (spec.router_bias) {
    TUTTI_ASSIGN_OR_RETURN(moe.router_bias,
                           find_.Vector(in(names_.router + ".bias"), spec.experts));
  }
  if (spec.selection_bias) {
    TUTTI_ASSIGN_OR_RETURN(moe.selection_bias,
                           find_.Vector(in(names_.selection_bias), spec.experts));
  }
  Experts experts;
  if (!names_.expert_gate_up.empty()) {
    TUTTI_RETURN_IF_ERROR(LoadInterleavedExperts(in, experts));
  } else if (gguf_) {
    TUTTI_RETURN_IF_ERROR(LoadStackedExperts(in, experts));
  } else {
    TUTTI_RETURN_IF_ERROR(LoadListedExperts(in, experts));
  }
  for (FeedForwardWeights& expert : experts) AddExpert(std::move(expert), moe);
  if (spec.shared_dim > 0) {
    TUTTI_RETURN_IF_ERROR(LoadFeedForward(in, spec.shared_dim, names_.shared_gate, names_.shared_up,
                                          names_.shared_down, false, moe.shared));
  }
  if (spec.shared_gate) {
    TUTTI_ASSIGN_OR_RETURN(moe.shared_router, find_.Matrix(in(names_.shared_router), 1, spec_.dim));
  }
  return Status();
}

Status Loader::LoadLayer(int64_t index, LayerWeights& layer) {
  const LayerNames in(names_, index);
  const LayerSpec& spec = spec_.layers[static_cast<size_t>(index)];
  const AttentionSpec& attention = spec_.attention[static_cast<size_t>(spec.attention)];
  TUTTI_ASSIGN_OR_RETURN(layer.attention_norm, find_.Vector(in(names_.attention_norm), spec_.dim));
  if (attention.kind == AttentionKind::kLatent) {
    TUTTI_CHECK(spec.rope >= 0, "latent attention has a part with position");
    TUTTI_RETURN_IF_ERROR(
        LoadLatent(in, attention, spec_.rope[static_cast<size_t>(spec.rope)].dim, layer.attention));
  } else {
    TUTTI_RETURN_IF_ERROR(LoadGrouped(in, attention, layer.attention));
  }
  TUTTI_ASSIGN_OR_RETURN(layer.ffn_norm, find_.Vector(in(names_.ffn_norm), spec_.dim));
  if (spec.moe) return LoadMoe(in, layer.moe);
  return LoadFeedForward(in, spec_.dense_dim, names_.gate, names_.up, names_.down, spec_.dense_bias,
                         layer.dense);
}

// Adds up what `measure` says of matrices.
template <typename Measure>
class Sum {
 public:
  explicit Sum(Measure measure) : measure_(measure) {}

  int64_t Of(const WeightView& view) const { return view.empty() ? 0 : measure_(view); }
  int64_t Of(const std::vector<float>& vector) const { return measure_(vector); }

  int64_t Of(const FeedForwardWeights& f) const {
    return Of(f.gate) + Of(f.up) + Of(f.down) + Of(f.gate_bias) + Of(f.up_bias) + Of(f.down_bias);
  }

  int64_t Of(const AttentionWeights& a) const {
    int64_t sum = Of(a.q) + Of(a.k) + Of(a.v) + Of(a.o) + Of(a.q_down) + Of(a.kv_down);
    for (const auto* vector : {&a.q_bias, &a.k_bias, &a.v_bias, &a.o_bias, &a.q_norm, &a.k_norm,
                               &a.sinks, &a.q_down_norm, &a.kv_down_norm}) {
      sum += Of(*vector);
    }
    for (const WeightView& view : a.k_up) sum += Of(view);
    for (const WeightView& view : a.v_up) sum += Of(view);
    return sum;
  }

  // Without the routed experts.
  int64_t Of(const LayerWeights& layer) const {
    const MoeWeights& moe = layer.moe;
    return Of(layer.attention_norm) + Of(layer.attention) + Of(layer.ffn_norm) + Of(layer.dense) +
           Of(moe.router) + Of(moe.router_bias) + Of(moe.selection_bias) + Of(moe.shared) +
           Of(moe.shared_router);
  }

  // The first `count` of them, or all there are.
  int64_t OfExperts(const LayerWeights& layer, int64_t count) const {
    const MoeWeights& moe = layer.moe;
    int64_t sum = 0;
    const size_t experts = std::min(static_cast<size_t>(count), moe.experts.size());
    for (size_t e = 0; e < experts; ++e) {
      sum += Of(moe.experts[e].gate) + Of(moe.experts[e].up) + Of(moe.experts[e].down);
    }
    const size_t biases = moe.expert_biases.size() / std::max<size_t>(1, moe.experts.size());
    for (size_t i = 0; i < experts * biases; ++i) sum += Of(moe.expert_biases[i]);
    return sum;
  }

  int64_t OfAll(const Weights& weights) const {
    int64_t sum = Of(weights.embedding) + Of(weights.output_norm);
    if (weights.output.data != weights.embedding.data) sum += Of(weights.output);
    for (const LayerWeights& layer : weights.layers) {
      sum += Of(layer) + OfExperts(layer, INT64_MAX);
    }
    return sum;
  }

 private:
  Measure measure_;
};

// The small vectors are floats of our own: parameters, but not counted among what is read.
int64_t BytesOf(const WeightView& view) { return view.ReadBytes(); }
int64_t NumbersOf(const WeightView& view) { return view.rows * view.cols; }
int64_t Int8NumbersOf(const WeightView& view) {
  return InfoOf(view.dtype).block_size > 1 ? NumbersOf(view) : 0;
}
template <int64_t (*kOfView)(const WeightView&)>
struct OfMatrices {
  int64_t operator()(const WeightView& view) const { return kOfView(view); }
  int64_t operator()(const std::vector<float>&) const { return 0; }
};
struct Visit {
  int64_t operator()(const WeightView& view) const { return (*visit)(view), 0; }
  int64_t operator()(const std::vector<float>&) const { return 0; }
  const std::function<void(const WeightView&)>* visit;
};
struct OfAllNumbers {
  int64_t operator()(const WeightView& view) const { return NumbersOf(view); }
  int64_t operator()(const std::vector<float>& vector) const { return std::ssize(vector); }
};

}  // namespace

void Weights::ForEachMatrix(const std::function<void(const WeightView&)>& visit) const {
  Sum(Visit{&visit}).OfAll(*this);
}
int64_t Weights::TotalBytes() const { return Sum(OfMatrices<BytesOf>()).OfAll(*this); }
int64_t Weights::Parameters() const { return Sum(OfAllNumbers()).OfAll(*this); }

TokenCosts Weights::CostsPerToken(const ModelSpec& spec) const {
  const auto part = [](const auto& measure) {
    WeightCosts costs{.bytes = measure(Sum(OfMatrices<BytesOf>())),
                      .int8_weights = measure(Sum(OfMatrices<Int8NumbersOf>()))};
    costs.float_weights = measure(Sum(OfMatrices<NumbersOf>())) - costs.int8_weights;
    return costs;
  };
  TokenCosts costs;
  costs.output = part([&](const auto& sum) { return sum.Of(output); });
  costs.layers = part([&](const auto& sum) {
    int64_t all = 0;
    for (const LayerWeights& layer : layers) all += sum.Of(layer);
    return all;
  });
  costs.experts = part([&](const auto& sum) {
    int64_t all = 0;
    for (const LayerWeights& layer : layers) {
      all += sum.OfExperts(layer, spec.moe.experts_per_token);
    }
    return all;
  });
  return costs;
}

Result<Weights> LoadWeights(const ModelSpec& spec, const TensorNames& names,
                            const ModelSource& source, int64_t converted_limit_bytes,
                            CopyTime copy_time) {
  Weights weights;
  LateCopies* const late = copy_time == CopyTime::kWhenWanted ? &weights.late : nullptr;
  Loader loader(spec, names, source, WeightCopies(weights.owned, converted_limit_bytes, late));
  TUTTI_RETURN_IF_ERROR(loader.LoadEnds(weights));
  for (int64_t i = 0; i < std::ssize(spec.layers); ++i) {
    TUTTI_RETURN_IF_ERROR(loader.LoadLayer(i, weights.layers.emplace_back()));
  }
  TUTTI_RETURN_IF_ERROR(loader.CheckNothingLeft());
  return weights;
}

}  // namespace tutti::model
