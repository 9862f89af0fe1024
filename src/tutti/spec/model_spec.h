// What a model computes, as plain data. Every difference between the architectures that Tutti runs
// is a field here; the code of model/ has no `if (architecture == ...)`.
//
// Filled by model/<architecture>.cc from a checkpoint's metadata; see docs/ARCHITECTURE.md.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace tutti {

// How the rotary embedding pairs the elements of a head.
enum class RopePairing : uint8_t {
  kHalves,       // (x[i], x[i + dim/2])          GPT-NeoX, Hugging Face Llama
  kInterleaved,  // (x[2i], x[2i + 1])            GPT-J, GGUF Llama, DeepSeek
};

enum class RopeScaling : uint8_t { kNone, kLinear, kLlama3, kYarn };

struct RopeSpec {
  int32_t dim = 0;       // rotated elements of a head; the rest passes through
  double theta = 10000;  // base frequency, after NTK-style changes (Hunyuan's alpha) if any
  RopePairing pairing = RopePairing::kHalves;
  RopeScaling scaling = RopeScaling::kNone;
  double factor = 1;                      // kLinear, kLlama3, kYarn
  int32_t original_context = 0;           // kLlama3, kYarn
  double low_frequency_factor = 1;        // kLlama3
  double high_frequency_factor = 4;       // kLlama3
  double beta_fast = 32;                  // kYarn
  double beta_slow = 1;                   // kYarn
  bool truncate = true;                   // kYarn: round the ramp's bounds to whole pairs
  double attention_factor = 1;            // kYarn: cos and sin are multiplied by it
  std::vector<float> frequency_divisors;  // [dim/2], from a rope_freqs tensor; replaces `scaling`
};

enum class AttentionKind : uint8_t {
  kGrouped,  // multi-head, grouped-query and multi-query attention
  kLatent,   // multi-head latent attention (DeepSeek-V2, arXiv 2405.04434)
};

enum class QkNorm : uint8_t {
  kNone,
  kPerHead,           // one RMS norm of head_dim weights, before the rotary embedding
  kPerHeadAfterRope,  // the same, after it (Hunyuan)
  kWholeRow,          // one RMS norm over all heads together, before the rotary embedding
};

struct AttentionSpec {
  AttentionKind kind = AttentionKind::kGrouped;
  int32_t heads = 0;
  int32_t kv_heads = 0;
  int32_t key_dim = 0;    // per head; for kLatent nope_dim + rope.dim
  int32_t value_dim = 0;  // per head
  float scale = 0;        // multiplies q . k
  QkNorm qk_norm = QkNorm::kNone;
  bool qkv_bias = false;
  bool output_bias = false;
  bool sinks = false;  // one learnt logit per head joins the softmax (gpt-oss)
  float clip_qkv = 0;  // > 0: q, k (normalised) and v are clamped to +-clip_qkv (OLMoE)
  // kLatent only.
  int32_t q_rank = 0;    // 0: queries are projected directly
  int32_t kv_rank = 0;   // width of the latent
  int32_t nope_dim = 0;  // per head, the part of a key without position
};

enum class Activation : uint8_t {
  kSilu,
  kGelu,          // tanh approximation
  kClampedSwiglu  // gpt-oss: (min(g, limit) * sigmoid(1.702 g)) * (clamp(u) + 1)
};

enum class RouterScoring : uint8_t { kSoftmax, kSigmoid, kSoftmaxOfTopK };
enum class GroupScore : uint8_t { kMax, kSumOfTopTwo };

struct MoeSpec {
  int32_t experts = 0;  // 0: this model has no expert layers
  int32_t experts_per_token = 0;
  int32_t expert_dim = 0;  // inner width of one expert
  RouterScoring scoring = RouterScoring::kSoftmax;
  bool normalize_weights = false;  // the chosen weights are divided by their sum
  float normalize_epsilon = 0;     // added to that sum, or its floor: see normalize_floor
  bool normalize_floor = false;    // true: max(sum, epsilon); false: sum + epsilon
  float weight_scale = 1;          // routed_scaling_factor
  bool router_bias = false;        // added to the router's logits
  bool selection_bias = false;     // a bias that counts for choosing, not for weighing
  bool expert_bias = false;        // every expert's three matrices have a bias (gpt-oss)
  int32_t groups = 1;              // group-limited routing: experts are chosen ...
  int32_t groups_used = 1;         // ... from this many groups
  GroupScore group_score = GroupScore::kMax;
  int32_t shared_dim = 0;    // inner width of all shared experts together, 0: none
  bool shared_gate = false;  // the shared output is multiplied by a sigmoid gate (Qwen2-MoE)
};

struct LayerSpec {
  int32_t attention = 0;  // index into ModelSpec::attention
  int32_t rope = 0;       // index into ModelSpec::rope, -1: no rotary embedding
  int32_t window = 0;     // > 0: a token sees itself and the window - 1 before it
  bool moe = false;       // expert layer or dense layer
};

struct ModelSpec {
  std::string architecture;  // Tutti's name: "qwen3_moe"
  std::string name;          // what the checkpoint calls itself
  int32_t vocab_size = 0;
  int32_t dim = 0;             // width of the residual stream
  int32_t context_length = 0;  // tokens the model was made for
  int32_t dense_dim = 0;       // inner width of dense layers
  bool dense_bias = false;     // their three matrices have a bias
  float norm_epsilon = 1e-6f;
  Activation activation = Activation::kSilu;
  float swiglu_limit = 0;  // kClampedSwiglu
  bool tied_embedding = false;
  float embedding_scale = 1;
  float logit_scale = 1;
  std::vector<AttentionSpec> attention;  // the distinct kinds; layers point here
  std::vector<RopeSpec> rope;
  MoeSpec moe;
  std::vector<LayerSpec> layers;
};

}  // namespace tutti
