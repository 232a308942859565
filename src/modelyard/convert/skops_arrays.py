"""The arrays of a pickle as `.npy` members: the head that is written, and the bytes of the source behind it.

Layout: numpy's `lib/format.py`; dtypes as `numpy.dtype.__reduce__` gives them; joblib's `numpy_pickle.py`.
"""

from __future__ import annotations

import re
import struct
from math import prod

from msgspec import Struct

from modelyard.formats.file import BrokenError
from modelyard.formats.numpy_values import FROM_BUFFER, RECONSTRUCT, WRAPPER, Arrays, shape_of
from modelyard.formats.pickles import Blob, Made, Mapping, Reference, Value
from modelyard.formats.value_walk import pairs_of

SCALAR = frozenset(("numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar"))
PLAIN = re.compile(r"[biufcSU]\d{1,9}|\?")
"""Codes of numbers, truth values and texts of a fixed length."""
OBJECTS = ("O", "O8")
MOST_FIELDS = 64
Descr = str | tuple[tuple[str, "Descr"], ...]
"""A dtype as `.npy` writes it: a code with its byte order, or the fields of a record."""


class Array(Struct, frozen=True):
    """An array as the source holds it: dtype, sides, the order of its elements, and where they lie."""

    descr: Descr
    shape: tuple[int, ...]
    columns: bool
    offset: int
    length: int
    data: bytes | None = None
    """Elements that stand in the pickle itself, a few bytes."""

    @property
    def head(self) -> bytes:
        """Everything of a `.npy` before the elements."""
        text = f"{{'descr': {_written(self.descr)}, 'fortran_order': {self.columns}, 'shape': {self.shape!r}, }}"
        room = -(10 + len(text) + 1) % 64
        body = text.encode("latin-1") + b" " * room + b"\n"
        if len(body) > 0xFFFF:
            raise BrokenError("has an array whose dtype is too long to write", "unsupported")
        return b"\x93NUMPY\1\0" + struct.pack("<H", len(body)) + body


def _written(descr: Descr) -> str:
    if isinstance(descr, str):
        return repr(descr)
    return "[" + ", ".join(f"({name!r}, {_written(each)})" for name, each in descr) + "]"


def array_of(made: Made, describe: Arrays, size: int) -> Array | None:
    """The array that an object of a pickle stands for, None for another object. BrokenError for one that is odd."""
    if made.what == WRAPPER and id(made) in describe.wrapped:
        return _wrapped(made, describe.wrapped[id(made)][1], size)
    args, state = made.args, made.state
    if made.what in RECONSTRUCT:
        if not isinstance(state, tuple) or len(state) != 5 or not isinstance(args, tuple) or not _is_plain(args):
            raise BrokenError("has an array of a kind of its own", "unsupported")
        return None if is_objects(state[2]) else _array(state[2], state[1], state[3] is True, state[4], size)
    if made.what in FROM_BUFFER and isinstance(args, tuple) and len(args) == 4:
        return _array(args[1], args[2], args[3] == "F", args[0], size)
    if made.what in SCALAR and isinstance(args, tuple) and len(args) == 2:
        return _array(args[0], (), False, args[1], size)
    return None


def _is_plain(args: tuple[Value, ...]) -> bool:
    return bool(args) and isinstance(args[0], Reference) and args[0].name == "numpy.ndarray"


def objects_of(made: Made, describe: Arrays) -> tuple[tuple[int, ...], tuple[Value, ...]] | None:
    """The sides and the elements, row after row, of an array of objects; None for anything else."""
    if id(made) in describe.inner:
        inner = describe.inner[id(made)]
        return objects_of(inner, describe) if isinstance(inner, Made) else None
    state = made.state
    if made.what not in RECONSTRUCT or not isinstance(state, tuple) or len(state) != 5 or not is_objects(state[2]):
        return None
    shape = shape_of(state[1])
    items = getattr(state[4], "items", None)
    if not isinstance(items, list) or len(items) != prod(shape) or (state[3] is True and len(shape) > 1):
        raise BrokenError("has an array of objects that cannot be put in order", "unsupported")
    return shape, tuple(items)


