"""The arrays of one part of a checkpoint by name, on their way into a safetensors file and out of it.

Names are those that the state dict has, so that any other program finds a model's weights under them.
"""

from __future__ import annotations

import base64
import sys
from collections.abc import Hashable, Mapping
from typing import Any, Literal

from msgspec.structs import replace

from modelyard.formats.header import Header
from modelyard.registry.blocks import NAMES, block, is_tensor
from modelyard.registry.checkpoints.errors import DamagedError, UnsaveableError
from modelyard.registry.checkpoints.nested import Path
from modelyard.registry.checkpoints.scalars import Json, tagged
from modelyard.registry.tensors import Readable, read

RESERVED = "__metadata__"
HALVES = {"complex128": "float64", "complex32": "float16"}
"""What safetensors has no name for as pairs of what it has."""
PACKED = ("float4_e2m1fn_x2", "bits8")
"""Torch's dtypes of one byte that safetensors has no name for, which are kept as bytes."""
DATES = "mM"
Devices = str | Mapping[str, str] | None


class Writing:
    """Collects arrays under names of their own; the same memory is kept once."""

    def __init__(self) -> None:
        self.arrays: dict[str, Any] = {}
        self.tied: dict[str, str] = {}
        """Other names of an array that is kept under a first one."""
        self._known: dict[Hashable, str] = {}

    def put(self, path: Path, value: object) -> Json:
        """Takes a torch tensor or a numpy array; None for what is neither. UnsaveableError for one without data."""
        if is_tensor(value):
            return self._put_tensor(path, value)
        numpy = sys.modules.get("numpy")
        if numpy is not None and type(value) is numpy.ndarray:
            return self._put_array(path, value)
        return None

    def _put_tensor(self, path: Path, value: Any) -> Json:
        torch = sys.modules["torch"]
        if type(value) not in (torch.Tensor, torch.nn.Parameter, torch.nn.Buffer):
            what = f"{'.'.join(path)} is a {type(value).__name__}, a tensor of another kind"
            raise UnsaveableError(what, "no-data", "gather what is sharded over processes into whole tensors first")
        dtype = str(value.dtype).removeprefix("torch.")
        fields: dict[str, Json] = {}
        if dtype not in NAMES:
            fields["dtype"] = dtype
        if value.device.type != "cpu":
            fields["device"] = str(value.device)
        if type(value) is torch.nn.Parameter:
            fields["parameter"] = True
        if value.requires_grad:
            fields["grad"] = True
        self._check(path, value, dtype)
        return tagged("tensor", name=self._named(path, _memory(value), _plain(value.detach(), dtype)), **fields)

    def _check(self, path: Path, value: Any, dtype: str) -> None:
        """UnsaveableError where it has no dense elements that a file could hold."""
        torch = sys.modules["torch"]
        where, hint = ".".join(path), "split it into dense tensors first"
        what = "sparse" if value.layout is not torch.strided else "on the meta device" if value.is_meta else ""
        if what or value.is_quantized or dtype not in (*NAMES, *HALVES, *PACKED):
            raise UnsaveableError(f"{where} is {what or dtype}, which safetensors cannot hold", "no-data", hint)

    def _put_array(self, path: Path, value: Any) -> Json:
        if value.dtype.kind not in "biufcmM" or (value.dtype.itemsize > 8 and value.dtype.name != "complex128"):
            where = f"{'.'.join(path)} is an array of {value.dtype}, which differs from machine to machine or is code"
            raise UnsaveableError(where, "no-data", "make its elements numbers of at most 8 bytes")
        memory = (value.__array_interface__["data"][0], value.shape, value.strides, value.dtype.str, value.size)
        here = value if value.flags.c_contiguous else value.copy()
        if value.dtype.kind in DATES:
            here = here.astype(value.dtype.newbyteorder("=")).view("i8")
        elif value.dtype.name == "complex128":
            here = here.reshape(*value.shape, 1).view(value.real.dtype)
        return tagged("array", name=self._named(path, memory, here), dtype=value.dtype.str)

    def _named(self, path: Path, memory: Hashable, value: object) -> str:
        """The name under which it lies; for memory that is here already the name that it has."""
        name, number = ".".join(path) or "value", 1
        base = name = name.encode("utf-8", "backslashreplace").decode()
        while name in self.arrays or name in self.tied or name == RESERVED:
            number += 1
            name = f"{base}~{number}"
        if memory in self._known:
            self.tied[name] = self._known[memory]
            return self._known[memory]
        self.arrays[name] = value
        if memory[-1]:  # type: ignore[index]
            self._known[memory] = name
        return name


