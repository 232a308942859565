"""Values that are neither containers nor arrays as JSON, exactly: what JSON has not is an object with a `$`."""

from __future__ import annotations

import base64
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
TAG = "$"
LONGEST = 1 << 63
"""Integers from here on are written as text: not every reader of JSON takes them."""


def tagged(kind: str, **fields: Json) -> Json:
    """A value of a kind that JSON has not."""
    return {TAG: kind, **fields}


def scalar(value: object) -> Json | None:
    """The JSON of a plain value, None where it is no such (None itself is the caller's)."""
    kind = type(value)
    write = PLAIN.get(kind)
    if write is not None:
        return write(value)
    return _of_torch(value) if kind.__module__ == "torch" else _of_numpy(value)


def _text(value: Any) -> Json:
    try:
        value.encode()
    except UnicodeEncodeError:  # half of a surrogate pair: two halves side by side would be read as one character
        return tagged("str", base64=_base64(value.encode("utf-8", "surrogatepass")))
    return str(value)


def _integer(value: Any) -> Json:
    return int(value) if -LONGEST <= value < LONGEST else tagged("int", hex=hex(value))


def _float(value: Any) -> Json:
    return float(value) if math.isfinite(value) else tagged("float", value=repr(float(value)))


def _complex(value: Any) -> Json:
    return tagged("complex", value=[_float(value.real), _float(value.imag)])


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _path(value: Any) -> Json:
    return tagged("path", value=_text(str(value)))


PLAIN: dict[type, Callable[[Any], Json]] = {
    bool: bool,
    str: _text,
    int: _integer,
    float: _float,
    complex: _complex,
    bytes: lambda value: tagged("bytes", base64=_base64(value)),
    bytearray: lambda value: tagged("bytearray", base64=_base64(bytes(value))),
    type(Path()): _path,
}


def _of_torch(value: object) -> Json | None:
    import torch

    if isinstance(value, torch.dtype):
        return tagged("torch.dtype", name=str(value).removeprefix("torch."))
    if isinstance(value, torch.device):
        return tagged("torch.device", name=str(value))
    if isinstance(value, torch.Size):
        return tagged("torch.Size", items=list(value))
    return None


def _of_numpy(value: object) -> Json | None:
    """A numpy scalar by its dtype and its value; wide floats differ from machine to machine and are none."""
    numpy = sys.modules.get("numpy")
    if numpy is None or not isinstance(value, numpy.generic):
        return None
    dtype = value.dtype
    if dtype.kind in "biufc" and dtype.name not in ("longdouble", "clongdouble", "float128", "complex256"):
        return tagged("numpy", dtype=dtype.str, value=scalar(value.item()))
    return tagged("numpy", dtype=dtype.str, value=int(value.astype("i8"))) if dtype.kind in "mM" else None


def read_scalar(kind: str, fields: dict[str, Json]) -> object:
    """The value of an object with a `$`. KeyError for a kind that is none, TypeError and ValueError for bad fields."""
    return READERS[kind](fields)


def _bytes(fields: Any) -> bytes:
    return base64.b64decode(fields["base64"], validate=True)


def _read_float(fields: Any) -> float:
    return {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}[fields["value"]]


def _part(value: Any) -> float:
    return _read_float(value) if isinstance(value, dict) else float(value)


def _read_complex(fields: Any) -> complex:
    real, imaginary = fields["value"]
    return complex(_part(real), _part(imaginary))


def _read_dtype(fields: Any) -> object:
    import torch

    found = getattr(torch, str(fields["name"]), None)
    if not isinstance(found, torch.dtype):
        raise ValueError(f"torch has no dtype {fields['name']!r}")
    return found


def _read_device(fields: Any) -> object:
    import torch

    try:
        return torch.device(str(fields["name"]))
    except RuntimeError as error:
        raise ValueError(str(error)) from error


def _read_size(fields: Any) -> object:
    import torch

    return torch.Size(int(each) for each in fields["items"])


def _read_numpy(fields: Any) -> object:
    import numpy

    dtype, value = numpy.dtype(str(fields["dtype"])), fields["value"]
    if dtype.kind not in "biufcmM":
        raise ValueError(f"no scalar has dtype {dtype}")
    plain = read_scalar(str(value[TAG]), value) if isinstance(value, dict) else value
    if dtype.kind in "mM":
        return numpy.int64(int(value)).astype(dtype)
    return dtype.type(plain)


def _read_path(fields: Any) -> object:
    value = fields["value"]
    return Path(str(read_scalar(value[TAG], value) if isinstance(value, dict) else value))


READERS: dict[str, Callable[[Any], object]] = {
    "str": lambda fields: _bytes(fields).decode("utf-8", "surrogatepass"),
    "int": lambda fields: int(str(fields["hex"]), 16),
    "float": _read_float,
    "complex": _read_complex,
    "bytes": _bytes,
    "bytearray": lambda fields: bytearray(_bytes(fields)),
    "path": _read_path,
    "numpy": _read_numpy,
    "torch.dtype": _read_dtype,
    "torch.device": _read_device,
    "torch.Size": _read_size,
}
