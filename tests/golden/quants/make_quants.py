#!/usr/bin/env python3
"""Records what the Python packages `gguf` and `ml_dtypes` make of block formats and small floats.

Writes blocks.safetensors beside this script: per type `<TYPE>.raw` (random bytes with sane scales,
then bytes of any kind) and `<TYPE>.f32` (what gguf decodes them to), and for the types that gguf
can encode `input`, `<TYPE>.encoded`; for 8-bit floats every code point and an encoding of `input8`
(ml_dtypes makes NaN of what is too large for E4M3, where Tutti and torch saturate).
Deterministic for given package versions. Recorded with gguf 0.19.0, ml_dtypes 0.6.0, numpy 2.4.6.
"""
import json
import pathlib

import gguf.quants
import ml_dtypes
import numpy as np
from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType as Type

COLS = 512
# Offsets of the f16 fields in a block.
F16_FIELDS = {
    "Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0],
    "Q2_K": [80, 82], "Q3_K": [108], "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208],
    "IQ4_NL": [0], "IQ4_XS": [0], "TQ1_0": [52], "TQ2_0": [64], "IQ2_XXS": [0], "IQ2_XS": [0],
    "IQ2_S": [0], "IQ3_XXS": [0], "IQ3_S": [0], "IQ1_S": [0], "IQ1_M": [], "MXFP4": [],
    "NVFP4": [], "F16": [], "BF16": [],
}
ENCODED = ["F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "TQ1_0", "TQ2_0", "MXFP4"]
NAMES = {"uint8": "U8", "float32": "F32"}


def raw_rows(name, rng):
    block_size, block_bytes = GGML_QUANT_SIZES[Type[name]]
    raw = rng.integers(0, 256, (3, COLS // block_size, block_bytes), dtype=np.uint8)
    for offset in F16_FIELDS[name]:
        scale = np.exp(rng.normal(-4, 1.5, raw.shape[1])).astype("<f2")
        raw[0, :, offset:offset + 2] = scale.view(np.uint8).reshape(-1, 2)
        raw[1, :, offset:offset + 2] = np.array([0x8001], "<u2").view(np.uint8)  # -2^-24
    return raw.reshape(3, -1)  # the last row is random altogether


def inputs(rng):
    ramp = np.arange(COLS)
    ternary = rng.integers(-1, 2, COLS) * 0.75
    rows = [rng.normal(0, 1, COLS), rng.normal(0, 1e-6, COLS), rng.normal(0, 1, COLS) ** 3,
            (ramp % 33 - 16) * 0.5, ternary, np.where(ramp < 256, 0.0, -0.3)]
    return np.stack(rows).astype(np.float32)


def main():
    rng = np.random.default_rng(3)
    tensors = {}
    for name in F16_FIELDS:
        raw = raw_rows(name, rng)
        with np.errstate(all="ignore"):
            tensors[f"{name}.raw"] = raw
            tensors[f"{name}.f32"] = gguf.quants.dequantize(raw, Type[name]).astype(np.float32)
    tensors["input"] = inputs(rng)
    for name in ENCODED:
        encoded = gguf.quants.quantize(tensors["input"], Type[name])
        tensors[f"{name}.encoded"] = np.ascontiguousarray(encoded).view(np.uint8)
    codes = np.arange(256, dtype=np.uint8)
    input8 = np.concatenate([
        rng.normal(0, 1, 600), rng.normal(0, 300, 300), rng.normal(0, 3e4, 100), rng.normal(0, 1e-3, 400),
        rng.normal(0, 1e-5, 200), [0.0, -0.0, 448, 464, 465, 480, 57344, 61439, 61440, 1e38, -1e38,
                                   2.0 ** -10, 3 * 2.0 ** -10, 2.0 ** -17, 3 * 2.0 ** -17,
                                   np.inf, -np.inf, np.nan]]).astype(np.float32)
    tensors["input8"] = input8
    for name, dtype in (("F8_E4M3", ml_dtypes.float8_e4m3fn), ("F8_E5M2", ml_dtypes.float8_e5m2)):
        tensors[f"{name}.f32"] = codes.view(dtype).astype(np.float32)
        with np.errstate(all="ignore"):
            tensors[f"{name}.encoded"] = input8.astype(dtype).view(np.uint8)

    header, blobs, at = {}, [], 0
    for name, array in tensors.items():
        blob = np.ascontiguousarray(array).tobytes()
        header[name] = {"dtype": NAMES[array.dtype.name], "shape": list(array.shape),
                        "data_offsets": [at, at + len(blob)]}
        blobs.append(blob)
        at += len(blob)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path = pathlib.Path(__file__).with_name("blocks.safetensors")
    path.write_bytes(len(text).to_bytes(8, "little") + text + b"".join(blobs))


if __name__ == "__main__":
    main()
