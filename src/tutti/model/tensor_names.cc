#include "tutti/model/tensor_names.h"

namespace tutti::model {

TensorNames CommonHuggingFaceNames() {
  TensorNames n;
  n.embedding = "model.embed_tokens";
  n.output_norm = "model.norm";
  n.output = "lm_head";
  n.layer_prefix = "model.layers.{}.";

  n.attention_norm = "input_layernorm";
  n.q = "self_attn.q_proj";
  n.k = "self_attn.k_proj";
  n.v = "self_attn.v_proj";
  n.o = "self_attn.o_proj";
  n.q_norm = "self_attn.q_norm";
  n.k_norm = "self_attn.k_norm";
  n.sinks = "self_attn.sinks";
  n.q_a = "self_attn.q_a_proj";
  n.q_a_norm = "self_attn.q_a_layernorm";
  n.q_b = "self_attn.q_b_proj";
  n.kv_a = "self_attn.kv_a_proj_with_mqa";
  n.kv_a_norm = "self_attn.kv_a_layernorm";
  n.kv_b = "self_attn.kv_b_proj";

  n.ffn_norm = "post_attention_layernorm";
  n.gate = "mlp.gate_proj";
  n.up = "mlp.up_proj";
  n.down = "mlp.down_proj";
  n.router = "mlp.gate";
  n.selection_bias = "mlp.gate.e_score_correction_bias";
  n.expert_gate = "mlp.experts.{}.gate_proj";
  n.expert_up = "mlp.experts.{}.up_proj";
  n.expert_down = "mlp.experts.{}.down_proj";
  n.shared_gate = "mlp.shared_experts.gate_proj";
  n.shared_up = "mlp.shared_experts.up_proj";
  n.shared_down = "mlp.shared_experts.down_proj";
  n.shared_router = "mlp.shared_expert_gate";
  return n;
}

TensorNames CommonGgufNames() {
  TensorNames n;
  n.embedding = "token_embd";
  n.output_norm = "output_norm";
  n.output = "output";
  n.layer_prefix = "blk.{}.";

  n.attention_norm = "attn_norm";
  n.q = "attn_q";
  n.k = "attn_k";
  n.v = "attn_v";
  n.o = "attn_output";
  n.q_norm = "attn_q_norm";
  n.k_norm = "attn_k_norm";
  n.sinks = "attn_sinks.weight";
  n.q_a = "attn_q_a";
  n.q_a_norm = "attn_q_a_norm";
  n.q_b = "attn_q_b";
  n.kv_a = "attn_kv_a_mqa";
  n.kv_a_norm = "attn_kv_a_norm";
  n.kv_b = "attn_kv_b";
  n.k_b = "attn_k_b";
  n.v_b = "attn_v_b";

  n.ffn_norm = "ffn_norm";
  n.gate = "ffn_gate";
  n.up = "ffn_up";
  n.down = "ffn_down";
  n.router = "ffn_gate_inp";
  n.selection_bias = "exp_probs_b.bias";
  n.expert_gate = "ffn_gate_exps";
  n.expert_up = "ffn_up_exps";
  n.expert_down = "ffn_down_exps";
  n.shared_gate = "ffn_gate_shexp";
  n.shared_up = "ffn_up_shexp";
  n.shared_down = "ffn_down_shexp";
  n.shared_router = "ffn_gate_inp_shexp";
  return n;
}

}  // namespace tutti::model
