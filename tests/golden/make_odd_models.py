#!/usr/bin/env python3
"""Writes the golden models whose sizes and options are odd: head counts and widths that are no powers of two, key heads
shared by many or by none, tied embeddings, biases, windows, dense layers in between, groups, other rotary scaling.

    make_odd_models.py --make DIR --out DIR [NAME ...]

DIR of --make holds make_golden.py (../shared/fixtures/make), which does the work: the weights are random, Hugging Face
transformers computes the numbers in float32, seeds that hang on rounding are skipped. Made with transformers 5.23.0 and
torch 2.13.0. For the repository, hidden.* and greedy.gap are then left out of golden.safetensors.
"""
import argparse
import sys

ap = argparse.ArgumentParser()
ap.add_argument("--make", required=True)
ap.add_argument("--out", required=True)
ap.add_argument("names", nargs="*")
a = ap.parse_args()
sys.path.insert(0, a.make)
import make_golden as g  # noqa: E402

m = g.m
YARN = g.YARN
MLA = dict(num_attention_heads=3, num_key_value_heads=3, kv_lora_rank=36, qk_nope_head_dim=20, qk_rope_head_dim=12,
           v_head_dim=28)
MODELS = {
    "llama_odd": m("llama", "LlamaForCausalLM", hidden_size=60, intermediate_size=77, num_attention_heads=5,
      num_key_value_heads=1, head_dim=18, rope_theta=20000.0, attention_bias=True, mlp_bias=True,
      tie_word_embeddings_=True, rope_scaling=dict(rope_type="linear", factor=2.0), rms_norm_eps=1e-5),
    "mistral_odd": m("mistral", "MistralForCausalLM", hidden_size=48, intermediate_size=70, num_attention_heads=6,
      num_key_value_heads=3, head_dim=10, rope_theta=10000.0, sliding_window=7),
    "qwen2_swa": m("qwen2", "Qwen2ForCausalLM", intermediate_size=90, num_attention_heads=4, num_key_value_heads=1,
      rope_theta=1000000.0, sliding_window=9, use_sliding_window=True, max_window_layers=1,
      tie_word_embeddings_=True),
    "qwen2_yarn": m("qwen2", "Qwen2ForCausalLM", intermediate_size=90, num_attention_heads=4, num_key_value_heads=2,
      rope_theta=1000000.0, sliding_window=None, use_sliding_window=False, max_window_layers=3,
      rope_scaling=dict(type="yarn", factor=4.0, original_max_position_embeddings=64)),
    "qwen3_odd": m("qwen3", "Qwen3ForCausalLM", hidden_size=68, intermediate_size=100, num_attention_heads=6,
      num_key_value_heads=3, head_dim=22, rope_theta=1000000.0, rope_scaling=None, attention_bias=False,
      sliding_window=None, use_sliding_window=False, max_window_layers=3, tie_word_embeddings_=True),
    "mixtral_odd": m("mixtral", "MixtralForCausalLM", hidden_size=56, intermediate_size=50, num_attention_heads=4,
      num_key_value_heads=4, rope_theta=1000000.0, sliding_window=11, num_local_experts=7, num_experts_per_tok=3,
      output_router_logits=False, router_aux_loss_coef=0.02),
    "olmoe_odd": m("olmoe", "OlmoeForCausalLM", intermediate_size=36, num_attention_heads=4, num_key_value_heads=2,
      rope_theta=10000.0, rope_scaling=None, num_experts=11, num_experts_per_tok=5, norm_topk_prob=True, clip_qkv=0.8,
      attention_bias=False, output_router_logits=False, router_aux_loss_coef=0.01, rms_norm_eps=1e-5),
    "qwen2_moe_odd": m("qwen2_moe", "Qwen2MoeForCausalLM", num_hidden_layers_=4, intermediate_size=100,
      moe_intermediate_size=20, shared_expert_intermediate_size=44, num_attention_heads=4, num_key_value_heads=2,
      rope_theta=1000000.0, num_experts=9, num_experts_per_tok=2, norm_topk_prob=True, decoder_sparse_step=2,
      mlp_only_layers=[3], sliding_window=None, use_sliding_window=False, max_window_layers=3, qkv_bias=True,
      output_router_logits=False, router_aux_loss_coef=0.001),
    "qwen3_moe_odd": m("qwen3_moe", "Qwen3MoeForCausalLM", num_hidden_layers_=4, intermediate_size=100,
      moe_intermediate_size=24, num_attention_heads=3, num_key_value_heads=1, head_dim=26, rope_theta=1000000.0,
      rope_scaling=None, num_experts=13, num_experts_per_tok=3, norm_topk_prob=False, decoder_sparse_step=1,
      mlp_only_layers=[2], attention_bias=False, sliding_window=None, use_sliding_window=False, max_window_layers=3,
      output_router_logits=False, router_aux_loss_coef=0.001, tie_word_embeddings_=True),
    "deepseek_v2_odd": m("deepseek_v2", "DeepseekV2ForCausalLM", hidden_size=60, **MLA, q_lora_rank=None,
      intermediate_size=90, moe_intermediate_size=20, n_routed_experts=10, n_shared_experts=3, num_experts_per_tok=3,
      first_k_dense_replace=2, moe_layer_freq=1, norm_topk_prob=False, routed_scaling_factor=1.5,
      scoring_func="softmax", topk_method="greedy", n_group=1, topk_group=1, rope_theta=10000.0, rope_scaling=None,
      attention_bias=False),
    "deepseek_v3_odd": m("deepseek_v3", "DeepseekV3ForCausalLM", **MLA, q_lora_rank=44, intermediate_size=90,
      moe_intermediate_size=20, n_routed_experts=15, n_shared_experts=2, num_experts_per_tok=5,
      first_k_dense_replace=0, moe_layer_freq=1, norm_topk_prob=False, routed_scaling_factor=1.0,
      scoring_func="sigmoid", topk_method="noaux_tc", n_group=5, topk_group=3, ep_size=1, rope_theta=10000.0,
      rope_scaling=dict(YARN, mscale=1.0, mscale_all_dim=0.5, factor=3.0), attention_bias=False),
    "deepseek_v3_plain": m("deepseek_v3", "DeepseekV3ForCausalLM", **MLA, q_lora_rank=None, intermediate_size=90,
      moe_intermediate_size=20, n_routed_experts=7, n_shared_experts=1, num_experts_per_tok=2,
      first_k_dense_replace=1, moe_layer_freq=1, norm_topk_prob=True, routed_scaling_factor=2.0,
      scoring_func="sigmoid", topk_method="noaux_tc", n_group=1, topk_group=1, ep_size=1, rope_theta=10000.0,
      rope_scaling=None, attention_bias=False, tie_word_embeddings_=True),
    "glm4_moe_odd": m("glm4_moe", "Glm4MoeForCausalLM", intermediate_size=90, moe_intermediate_size=24,
      num_attention_heads=6, num_key_value_heads=2, head_dim=24, partial_rotary_factor=0.25, use_qk_norm=False,
      attention_bias=False, n_routed_experts=15, n_shared_experts=2, num_experts_per_tok=3, n_group=3, topk_group=2,
      first_k_dense_replace=2, norm_topk_prob=False, routed_scaling_factor=1.7, rope_theta=1000000.0,
      rope_scaling=None),
    "minimax_m2_odd": m("minimax_m2", "MiniMaxM2ForCausalLM", intermediate_size=44, num_attention_heads=6,
      num_key_value_heads=3, head_dim=20, rotary_dim=10, use_qk_norm=True, qk_norm_type="per_layer",
      num_local_experts=9, num_experts_per_tok=3, scoring_func="sigmoid", use_routing_bias=True,
      shared_intermediate_size=0, rope_theta=5000000, attn_type_list=[1, 1, 1], output_router_logits=False,
      router_aux_loss_coef=0.001),
    "hunyuan_odd": m("hunyuan_v1_moe", "HunYuanMoEV1ForCausalLM", hidden_size=56, intermediate_size=60,
      moe_intermediate_size=[60, 60, 60], num_attention_heads=6, num_key_value_heads=2, head_dim=14,
      attention_head_dim=14, use_qk_norm=True, use_mixed_mlp_moe=True, num_shared_expert=[1, 1, 1], num_experts=5,
      moe_topk=[3, 3, 3], use_cla=False, norm_type="rms", rope_theta=10000.0, rope_scaling=dict(type="dynamic",
      alpha=50.0, factor=1.0), attention_bias=False, mlp_bias=False),
    "gpt_oss_odd": m("gpt_oss", "GptOssForCausalLM", hidden_size=48, num_hidden_layers_=4, intermediate_size=40,
      num_attention_heads=6, num_key_value_heads=2, head_dim=20, num_local_experts=5, num_experts_per_tok=2,
      experts_per_token=2, sliding_window=5, swiglu_limit=7.0, attention_bias=True, rope_theta=150000,
      rope_scaling=dict(rope_type="yarn", factor=8.0, beta_fast=32.0, beta_slow=1.0,
      original_max_position_embeddings=64), output_router_logits=False, router_aux_loss_coef=0.9),
    "ernie4_5_odd": m("ernie4_5_moe", "Ernie4_5_MoeForCausalLM", num_hidden_layers_=5, intermediate_size=90,
      moe_intermediate_size=24, num_attention_heads=6, num_key_value_heads=1, head_dim=12, moe_num_experts=9, moe_k=3,
      moe_num_shared_experts=1, moe_layer_start_index=1, moe_layer_end_index=-1, moe_layer_interval=2,
      moe_use_aux_free=True, moe_norm_min=1e-12, moe_gate_act="softmax", use_bias=False, rope_theta=500000.0,
      tie_word_embeddings_=True),
}

g.torch.set_num_threads(1)
for name in a.names or MODELS:
    g.build(name, dict(MODELS[name], vocab_size=523), a.out, 300)
