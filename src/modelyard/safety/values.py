"""What the pickle machine holds instead of objects: plain data as itself, everything else as a record of how it was

asked for. Nothing here is ever called, hashed, compared or walked without a bound.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, TypeGuard

from msgspec import Struct

Plain = None | bool | int | float | str | bytes
Value = object
"""Plain data, a tuple of values, a list of values, or one of the records of this file."""
HELD = 1024
"""How many items of a list, dict or set are kept: what is left out was judged when it was made."""
WALKED = 10_000
"""How many values a rule looks at before it gives up: a tuple can double 60 times in 200 bytes."""
How = Literal["REDUCE", "NEWOBJ", "NEWOBJ_EX", "OBJ", "INST"]


class Reference(Struct, eq=False):
    """A name that the stream asks for: a module and a qualified name in it."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


class Made(Struct, eq=False):
    """What a call would give. `made_by` is None where nobody can tell what was called."""

    made_by: Reference | None
    how: How
    arguments: Value
    named: Value = None
    state: Value = None
    built: bool = False
    """Whether it was given a state."""


class Mapped(Struct, eq=False):
    """A dict: keys and values in turn, the first `HELD` of each."""

    pairs: list[Value]
    spelled: bool = False
    """Whether a call spelled one of its keys."""

    def items(self) -> Iterator[tuple[Value, Value]]:
        """The pairs that are kept."""
        return zip(self.pairs[::2], self.pairs[1::2], strict=False)

    def get(self, key: str) -> Value:
        """What the last such key leads to; None where there is none."""
        return next((value for name, value in reversed(list(self.items())) if type(name) is str and name == key), None)


class Grouped(Struct, eq=False):
    """A set or frozenset."""

    items: list[Value]
    frozen: bool = False


class Long(Struct, eq=False):
    """A text, byte string or number too long to be kept: where its bytes lie in the stream."""

    kind: Literal["str", "bytes", "bytearray", "int"]
    offset: int
    length: int


class Unknown(Struct, eq=False):
    """A value that lies outside the stream: a persistent id, an out-of-band buffer, the result of a broken step."""

    what: str
    about: Value = None


def is_plain(value: Value) -> TypeGuard[Plain | Long]:
    """Whether a value is a number, text, bytes or None."""
    return value is None or isinstance(value, str | bytes | int | float | bytearray | Long)


def items_of(value: Value) -> Sequence[Value]:
    """The values directly inside one."""
    match value:
        case tuple() | list():
            return value
        case Mapped():
            return value.pairs
        case Grouped():
            return value.items
    return ()


def all_plain(value: Value) -> bool:
    """Whether a value is plain data all the way down; False also where it is too large to be walked."""
    waiting, seen = [value], 0
    while waiting:
        each = waiting.pop()
        seen += 1
        if seen > WALKED:
            return False
        if isinstance(each, list | Mapped | Grouped) and len(items_of(each)) >= HELD:
            return False  # not everything was kept
        if isinstance(each, tuple | list | Mapped | Grouped):
            waiting.extend(items_of(each))
        elif not is_plain(each):
            return False
    return True


def shown_value(value: Value, depth: int = 3, room: int = 60) -> str:
    """A value as people read it, in bounded space."""
    match value:
        case Reference():
            return clipped(str(value), room)
        case Long():
            return f"<{value.length:,} bytes of {value.kind}>"
        case int() if not -(1 << 64) < value < 1 << 64:
            return "<a huge number>"
        case str() | bytes() | bytearray():
            return clipped(repr(value[: room + 1]), room)
        case None | bool() | int() | float():
            return repr(value)
        case Made():
            return f"{clipped(str(value.made_by or 'something'), room)}(…)"
        case Unknown():
            return f"<{value.what}>"
    if depth == 0:
        return "…"
    inner = items_of(value)
    parts = [shown_value(each, depth - 1, room // 2) for each in inner[:4]] + ["…"] * (len(inner) > 4)
    opening, closing = ("(", ")") if isinstance(value, tuple) else ("[", "]") if isinstance(value, list) else ("{", "}")
    return opening + ", ".join(parts) + closing


def clipped(text: str, room: int) -> str:
    """Text in at most so many characters, escaped so that it cannot steer a terminal."""
    text = text if text.isprintable() else ascii(text)[1:-1]
    return text if len(text) <= room else text[: room - 1] + "…"
