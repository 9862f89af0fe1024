#include "tutti/model/validate_spec.h"

#include <algorithm>
#include <cmath>

namespace tutti::model {
namespace {

// Far above any model; products of three of them still fit 63 bits.
constexpr int64_t kMaxWidth = 1 << 20;
constexpr int64_t kMaxVocabulary = 1 << 24;
constexpr int64_t kMaxHeads = 1 << 14;
constexpr int64_t kMaxExperts = 1 << 16;
// Choosing costs experts x chosen steps a token; published models choose up to 22.
constexpr int64_t kMaxExpertsPerToken = 1024;
constexpr int64_t kMaxHeadDim = 1 << 14;

Status InRange(std::string_view what, int64_t value, int64_t least, int64_t most) {
  if (least <= value && value <= most) return Status();
  return DataError("{} is {}; {} to {} is possible", what, value, least, most);
}

Status CheckRope(const RopeSpec& rope, const AttentionSpec& attention) {
  TUTTI_RETURN_IF_ERROR(InRange("the rotated part of a head", rope.dim, 2, attention.key_dim));
  if (rope.dim % 2 != 0) return DataError("the rotated part of a head is {}, not even", rope.dim);
  if (!(rope.theta > 0) || !std::isfinite(rope.theta)) {
    return DataError("the rotary base is {}; it must be positive", rope.theta);
  }
  if (rope.scaling != RopeScaling::kNone && !(rope.factor > 0)) {
    return DataError("the rotary scaling factor is {}; it must be positive", rope.factor);
  }
  if (rope.scaling == RopeScaling::kLlama3 || rope.scaling == RopeScaling::kYarn) {
    TUTTI_RETURN_IF_ERROR(
        InRange("the original context of the rotary scaling", rope.original_context, 1, INT32_MAX));
  }
  if (rope.scaling == RopeScaling::kLlama3 &&
      !(rope.high_frequency_factor > rope.low_frequency_factor && rope.low_frequency_factor > 0)) {
    return DataError(
        "rotary scaling: low and high frequency factor are {} and {}; the first must "
        "be positive and the smaller one",
        rope.low_frequency_factor, rope.high_frequency_factor);
  }
  if (rope.scaling == RopeScaling::kYarn &&
      !(rope.beta_slow > 0 && rope.beta_fast >= rope.beta_slow && rope.theta != 1)) {
    return DataError(
        "rotary scaling: YaRN's beta_fast and beta_slow are {} and {}; they must be "
        "positive and in this order",
        rope.beta_fast, rope.beta_slow);
  }
  for (const float divisor : rope.frequency_divisors) {
    if (!(divisor > 0)) return DataError("a rotary frequency is divided by {}", divisor);
  }
  return Status();
}

Status CheckAttention(const AttentionSpec& attention) {
  TUTTI_RETURN_IF_ERROR(InRange("the number of attention heads", attention.heads, 1, kMaxHeads));
  TUTTI_RETURN_IF_ERROR(InRange("the number of key-value heads", attention.kv_heads, 1, kMaxHeads));
  if (attention.heads % attention.kv_heads != 0) {
    return DataError("{} attention heads cannot share {} key-value heads evenly", attention.heads,
                     attention.kv_heads);
  }
  TUTTI_RETURN_IF_ERROR(InRange("the width of a key", attention.key_dim, 1, kMaxHeadDim));
  TUTTI_RETURN_IF_ERROR(InRange("the width of a value", attention.value_dim, 1, kMaxHeadDim));
  if (attention.kind == AttentionKind::kLatent) {
    TUTTI_RETURN_IF_ERROR(InRange("the rank of the latent", attention.kv_rank, 1, kMaxWidth));
    TUTTI_RETURN_IF_ERROR(InRange("the rank of the queries", attention.q_rank, 0, kMaxWidth));
    TUTTI_RETURN_IF_ERROR(
        InRange("the part of a key without position", attention.nope_dim, 1, attention.key_dim));
  }
  return Status();
}

Status CheckLatent(const ModelSpec& spec, const LayerSpec& layer, const AttentionSpec& attention) {
  if (layer.rope < 0) return DataError("latent attention needs a rotary embedding");
  const int32_t rotated = spec.rope[static_cast<size_t>(layer.rope)].dim;
  if (int64_t{attention.nope_dim} + rotated == attention.key_dim) return Status();
  return DataError("a key of width {} cannot be {} values without position and {} with it",
                   attention.key_dim, attention.nope_dim, rotated);
}

Status CheckMoe(const MoeSpec& moe) {
  TUTTI_RETURN_IF_ERROR(InRange("the number of experts", moe.experts, 1, kMaxExperts));
  TUTTI_RETURN_IF_ERROR(InRange("the number of experts for each token", moe.experts_per_token, 1,
                                std::min<int64_t>(moe.experts, kMaxExpertsPerToken)));
  TUTTI_RETURN_IF_ERROR(InRange("the width of an expert", moe.expert_dim, 1, kMaxWidth));
  TUTTI_RETURN_IF_ERROR(InRange("the width of the shared experts", moe.shared_dim, 0, kMaxWidth));
  TUTTI_RETURN_IF_ERROR(InRange("the number of expert groups", moe.groups, 1, moe.experts));
  if (moe.experts % moe.groups != 0) {
    return DataError("{} experts cannot be put into {} groups of one size", moe.experts,
                     moe.groups);
  }
  TUTTI_RETURN_IF_ERROR(InRange("the number of groups used", moe.groups_used, 1, moe.groups));
  const int64_t reachable = int64_t{moe.experts} / moe.groups * moe.groups_used;
  if (moe.experts_per_token > reachable) {
    return DataError("{} experts for each token are wanted, and the groups used have {}",
                     moe.experts_per_token, reachable);
  }
  return Status();
}

}  // namespace

Status ValidateSpec(const ModelSpec& spec) {
  TUTTI_RETURN_IF_ERROR(InRange("the width of the model", spec.dim, 1, kMaxWidth));
  TUTTI_RETURN_IF_ERROR(InRange("the size of the vocabulary", spec.vocab_size, 1, kMaxVocabulary));
  TUTTI_RETURN_IF_ERROR(InRange("the context length", spec.context_length, 1, INT32_MAX));
  TUTTI_RETURN_IF_ERROR(InRange("the width of the dense layers", spec.dense_dim, 0, kMaxWidth));
  if (!(spec.norm_epsilon >= 0) || !std::isfinite(spec.norm_epsilon)) {
    return DataError("the epsilon of the norms is {}", spec.norm_epsilon);
  }
  TUTTI_CHECK(!spec.layers.empty() && !spec.attention.empty(), "a description without layers");
  for (const AttentionSpec& attention : spec.attention) {
    TUTTI_RETURN_IF_ERROR(CheckAttention(attention));
  }
  bool any_moe = false;
  bool any_dense = false;
  for (const LayerSpec& layer : spec.layers) {
    TUTTI_CHECK(layer.attention >= 0 && layer.attention < std::ssize(spec.attention) &&
                    layer.rope < std::ssize(spec.rope),
                "a layer points to a kind of attention that is not there");
    const AttentionSpec& attention = spec.attention[static_cast<size_t>(layer.attention)];
    if (attention.kind == AttentionKind::kLatent) {
      TUTTI_RETURN_IF_ERROR(CheckLatent(spec, layer, attention));
    }
    if (layer.rope >= 0) {
      TUTTI_RETURN_IF_ERROR(CheckRope(spec.rope[static_cast<size_t>(layer.rope)], attention));
    }
    (layer.moe ? any_moe : any_dense) = true;
  }
  if (any_moe) TUTTI_RETURN_IF_ERROR(CheckMoe(spec.moe));
  if (any_dense && spec.dense_dim == 0) {
    return DataError("the model has dense layers, and their width is missing");
  }
  return Status();
}

}  // namespace tutti::model
