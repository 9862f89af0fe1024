#!/usr/bin/env python3
"""The embedded model against the published one, with the `gguf` package's reader and its own Q8_0 encoder.

    check_story.py MODEL.gguf PUBLISHED_FOLDER

Every tensor must be byte for byte what the package makes of the published weights. Exit code 77 where the package or
the folder is not there: CTest shows the check as skipped.
"""
import json
import pathlib
import struct
import sys

try:
    import gguf
    import numpy as np
    from gguf.quants import quantize
except ImportError as error:
    print(f"SKIPPED: {error}; this check did not run (pip install gguf)", file=sys.stderr)
    sys.exit(77)

NAMES = {
    "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj", "attn_q_norm": "self_attn.q_norm", "attn_k_norm": "self_attn.k_norm",
    "attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm", "ffn_gate_inp": "mlp.gate",
}


class Published:
    def __init__(self, path):
        self.data = path.read_bytes()
        n = struct.unpack("<Q", self.data[:8])[0]
        self.header, self.base = json.loads(self.data[8 : 8 + n]), 8 + n

    def __call__(self, name):
        entry = self.header[name + ".weight"]
        begin, end = entry["data_offsets"]
        raw = self.data[self.base + begin : self.base + end]
        assert entry["dtype"] == "BF16", entry
        return (np.frombuffer(raw, np.uint16).astype(np.uint32) << 16).view(np.float32).reshape(entry["shape"])


def published_values(get, tensor, experts):
    if tensor == "token_embd.weight":
        return get("model.embed_tokens")
    if tensor == "output_norm.weight":
        return get("model.norm")
    _, layer, part, _ = tensor.split(".")
    prefix = f"model.layers.{layer}."
    if part.endswith("_exps"):
        kind = part[len("ffn_") : -len("_exps")]
        return np.stack([get(f"{prefix}mlp.experts.{e}.{kind}_proj") for e in range(experts)])
    return get(prefix + NAMES[part])


def main():
    model, folder = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    if not folder.exists():
        print(f"SKIPPED: {folder} is not there; this check did not run", file=sys.stderr)
        return 77
    reader, get = gguf.GGUFReader(model), Published(folder / "model.safetensors")
    experts = reader.fields["qwen3moe.expert_count"].contents()
    wrong = []
    for tensor in reader.tensors:
        values = np.ascontiguousarray(published_values(get, tensor.name, experts))
        if tensor.tensor_type == gguf.GGMLQuantizationType.Q8_0:
            values = quantize(values, tensor.tensor_type)
        if np.asarray(tensor.data).tobytes() != values.tobytes():
            wrong.append(tensor.name)
    print(f"{len(reader.tensors)} tensors, {len(wrong)} different", *wrong)
    return 1 if wrong or len(reader.tensors) != 50 else 0


sys.exit(main())
