"""How many bytes an element takes, by the one set of dtype names that headers use."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

WIDTHS = {
    "F64": 8, "F32": 4, "F16": 2, "BF16": 2, "F8_E4M3": 1, "F8_E5M2": 1, "F8_E4M3FNUZ": 1, "F8_E5M2FNUZ": 1,
    "F8_E8M0": 1, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U64": 8, "U32": 4, "U16": 2, "U8": 1, "BOOL": 1,
    "C64": 8, "C128": 16, "QI8": 1, "QU8": 1, "QI32": 4, "F128": 16,
}  # fmt: skip
"""Bytes of one element."""
BLOCKS = {
    "Q4_0": (32, 18), "Q4_1": (32, 20), "Q5_0": (32, 22), "Q5_1": (32, 24), "Q8_0": (32, 34), "Q8_1": (32, 40),
    "Q2_K": (256, 84), "Q3_K": (256, 110), "Q4_K": (256, 144), "Q5_K": (256, 176), "Q6_K": (256, 210),
    "Q8_K": (256, 292), "IQ2_XXS": (256, 66), "IQ2_XS": (256, 74), "IQ3_XXS": (256, 98), "IQ1_S": (256, 50),
    "IQ4_NL": (32, 18), "IQ3_S": (256, 110), "IQ2_S": (256, 82), "IQ4_XS": (256, 136), "IQ1_M": (256, 56),
    "TQ1_0": (256, 54), "TQ2_0": (256, 66), "MXFP4": (32, 17), "NVFP4": (64, 36), "Q1_0": (128, 18),
    "Q4_2": (16, 10), "Q4_3": (16, 12), "F4": (2, 1), "I4": (2, 1), "U4": (2, 1), "I2": (4, 1), "U2": (4, 1),
    "F6_E2M3": (4, 3), "F6_E3M2": (4, 3),
}  # fmt: skip
"""Elements and bytes of one block, from ggml's quantisation types and from types narrower than a byte."""
NUMPY = {
    "f8": "F64", "f4": "F32", "f2": "F16", "i8": "I64", "i4": "I32", "i2": "I16", "i1": "I8", "u8": "U64", "u4": "U32",
    "u2": "U16", "u1": "U8", "b1": "BOOL", "c8": "C64", "c16": "C128", "f16": "F128", "?": "BOOL",
}  # fmt: skip
"""What numpy's short codes mean."""


def size_of(dtype: str, shape: Sequence[int]) -> int:
    """Bytes of an array: whole blocks a row for quantised types. ValueError for a dtype nobody knows."""
    elements = prod(shape)
    if dtype in WIDTHS:
        return elements * WIDTHS[dtype]
    if dtype not in BLOCKS:
        raise ValueError(f"no dtype is called {dtype[:40]!r}")
    block, taken = BLOCKS[dtype]
    return (elements + block - 1) // block * taken


def of_numpy(code: str) -> tuple[str, int]:
    """The dtype and bytes of an element for a code such as `<f4`; the code itself where it is no plain number.

    ValueError for what is no code.
    """
    plain = code.lstrip("<>|=")
    if plain in NUMPY:
        dtype = NUMPY[plain]
        return dtype, WIDTHS[dtype]
    if plain[:1] in ("S", "U", "V", "M", "m", "O", "a") and (plain[1:].split("[")[0].isdecimal() or len(plain) == 1):
        width = int(plain[1:].split("[")[0] or "8") if len(plain) < 12 else 0
        return plain, 4 * width if plain[0] == "U" else width
    raise ValueError(f"no dtype of numpy is called {code[:40]!r}")
