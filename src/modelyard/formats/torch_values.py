"""The tensors in a torch pickle: which stretch of which storage each one shows.

The functions that rebuild tensors: torch's `_utils.py`; storages: `serialization.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import prod

from msgspec import Struct

from modelyard.formats.dtypes import size_of
from modelyard.formats.file import BrokenError
from modelyard.formats.header import Tensor
from modelyard.formats.pickles import PERSISTENT, Made, Mapping, Reference, Value

DTYPES = {
    "float64": "F64", "double": "F64", "float32": "F32", "float": "F32", "float16": "F16", "half": "F16",
    "bfloat16": "BF16", "int64": "I64", "long": "I64", "int32": "I32", "int": "I32", "int16": "I16", "short": "I16",
    "int8": "I8", "char": "I8", "uint8": "U8", "byte": "U8", "uint16": "U16", "uint32": "U32", "uint64": "U64",
    "bool": "BOOL", "complex64": "C64", "complexfloat": "C64", "complex128": "C128", "complexdouble": "C128",
    "qint8": "QI8", "quint8": "QU8", "qint32": "QI32", "quint4x2": "U4", "quint2x4": "U2", "untyped": "U8",
    "float8_e4m3fn": "F8_E4M3", "float8_e5m2": "F8_E5M2", "float8_e4m3fnuz": "F8_E4M3FNUZ",
    "float8_e5m2fnuz": "F8_E5M2FNUZ", "float8_e8m0fnu": "F8_E8M0",
}  # fmt: skip
"""Names of dtypes and, in lower letters without their ending, of storage classes."""
REBUILD = "torch._utils._rebuild_"
STORED = frozenset(("tensor", "tensor_v2", "tensor_v3", "qtensor"))
PLAIN = ("torch._utils._rebuild_", "torch.storage.", "torch._tensor._rebuild_from_type_v2")
PLAIN_NAMES = frozenset((
    "collections.OrderedDict", "torch.Size", "torch.device", "torch.nn.parameter.Parameter", "torch.sparse_coo",
    "torch.serialization._get_layout", "torch.per_tensor_affine", "torch.per_channel_affine", "torch.strided",
))  # fmt: skip


class Place(Struct, frozen=True):
    """Where the bytes of a storage lie: offset in the file (None where packed), the member, and how many bytes."""

    offset: int | None
    member: str
    bytes: int


class Storage(Struct, frozen=True):
    """A storage as a pickle names it."""

    key: str
    dtype: str
    elements: int
    first: int = 0
    """Where an old view of the storage begins, in elements."""


def dtype_of(value: Value) -> str:
    """The dtype that a reference such as `torch.float32` or `torch.FloatStorage` means."""
    name = value.name.rpartition(".")[2] if isinstance(value, Reference) else ""
    found = DTYPES.get(name.lower().removesuffix("storage"))
    if found is None:
        raise BrokenError(f"has a tensor of the dtype {name[:40]!r}, which is not known", "unsupported")
    return found


def storage_of(value: Value) -> Storage | None:
    """The storage of a persistent id; None for anything else."""
    if not isinstance(value, Made):
        return None
    if value.what == "torch.storage.TypedStorage" or value.what.endswith("TypedStorage"):
        inner = value.args[0] if isinstance(value.args, tuple) and value.args else None
        return storage_of(inner)
    parts = value.args
    if value.what != PERSISTENT or not isinstance(parts, tuple) or len(parts) < 5 or parts[0] != "storage":
        return None
    _, kind, key, _, elements, *more = parts
    if not isinstance(key, str | int) or not isinstance(elements, int) or elements < 0:
        return None
    view = more[0] if more and isinstance(more[0], tuple) and len(more[0]) == 3 else (None, 0, 0)
    first = view[1] if isinstance(view[1], int) and view[1] >= 0 else 0
    return Storage(str(key), dtype_of(kind), elements, first)


def _whole(values: Iterable[Value]) -> bool:
    return all(isinstance(each, int) and not isinstance(each, bool) and each >= 0 for each in values)


class Tensors:
    """Describes the tensors of one pickle, whose storages lie where `place` says."""

    def __init__(self, place: Callable[[str], Place | None]) -> None:
        self.place = place
        self.short = False
        """Whether a storage ends before what a tensor shows of it."""

    def __call__(self, made: Made, name: str) -> list[Tensor] | None:
        """The tensors that a rebuilding call stands for; None for another object."""
        args = made.args if isinstance(made.args, tuple) else ()
        if made.what == "torch._tensor._rebuild_from_type_v2" and len(args) >= 3 and isinstance(args[0], Reference):
            return self(Made(args[0].name, args[2]), name)
        if made.what == "torch.nn.parameter.Parameter" and args and isinstance(args[0], Made):
            return self(args[0], name)
        if not made.what.startswith(REBUILD) or not args:
            return None
        how = made.what.removeprefix(REBUILD)
        if how.startswith("parameter") and isinstance(args[0], Made):
            return self(args[0], name)
        if how in STORED:
            return [self._stored(how, args, name)]
        if how == "meta_tensor_no_storage" and len(args) >= 2:
            shape = _sides(args[1])
            return [Tensor(name, dtype_of(args[0]), shape, 0, None)]
        if how == "sparse_tensor" and len(args) > 1 and isinstance(args[1], tuple):
            parts = [each for each in args[1] if isinstance(each, Made) and each.what != "torch.Size"]
            names = ("indices", "values") if len(parts) == 2 else ("compressed", "plain", "values")
            inner = [self(each, f"{name}.{what}") for each, what in zip(parts, names, strict=False)]
            return [each for found in inner for each in found or ()]
        return None

    def _stored(self, how: str, args: tuple[Value, ...], name: str) -> Tensor:
        storage = storage_of(args[0])
        if storage is None or len(args) < 4 or not isinstance(args[1], int) or args[1] < 0:
            raise BrokenError(f"has a tensor {name[:80]!r} of no storage")
        shape, strides, dtype = _sides(args[2]), _sides(args[3]), storage.dtype
        if how == "tensor_v3" and len(args) > 6:
            dtype = dtype_of(args[6])
        if len(shape) != len(strides):
            raise BrokenError(f"has a tensor {name[:80]!r} with {len(shape)} sides and {len(strides)} strides")
        first = args[1] + storage.first
        key = storage.key
        width = size_of(dtype, (1,))
        start = first * width
        last = 0 if 0 in shape else sum((side - 1) * step for side, step in zip(shape, strides, strict=True)) + 1
        offset, member = None, ""
        place = self.place(key)
        if place is None or start + last * width > place.bytes:
            self.short = True
        if place is not None:
            member = place.member
            offset = place.offset + start if place.offset is not None else None
        dense = is_dense(shape, strides)
        size = size_of(dtype, shape)
        return Tensor(name, dtype, shape, size, offset, member, "", None if dense else strides, key)


def _sides(value: Value) -> tuple[int, ...]:
    if isinstance(value, Made) and value.what == "torch.Size" and isinstance(value.args, tuple) and value.args:
        value = value.args[0]
    if not isinstance(value, tuple) or not _whole(value) or len(value) > 64:
        raise BrokenError("has a tensor whose shape is no shape")
    sides = tuple(int(each) for each in value if isinstance(each, int))
    if prod(sides) >= 1 << 62:
        raise BrokenError(f"has a tensor of {prod(sides):.3g} elements")
    return sides


def contiguous(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The strides of elements that lie row after row; sides of one have any stride in torch."""
    steps, step = [], 1
    for side in reversed(shape):
        steps.append(step)
        step *= max(side, 1)
    return tuple(reversed(steps))


