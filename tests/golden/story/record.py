#!/usr/bin/env python3
"""What exact arithmetic gives for models/story-moe-q8_0.gguf: a Qwen3-MoE in NumPy, float64.

    record.py MODEL.gguf OUT.safetensors [PUBLISHED_GOLDEN.safetensors]

Weights are read and dequantised by the Python package gguf, so nothing of Tutti is involved. Written are, for each
prompt, its ids, the logits at its last position (float32) and a greedy continuation of 24 ids with the gap to the
runner-up. With the third argument it also prints how far the answers are from those recorded for the published BF16
weights (a check of this script: run it on the BF16 conversion and the difference is rounding).
"""
import json
import struct
import sys

import numpy as np
from gguf import GGUFReader
from gguf.quants import dequantize

# The prompts of the published model's recording.
PROMPTS = [
    [0, 49, 80, 359, 540, 261, 574],
    [0, 462, 1726],
    [0, 920, 310, 261, 1073, 762, 14, 274, 262, 657, 1816, 289, 375, 28],
]


def read_safetensors(path):
    data = open(path, "rb").read()
    n = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8 : 8 + n])
    kinds = {"F32": np.float32, "I32": np.int32}
    out = {}
    for name, entry in header.items():
        if name != "__metadata__":
            begin, end = entry["data_offsets"]
            out[name] = np.frombuffer(data[8 + n + begin : 8 + n + end], kinds[entry["dtype"]]).reshape(entry["shape"])
    return out


def write_safetensors(path, tensors, metadata):
    header, body = {"__metadata__": metadata}, b""
    for name, x in tensors.items():
        raw = x.tobytes()
        kind = {"float32": "F32", "int32": "I32"}[x.dtype.name]
        header[name] = {"dtype": kind, "shape": list(x.shape), "data_offsets": [len(body), len(body) + len(raw)]}
        body += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    open(path, "wb").write(struct.pack("<Q", len(text)) + text + body)


class Model:
    def __init__(self, path):
        reader = GGUFReader(path)
        get = lambda key: reader.fields["qwen3moe." + key].contents()
        self.layers, self.heads, self.kv_heads = get("block_count"), get("attention.head_count"), get("attention.head_count_kv")
        self.head_dim, self.used = get("attention.key_length"), get("expert_used_count")
        self.theta, self.eps = get("rope.freq_base"), get("attention.layer_norm_rms_epsilon")
        self.w = {t.name: dequantize(t.data, t.tensor_type).astype(np.float64) for t in reader.tensors}

    def norm(self, x, name):
        return x / np.sqrt((x * x).mean(-1, keepdims=True) + self.eps) * self.w[name + ".weight"]

    def rope(self, x):  # [positions, heads, head_dim]
        half = self.head_dim // 2
        angle = np.arange(len(x))[:, None] * self.theta ** (-np.arange(half) / half)
        cos, sin = np.cos(angle)[:, None], np.sin(angle)[:, None]
        a, b = x[..., :half], x[..., half:]
        return np.concatenate([a * cos - b * sin, b * cos + a * sin], -1)

    def attention(self, x, p):
        n = len(x)
        q, k, v = ((x @ self.w[f"{p}attn_{c}.weight"].T).reshape(n, -1, self.head_dim) for c in "qkv")
        q, k = self.rope(self.norm(q, p + "attn_q_norm")), self.rope(self.norm(k, p + "attn_k_norm"))
        out = np.zeros_like(q)
        for h in range(self.heads):
            g = h // (self.heads // self.kv_heads)
            score = q[:, h] @ k[:, g].T / np.sqrt(self.head_dim)
            score[np.triu_indices(n, 1)] = -np.inf
            weight = np.exp(score - score.max(-1, keepdims=True))
            out[:, h] = weight / weight.sum(-1, keepdims=True) @ v[:, g]
        return out.reshape(n, -1) @ self.w[p + "attn_output.weight"].T

    def experts(self, x, p):
        score = x @ self.w[p + "ffn_gate_inp.weight"].T
        score = np.exp(score - score.max(-1, keepdims=True))
        score /= score.sum(-1, keepdims=True)
        out = np.zeros_like(x)
        for t in range(len(x)):
            chosen = np.argsort(-score[t], kind="stable")[: self.used]
            for e in chosen:
                gate, up = (self.w[f"{p}ffn_{c}_exps.weight"][e] @ x[t] for c in ("gate", "up"))
                y = self.w[p + "ffn_down_exps.weight"][e] @ (gate / (1 + np.exp(-gate)) * up)
                out[t] += score[t, e] / score[t, chosen].sum() * y
        return out

    def logits(self, ids):
        x = self.w["token_embd.weight"][np.array(ids)]
        for i in range(self.layers):
            p = f"blk.{i}."
            x = x + self.attention(self.norm(x, p + "attn_norm"), p)
            x = x + self.experts(self.norm(x, p + "ffn_norm"), p)
        return self.norm(x, "output_norm") @ self.w["token_embd.weight"].T


def main():
    model, golden = Model(sys.argv[1]), read_safetensors(sys.argv[3]) if len(sys.argv) > 3 else {}
    out = {}
    for i, prompt in enumerate(PROMPTS):
        logits = model.logits(prompt)
        if golden:
            recorded = golden[f"prompt.{i}.logits"]
            assert golden[f"prompt.{i}.ids"].tolist() == prompt
            error = np.abs(logits - recorded).max(-1) / (recorded.max() - recorded.min())
            print(f"prompt {i}: largest difference per position, of the range:", " ".join(f"{e:.1e}" for e in error))
        ids, gaps = list(prompt), []
        for _ in range(24):
            last = model.logits(ids)[-1]
            best = np.argsort(-last)[:2]
            gaps.append(last[best[0]] - last[best[1]])
            ids.append(int(best[0]))
        out[f"prompt.{i}.ids"] = np.array(prompt, np.int32)
        out[f"prompt.{i}.logits"] = logits[-1:].astype(np.float32)
        out[f"greedy.{i}.ids"] = np.array(ids[len(prompt) :], np.int32)
        out[f"greedy.{i}.gap"] = np.array(gaps, np.float32)
        print(f"greedy {i}: smallest gap {min(gaps):.3f}", ids[len(prompt) :])
    write_safetensors(sys.argv[2], out, {"recorded_by": "tests/golden/story/record.py", "arithmetic": "float64"})


main()
