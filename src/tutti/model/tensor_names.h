// How checkpoints call the parts of a model: one struct of names per kind of checkpoint.
//
// Entries are stems; ".weight", ".bias" and the like are added where the tensor is looked up. Names
// inside a layer follow layer_prefix, in which {} is the layer; {} in an expert's name is the
// expert. A GGUF stacks the experts of a layer in one tensor, so its expert names have no {}.
#pragma once
#include <string>

namespace tutti::model {

struct TensorNames {
  std::string embedding;
  std::string output_norm;
  std::string output;
  std::string layer_prefix;

  std::string attention_norm;
  std::string q, k, v, o;
  std::string q_norm, k_norm;
  std::string sinks;  // with its suffix
  // Multi-head latent attention.
  std::string q_a, q_a_norm, q_b;
  std::string kv_a, kv_a_norm;
  std::string kv_b;      // both halves as published, [heads * (nope + value), kv_rank]
  std::string k_b, v_b;  // GGUF: the halves, [heads, kv_rank, nope] and [heads, value, kv_rank]

  std::string ffn_norm;
  std::string gate, up, down;
  std::string router;
  std::string selection_bias;  // with its suffix
  std::string expert_gate, expert_up, expert_down;
  std::string expert_gate_up;  // gpt-oss: rows of gate and up take turns
  std::string shared_gate, shared_up, shared_down;
  std::string shared_router;  // the gate of the shared experts (Qwen2-MoE)
};

TensorNames CommonHuggingFaceNames();
TensorNames CommonGgufNames();

}  // namespace tutti::model
