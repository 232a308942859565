"""Arrays and tensors as the bytes that safetensors keeps: dtype, shape, and the elements row after row."""

from __future__ import annotations

import sys
from collections.abc import Callable
from math import prod
from typing import Any

from msgspec import Struct

from modelyard.formats.dtypes import WIDTHS
from modelyard.registry.errors import RegistryError

NAMES = {
    "bool": "BOOL", "uint8": "U8", "int8": "I8", "int16": "I16", "uint16": "U16", "float16": "F16",
    "bfloat16": "BF16", "int32": "I32", "uint32": "U32", "float32": "F32", "float64": "F64", "int64": "I64",
    "uint64": "U64", "complex64": "C64", "float8_e5m2": "F8_E5M2", "float8_e4m3fn": "F8_E4M3",
    "float8_e4m3fnuz": "F8_E4M3FNUZ", "float8_e5m2fnuz": "F8_E5M2FNUZ", "float8_e8m0fnu": "F8_E8M0",
}  # fmt: skip
"""What torch, numpy and ml_dtypes call what safetensors 0.8 has a name for."""
DTYPES = {ours: theirs for theirs, ours in NAMES.items()}


class Block(Struct, frozen=True):
    """An array that waits to be written: `data` gives its elements, row after row, little end first."""

    dtype: str
    shape: tuple[int, ...]
    data: Callable[[], memoryview]

    @property
    def size(self) -> int:
        """Bytes of its elements."""
        return prod(self.shape) * WIDTHS[self.dtype]


def is_tensor(value: object) -> bool:
    """Whether it is a torch tensor; torch is not imported to find out."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def is_array(value: object) -> bool:
    """Whether it is a numpy array or one of its scalars."""
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(value, numpy.ndarray | numpy.generic)


def block(name: str, value: Any) -> Block:
    """The block of a torch tensor, dense and with elements, or of a numpy array. RegistryError for what has none."""
    if is_tensor(value):
        return _of_tensor(name, value)
    if is_array(value):
        return _of_array(name, value)
    raise RegistryError(f"{name!r} is no tensor or array but {type(value).__name__}", "no-tensor")


def _of_tensor(name: str, value: Any) -> Block:
    if value.layout is not _torch().strided or value.is_quantized or value.is_meta:
        what = "on no device" if value.is_meta else "quantised" if value.is_quantized else str(value.layout)
        hint = "split it into dense tensors first: values and indices, or integers, scales and zero points"
        raise RegistryError(f"tensor {name!r} is {what}, which safetensors cannot hold", "unsupported-tensor", hint)
    dtype = _named(name, str(value.dtype).removeprefix("torch."))
    return Block(dtype, tuple(value.shape), lambda: _bytes_of(value))


def _bytes_of(value: Any) -> memoryview:
    flat = value.detach().resolve_conj().resolve_neg().cpu().contiguous().reshape(-1)
    return memoryview(flat.view(_torch().uint8).numpy()).cast("B") if flat.numel() else memoryview(b"")


def _of_array(name: str, value: Any) -> Block:
    if value.dtype.hasobject:
        hint = "make its elements numbers; objects would have to be executed to be read"
        raise RegistryError(f"array {name!r} holds objects", "unsupported-tensor", hint)
    return Block(_named(name, value.dtype.name), tuple(value.shape), lambda: _elements(value))


def _elements(value: Any) -> memoryview:
    import numpy

    little = value.dtype.newbyteorder("<") if value.dtype.byteorder == ">" else value.dtype
    flat = numpy.ascontiguousarray(value, dtype=little).reshape(-1)
    return memoryview(flat.view(numpy.uint8).data).cast("B") if flat.size else memoryview(b"")


def _named(name: str, dtype: str) -> str:
    if dtype not in NAMES:
        hint = "split it into dense parts of another dtype first"
        raise RegistryError(f"tensor {name!r} is {dtype}, which safetensors has not", "unsupported-tensor", hint)
    return NAMES[dtype]


def _torch() -> Any:
    return sys.modules["torch"]
