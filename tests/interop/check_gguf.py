#!/usr/bin/env python3
"""Files written by Tutti's GGUF writer in the `gguf` package's reader.

    check_gguf.py PROGRAM FOLDER SHARED

PROGRAM is gguf_interop (beside this file), FOLDER is for its files, SHARED the shared fixtures.
Exit code 77 where the package is not there: CTest shows the check as skipped.
"""
import importlib.metadata
import math
import pathlib
import subprocess
import sys

try:
    import gguf
    import numpy as np
except ImportError as error:
    print(f"SKIPPED: {error}; this check did not run (pip install gguf)", file=sys.stderr)
    sys.exit(77)

T = gguf.GGUFValueType
Q = gguf.GGMLQuantizationType

# What tests/gguf_example.h sets: key -> kind (and kind of element), value.
SCALARS = {
    "general.architecture": (T.STRING, "example"),
    "example.u8": (T.UINT8, 255),
    "example.i8": (T.INT8, -128),
    "example.u16": (T.UINT16, 65535),
    "example.i16": (T.INT16, -32768),
    "example.u32": (T.UINT32, 2**32 - 1),
    "example.i32": (T.INT32, -2**31),
    "example.f32": (T.FLOAT32, float(np.float32(0.1))),
    "example.bool": (T.BOOL, True),
    "example.string": (T.STRING, "tutti: \u266b\n"),
    "example.u64": (T.UINT64, 2**64 - 1),
    "example.i64": (T.INT64, -2**63),
    "example.f64": (T.FLOAT64, 0.1),
    "tokenizer.ggml.model": (T.STRING, "gpt2"),
    "tokenizer.ggml.pre": (T.STRING, "qwen2"),
    "tokenizer.ggml.bos_token_id": (T.UINT32, 0),
    "tokenizer.ggml.eos_token_id": (T.UINT32, 0),
    "tokenizer.ggml.padding_token_id": (T.UINT32, 7),
    "tokenizer.ggml.add_bos_token": (T.BOOL, False),
    "tokenizer.ggml.add_eos_token": (T.BOOL, False),
    "tokenizer.ggml.add_space_prefix": (T.BOOL, False),
    "tokenizer.ggml.remove_extra_whitespaces": (T.BOOL, False),
    "tokenizer.chat_template": (T.STRING, "{{ messages }}\n"),
}
LISTS = {
    "example.list.u8": (T.UINT8, [0, 255]),
    "example.list.i8": (T.INT8, [-128, 127]),
    "example.list.u16": (T.UINT16, [0, 65535]),
    "example.list.i16": (T.INT16, [-32768, 32767]),
    "example.list.u32": (T.UINT32, [0, 2**32 - 1]),
    "example.list.i32": (T.INT32, [-1, 2**31 - 1]),
    "example.list.f32": (T.FLOAT32, [0.5, float(np.float32(-0.1))]),
    "example.list.bool": (T.BOOL, [True, False, True]),
    "example.list.string": (T.STRING, ["", "two", "\u266b"]),
    "example.list.u64": (T.UINT64, [0, 2**62]),
    "example.list.i64": (T.INT64, [-1, 2**62]),
    "example.list.f64": (T.FLOAT64, [0.1, -1e300]),
    "tokenizer.ggml.tokens": (T.STRING, ["<|end of text|>", "a", "b", "\u0120", "ab", "\u0120a",
                                         "<|im_end|>", "<added>"]),
    "tokenizer.ggml.token_type": (T.INT32, [3, 1, 1, 1, 1, 1, 3, 4]),
    "tokenizer.ggml.merges": (T.STRING, ["a b", "\u0120 a"]),
}
# Outermost dimension first.
TENSORS = [
    ("f32.weight", Q.F32, [3, 5]), ("f16.weight", Q.F16, [7]), ("bf16.weight", Q.BF16, [2, 3, 4]),
    ("q8_0.weight", Q.Q8_0, [3, 64]), ("q4_k.weight", Q.Q4_K, [2, 256]),
    ("iq4_nl.weight", Q.IQ4_NL, [32]), ("mxfp4.weight", Q.MXFP4, [2, 2, 32]),
    ("i32.weight", Q.I32, [1, 1, 2, 3]), ("f64.weight", Q.F64, [1]), ("i8.weight", Q.I8, [9]),
]
# A file written without these means the same as one with what the writer always sets.
ALWAYS_WRITTEN = {"tokenizer.ggml.add_bos_token", "tokenizer.ggml.add_eos_token",
                  "tokenizer.ggml.add_space_prefix", "tokenizer.ggml.remove_extra_whitespaces"}