def is_objects(dtype: Value) -> bool:
    """Whether elements of a dtype are objects."""
    return (
        isinstance(dtype, Made)
        and isinstance(dtype.args, tuple)
        and dtype.args[:1] in tuple((each,) for each in OBJECTS)
    )


def _wrapped(made: Made, offset: int, size: int) -> Array:
    state = made.state if isinstance(made.state, Mapping) else Mapping()
    kind = state.get("subclass")
    if not isinstance(kind, Reference) or kind.name != "numpy.ndarray":
        raise BrokenError("has an array of a kind of its own", "unsupported")
    descr, width = descr_of(state.get("dtype"))
    shape = shape_of(state.get("shape"))
    return _bounded(Array(descr, shape, state.get("order") == "F", offset, prod(shape) * width), size)


def _array(dtype: Value, shape: Value, columns: bool, data: Value, size: int) -> Array:
    descr, width = descr_of(dtype)
    sides = shape_of(shape)
    if isinstance(data, bytes | str) and len(data) == prod(sides) * width:
        return Array(descr, sides, columns, 0, len(data), data if isinstance(data, bytes) else data.encode("ascii"))
    if not isinstance(data, Blob) or data.length != prod(sides) * width:
        raise BrokenError(
            "has an array whose elements are packed as text: pickle it with protocol 3 or later", "packed"
        )
    return _bounded(Array(descr, sides, columns, data.offset, data.length), size)


def _bounded(array: Array, size: int) -> Array:
    if array.offset + array.length > size:
        raise BrokenError("ends within an array", "truncated")
    return array


def descr_of(dtype: Value) -> tuple[Descr, int]:
    """A dtype as `.npy` writes it, and the bytes of one element. BrokenError for dates, objects and subarrays."""
    if not isinstance(dtype, Made) or dtype.what != "numpy.dtype" or not isinstance(dtype.args, tuple):
        raise BrokenError("has an array without a plain dtype", "unsupported")
    code, state = dtype.args[0] if dtype.args else None, dtype.state
    if not isinstance(code, str) or not isinstance(state, tuple) or len(state) != 8:
        raise BrokenError(f"has an array of the dtype {str(code)[:40]!r}, which is not written", "unsupported")
    if state[3] is not None:
        return _record(state)
    if state[2] is not None or not PLAIN.fullmatch(code):
        raise BrokenError(f"has an array of the dtype {code[:40]!r}, which is not written", "unsupported")
    count = int(code[1:] or 1)
    width = 4 * count if code[0] == "U" else count
    order = state[1] if state[1] in ("<", ">") and width > 1 and code[0] != "S" else "|"
    return f"{order}{code if code != '?' else 'b1'}", width


def _record(state: tuple[Value, ...]) -> tuple[Descr, int]:
    """The fields of a record in order, gaps filled with bytes of nothing."""
    names, table, width = state[3], state[4], state[5]
    fields = {key: each for key, each in pairs_of(table) if isinstance(key, str)}
    if not isinstance(names, tuple) or not isinstance(width, int) or not 0 < len(names) <= MOST_FIELDS:
        raise BrokenError("has an array of records that are not written", "unsupported")
    found: list[tuple[str, Descr]] = []
    at = 0
    for name in names:
        field = fields.get(name) if isinstance(name, str) else None
        if not isinstance(name, str) or not isinstance(field, tuple) or len(field) < 2 or not isinstance(field[1], int):
            raise BrokenError("has an array of records that are not written", "unsupported")
        if field[1] < at or not name.isidentifier():
            raise BrokenError("has an array of records whose fields overlap", "unsupported")
        if field[1] > at:
            found.append(("", f"|V{field[1] - at}"))
        descr, size = descr_of(field[0])
        found.append((name, descr))
        at = field[1] + size
    if width > at:
        found.append(("", f"|V{width - at}"))
    if width < at:
        raise BrokenError("has an array of records that are longer than they say", "damaged")
    return tuple(found), width