def is_dense(shape: tuple[int, ...], strides: tuple[int, ...]) -> bool:
    """Whether the elements lie row after row: the step of a side of one never matters."""
    pairs = zip(shape, strides, contiguous(shape), strict=True)
    return prod(shape) <= 1 or all(side == 1 or step == expected for side, step, expected in pairs)


def is_plain(names: Iterable[str]) -> bool:
    """Whether a pickle refers to nothing but what rebuilds tensors, so that `weights_only=True` loads it."""
    return all(
        name.startswith(PLAIN)
        or name in PLAIN_NAMES
        or (name.startswith("torch.") and name.removeprefix("torch.").lower().removesuffix("storage") in DTYPES)
        for name in names
    )


def loading(names: Iterable[str]) -> tuple[str, ...]:
    """How torch loads a pickle that refers to these names."""
    if is_plain(names):
        return ("torch.load(path, weights_only=True)",)
    return ("torch.load(path, weights_only=False), which runs code: see `modelyard scan`",)


def title_of(value: Value) -> str:
    """The class of the object that was saved, without its module; empty for dicts and tensors."""
    if isinstance(value, Made) and not value.what.startswith((REBUILD, "collections.", "torch._tensor.")):
        return value.what.rpartition(".")[2]
    if isinstance(value, Mapping) and isinstance(value.get("arch"), str):
        return str(value.get("arch"))
    return ""