checks = 0


def check(ok, what):
    global checks
    checks += 1
    if not ok:
        sys.exit(f"check_gguf: {what}")


def fields(reader):
    return {name: field for name, field in reader.fields.items() if not name.startswith("GGUF.")}


def data_bytes(tensor):
    return np.ascontiguousarray(tensor.data).tobytes()


def check_example(path):
    reader = gguf.GGUFReader(path)
    found = fields(reader)
    check(set(found) == set(SCALARS) | set(LISTS), f"keys differ: {set(found) ^ (set(SCALARS) | set(LISTS))}")
    for key, (kind, value) in SCALARS.items():
        check(found[key].types == [kind], f"{key}: kind {found[key].types}")
        check(found[key].contents() == value, f"{key}: {found[key].contents()!r}")
    for key, (kind, value) in LISTS.items():
        check(found[key].types == [T.ARRAY, kind], f"{key}: kind {found[key].types}")
        check(found[key].contents() == value, f"{key}: {found[key].contents()!r}")
    check([t.name for t in reader.tensors] == [name for name, _, _ in TENSORS], "tensor names")
    for k, (tensor, (name, kind, shape)) in enumerate(zip(reader.tensors, TENSORS)):
        check(tensor.tensor_type == kind, f"{name}: type {tensor.tensor_type}")
        check(tensor.shape.tolist() == shape[::-1], f"{name}: shape {tensor.shape}")
        expected = bytes((37 * i + 11 * k) & 255 for i in range(tensor.n_bytes))
        check(data_bytes(tensor) == expected, f"{name}: data")
        check(tensor.data_offset % 32 == 0, f"{name}: alignment")


def same(a, b):
    if isinstance(a, float) or isinstance(b, float):
        return math.isclose(a, b, rel_tol=0, abs_tol=0) or (math.isnan(a) and math.isnan(b))
    return a == b


def check_copy(original_path, copy_path):
    original, copy = gguf.GGUFReader(original_path), gguf.GGUFReader(copy_path)
    a, b = fields(original), fields(copy)
    check(set(a) <= set(b), f"{original_path.name}: keys lost: {set(a) - set(b)}")
    check(set(b) - set(a) <= ALWAYS_WRITTEN, f"{original_path.name}: keys added: {set(b) - set(a)}")
    for key in a:
        check(same(a[key].contents(), b[key].contents()), f"{original_path.name}: {key} differs")
    theirs = {t.name: t for t in original.tensors}
    check(sorted(theirs) == sorted(t.name for t in copy.tensors), f"{original_path.name}: tensors")
    for tensor in copy.tensors:
        other = theirs[tensor.name]
        check(tensor.tensor_type == other.tensor_type, f"{tensor.name}: type")
        check(tensor.shape.tolist() == other.shape.tolist(), f"{tensor.name}: shape")
        check(data_bytes(tensor) == data_bytes(other), f"{original_path.name}: {tensor.name}: data")


def main():
    program, folder, shared = sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
    folder.mkdir(parents=True, exist_ok=True)
    example = folder / "example.gguf"
    subprocess.run([program, "example", example], check=True)
    check_example(example)
    files = sorted((shared / "fixtures/gguf").glob("*.gguf"))
    files += sorted((shared / "fixtures/tokenizers/ggml-vocab").glob("*.gguf"))
    # Small ones of every kind; the rest is more of the same.
    chosen = [f for f in files if f.stem in ("qwen3_moe", "gpt_oss_mxfp4", "llama_wide-Q4_K_M", "mimo_v2_flash",
                                             "llama_wide-IQ4_XS", "ggml-vocab-llama-spm")]
    if not chosen:
        print(f"SKIPPED: no GGUF files below {shared}; only the example was checked", file=sys.stderr)
    for path in chosen:
        copy = folder / path.name
        subprocess.run([program, "copy", path, copy], check=True)
        check_copy(path, copy)
        copy.unlink()
    version = importlib.metadata.version("gguf")
    print(f"gguf {version}: example and {len(chosen)} copies, {checks} checks passed")


if __name__ == "__main__":
    main()
