"""torch.save before 0.1.10: a tar archive of storages, tensors and the pickle that names them.

Layout: `legacy_load` in torch's `serialization.py`.
"""

from __future__ import annotations

import struct

from modelyard.formats.dtypes import WIDTHS, size_of
from modelyard.formats.file import BrokenError, File, told
from modelyard.formats.header import Header, Tensor
from modelyard.formats.pickles import PERSISTENT, Listed, Made, Value, follow
from modelyard.formats.sniffing import Head
from modelyard.formats.tars import entries
from modelyard.formats.torch_values import dtype_of, is_dense, title_of
from modelyard.formats.value_walk import arrays, plain

TITLE = "PyTorch, tar"
MOST = 65_536
Storages = dict[str, tuple[str, int, int]]
"""By key: dtype, where the elements begin, how many they are."""


def sniff(head: Head) -> bool:
    """The three members."""
    return {"storages", "tensors", "pickle"} <= {name.removeprefix("./") for name in head.names}


@told
def read(file: File) -> Header:
    """The tensors of the pickle, with their offsets."""
    members = {each.name.removeprefix("./"): each for each in entries(file)[0]}
    parts = {
        name: file.part(name, members[name].offset, members[name].size) for name in ("storages", "tensors", "pickle")
    }
    storages = _storages(parts["storages"], members["storages"].offset)
    tensors = _tensors(parts["tensors"], storages)
    stream = follow(parts["pickle"])

    def leaf(made: Made, name: str) -> list[Tensor] | None:
        if made.what != PERSISTENT or _key(made.args) not in tensors:
            return None
        key, dtype, shape, offset, strides = tensors[_key(made.args)]
        dense = None if is_dense(shape, strides) else strides
        return [Tensor(name, dtype, shape, size_of(dtype, shape), offset, "storages", "", dense, key)]

    return Header(
        TITLE,
        tensors=tuple(arrays(stream.value, leaf)),
        architecture=title_of(stream.value),
        framework="PyTorch",
        metadata=plain(stream.value),
        loads=("torch.load(path, weights_only=False), which runs code: see `modelyard scan`",),
    )


def _key(value: Value) -> str:
    return str(value) if isinstance(value, int | str) else ""


def _count(value: Value) -> int:
    if not isinstance(value, int) or not 0 <= value <= MOST:
        raise BrokenError("has a number of tensors that cannot be")
    return value


def _three(value: Value) -> tuple[Value, Value, Value]:
    if not isinstance(value, tuple) or len(value) != 3:
        raise BrokenError("has a storage or tensor that nothing describes")
    return value[0], value[1], value[2]


def _storages(file: File, start: int) -> Storages:
    stream = follow(file)
    found, at = {}, stream.end
    for _ in range(_count(stream.value)):
        one = follow(file, at)
        key, _, kind = _three(one.value)
        dtype = dtype_of(kind)
        (count,) = struct.unpack("<q", file.at(one.end, 8))
        at = one.end + 8 + count * WIDTHS.get(dtype, 1)
        if count < 0 or at > file.size:
            raise BrokenError("ends within a storage", "truncated")
        found[_key(key)] = dtype, start + one.end + 8, count
    views = follow(file, at).value
    for view in views.items if isinstance(views, Listed) else ():
        if isinstance(view, tuple) and len(view) == 4 and _key(view[1]) in found and isinstance(view[2], int):
            dtype, first, count = found[_key(view[1])]
            found[_key(view[0])] = dtype, first + view[2] * WIDTHS.get(dtype, 1), count
    return found


def _tensors(file: File, storages: Storages) -> dict[str, tuple[str, str, tuple[int, ...], int, tuple[int, ...]]]:
    stream = follow(file)
    found, at = {}, stream.end
    for _ in range(_count(stream.value)):
        one = follow(file, at)
        key, storage, _ = _three(one.value)
        (sides,) = struct.unpack("<i", file.at(one.end, 4))
        if not 0 <= sides <= 64 or _key(storage) not in storages:
            raise BrokenError("has a tensor of no storage")
        numbers = struct.unpack(f"<{2 * sides + 1}q", file.at(one.end + 8, 16 * sides + 8))
        at = one.end + 16 + 16 * sides
        dtype, start, _ = storages[_key(storage)]
        if min(numbers) < 0:
            raise BrokenError("has a tensor with a negative side")
        offset = start + numbers[-1] * WIDTHS.get(dtype, 1)
        found[_key(key)] = _key(storage), dtype, numbers[:sides], offset, numbers[sides:-1]
    return found
