"""What the messages of an HDF5 object mean: shape, dtype, where the elements lie, and attributes of text."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import NamedTuple

from msgspec import Struct

from modelyard.formats.file import BrokenError
from modelyard.formats.hdf5_objects import (
    ATTRIBUTE,
    DATASPACE,
    DATATYPE,
    EXTERNAL,
    FILTERS,
    LAYOUT,
    Hdf5,
    Message,
)
from modelyard.formats.header import Tensor

LONGEST = 1 << 20
"""Bytes of an attribute's text that are read: a model's configuration is longer than a line."""


class Kind(Struct, frozen=True):
    """A datatype: what it is called, how many bytes an element takes, and whether it is text of any length."""

    dtype: str
    width: int
    text: bool = False
    heap: bool = False


def kind_of(data: bytes) -> Kind:
    """The datatype that a message describes."""
    sort, bits, width = data[0] & 15, data[1], int.from_bytes(data[4:8], "little")
    if sort in (0, 1) and bits & 1 and width > 1:
        return Kind(f">{'f' if sort else 'i' if bits & 8 else 'u'}{width}", width)
    if sort == 0:
        return Kind(f"{'I' if bits & 8 else 'U'}{8 * width}", width)
    if sort == 1:
        exponent = data[8 + 5] if len(data) > 13 else 0
        return Kind("BF16" if width == 2 and exponent == 8 else f"F{8 * width}", width)
    if sort == 3:
        return Kind(f"S{width}", width, text=True)
    if sort == 8:
        return Kind("BOOL" if width == 1 else f"I{8 * width}", width)
    if sort == 9:
        return Kind("text", width, text=bits & 15 == 1, heap=True)
    return Kind({2: "time", 5: "opaque", 6: "record", 7: "reference", 10: "array"}.get(sort, f"class {sort}"), width)


def shape_of(data: bytes, file: Hdf5) -> tuple[int, ...]:
    """The sides that a dataspace message describes; a scalar has none."""
    rank, start = data[1], 8 if data[0] == 1 else 4
    if rank > 32 or start + rank * file.long > len(data):
        raise BrokenError("has an array whose shape is no shape")
    sides = tuple(
        int.from_bytes(data[start + at * file.long : start + (at + 1) * file.long], "little") for at in range(rank)
    )
    if prod(sides) >= 1 << 62:
        raise BrokenError(f"has an array of {prod(sides):.3g} elements")
    return sides


def array_of(name: str, messages: list[Message], file: Hdf5) -> Tensor | None:
    """The array that an object is; None for a group."""
    found = {each.kind: each for each in messages}
    layout, space, kind = found.get(LAYOUT), found.get(DATASPACE), found.get(DATATYPE)
    if layout is None or space is None or kind is None:
        return None
    what = Kind("shared", 0) if kind.shared else kind_of(kind.data)
    shape = shape_of(space.data, file)
    plain = FILTERS not in found and EXTERNAL not in found
    return Tensor(name, what.dtype, shape, prod(shape) * what.width, _offset(layout, file) if plain else None)


def _offset(layout: Message, file: Hdf5) -> int | None:
    """Where the elements lie when they lie in one piece."""
    data = layout.data
    if data[0] in (3, 4):
        if data[1] == 0:
            return layout.offset + 4
        at = 2 if data[1] == 1 else 0
    else:
        at = 8 if data[2] == 1 else 0
    address = int.from_bytes(data[at : at + file.wide], "little") if at else None
    return None if address is None or file.missing(address) else file.base + address


def texts(messages: list[Message], file: Hdf5) -> dict[str, str]:
    """The attributes that are one text or one number, by name."""
    found = {}
    for each in messages:
        if each.kind == ATTRIBUTE and not each.shared:
            name, value = _attribute(each.data, file)
            if value is not None:
                found[name] = value
    return found


def byte_texts(messages: list[Message], file: Hdf5, most: int) -> Iterator[tuple[str, bytes | None]]:
    """The attributes that are one text, as the bytes they are kept in, at most so many; None for one kept elsewhere."""
    for each in messages:
        if each.kind == ATTRIBUTE and not each.shared:
            found = _parts(each.data, file)
            if found.kind is None:
                yield found.name, None
            elif found.kind.text and found.single:
                heap = found.kind.heap
                yield found.name, _heap_text(found.value, file, most) if heap else found.value[: found.kind.width]
        elif each.kind == ATTRIBUTE:
            yield "", None


class _Attribute(NamedTuple):
    """A name, a datatype (None where it is written elsewhere), whether it is one element, and the elements' bytes."""

    name: str
    kind: Kind | None
    single: bool
    value: bytes


def _parts(data: bytes, file: Hdf5) -> _Attribute:
    version = data[0]
    sizes = [int.from_bytes(data[at : at + 2], "little") for at in (2, 4, 6)]
    at = 9 if version == 3 else 8
    parts = []
    for size in sizes:
        parts.append(data[at : at + size])
        at += (size + 7) // 8 * 8 if version == 1 else size
    name = parts[0].partition(b"\0")[0].decode("utf-8", "replace")
    if version > 1 and data[1] & 1:
        return _Attribute(name, None, False, b"")
    return _Attribute(name, kind_of(parts[1]), shape_of(parts[2], file) in ((), (1,)), data[at:])


def _attribute(data: bytes, file: Hdf5) -> tuple[str, str | None]:
    found = _parts(data, file)
    if found.kind is None or not found.single:
        return found.name, None
    return found.name, _value(found.value, found.kind, file)


def _heap_text(data: bytes, file: Hdf5, most: int) -> bytes:
    address = int.from_bytes(data[4 : 4 + file.wide], "little")
    index = int.from_bytes(data[4 + file.wide : 8 + file.wide], "little")
    if file.missing(address) or not address:
        return b""
    return file.heap_object(address, index, min(int.from_bytes(data[:4], "little"), most))


def _value(data: bytes, kind: Kind, file: Hdf5) -> str | None:
    if kind.heap and kind.text:
        return _heap_text(data, file, LONGEST).decode("utf-8", "replace")
    if kind.text:
        return data[: kind.width].partition(b"\0")[0].decode("utf-8", "replace")
    if kind.dtype[:1] in "IU" and kind.dtype[1:].isdecimal():
        return str(int.from_bytes(data[: kind.width], "little", signed=kind.dtype[0] == "I"))
    return None