def _memory(value: Any) -> Hashable:
    """What two tensors have in common that are the same one; the last is how many elements."""
    place = (str(value.device), value.untyped_storage().data_ptr(), value.storage_offset())
    flags = (value.is_conj(), value.is_neg())
    return (*place, flags, str(value.dtype), tuple(value.shape), value.stride(), value.numel())


def _plain(value: Any, dtype: str) -> Any:
    """The tensor in a dtype that safetensors has: the same bytes."""
    torch = sys.modules["torch"]
    if dtype in HALVES:
        return torch.view_as_real(value.resolve_conj())
    return value.view(torch.uint8) if dtype in PACKED else value


class Inline:
    """Puts small arrays into the JSON itself."""

    @staticmethod
    def put(path: Path, value: object) -> Json:
        """The array as text."""
        shelf = Writing()
        found = shelf.put(path, value)
        for name, array in shelf.arrays.items() if isinstance(found, dict) else ():
            made = block(name, array)
            text = base64.b64encode(made.data()).decode()
            found = {**found, "base64": text, "code": made.dtype, "shape": list(made.shape)}  # type: ignore[dict-item]
        return found


class Reading:
    """Finds arrays in a file that is mapped, or in the JSON itself."""

    def __init__(self, header: Header | None, data: Readable | None, devices: Devices, *, copy: bool) -> None:
        self._places = {each.name: each for each in header.tensors} if header else {}
        self._header, self._data, self._devices, self._copy = header, data, devices, copy
        self._made: dict[tuple[str, bool], Any] = {}

    def get(self, fields: dict[str, Any]) -> Any:
        """The array that JSON stands for. The same name twice is the same array."""
        name, kind = str(fields["name"]), "torch" if fields["$"] == "tensor" else "numpy"
        key = (name, kind == "torch")
        if "base64" in fields:
            return _finished(self._inline(fields, kind), fields, None)  # type: ignore[arg-type]
        if key not in self._made:
            if name not in self._places or self._header is None or self._data is None:
                raise DamagedError(f"there is no tensor {name!r}", "damaged")
            alone = replace(self._header, tensors=(self._places[name],))
            found = read(alone, self._data, kind)[name]  # type: ignore[arg-type]
            if self._copy:
                found = found.clone() if kind == "torch" else found.copy()
            self._made[key] = _finished(found, fields, self._devices)
        return self._made[key]

    def _inline(self, fields: dict[str, Any], kind: Literal["torch", "numpy"]) -> Any:
        from modelyard.formats.header import Tensor

        data = bytearray(base64.b64decode(fields["base64"], validate=True))
        place = Tensor("", str(fields["code"]), tuple(int(each) for each in fields["shape"]), len(data), 0)
        found = read(Header("", tensors=(place,)), data, kind)[""]
        return found.clone() if kind == "torch" else found.copy()


def _finished(found: Any, fields: dict[str, Any], devices: Devices) -> Any:
    """With the dtype, the device and the class that were saved."""
    dtype = fields.get("dtype")
    if fields["$"] == "array":
        numpy = sys.modules["numpy"]
        wanted = numpy.dtype(str(dtype))
        if wanted.name == "complex128" or wanted.kind in DATES:
            native = found.view(wanted.newbyteorder("="))
            return (native[..., 0] if wanted.kind == "c" else native).astype(wanted)
        return found.astype(wanted)
    torch = sys.modules["torch"]
    if dtype is not None:
        found = torch.view_as_complex(found) if dtype in HALVES else found.view(getattr(torch, str(dtype)))
    found = found.to(_device(str(fields.get("device", "cpu")), devices))
    if fields.get("parameter"):
        return torch.nn.Parameter(found, requires_grad=bool(fields.get("grad")))
    return found.requires_grad_() if fields.get("grad") else found


def _device(saved: str, devices: Devices) -> str:
    """Where a tensor goes: as told, else where it was if this machine has that, else the processor."""
    if isinstance(devices, str):
        return devices
    if devices is not None and saved in devices:
        return devices[saved]
    torch = sys.modules["torch"]
    kind = saved.partition(":")[0]
    here = kind == "cpu" or (kind == "cuda" and torch.cuda.is_available()) or (
        kind == "mps" and torch.backends.mps.is_available()
    )  # fmt: skip
    return saved if here else "cpu"
