"""Pickle streams followed without running them: containers, numbers and text are built, everything else is named.

A call becomes a Made with the name of what would be called. Nothing is imported, looked up or called.
Opcodes: CPython's `Lib/pickletools.py`.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Final

from msgspec import Struct, field

from modelyard.formats.file import BrokenError, File

MOST_STEPS = 400_000
MOST_BYTES = 20 << 20
"""What the values of a stream may take in memory, roughly."""
INLINE = 1024
"""Bytes that are read; longer ones stay where they are, as a Blob."""
LONGEST_TEXT = 4096


class Reference(Struct, frozen=True):
    """A name that the stream refers to: module and qualified name."""

    name: str


class Blob(Struct, frozen=True):
    """Bytes that stay in the file: where they begin and how many."""

    offset: int
    length: int


class Made(Struct, eq=False):
    """What a call or a persistent id would give: what is called, with what, and what it is filled with."""

    what: str
    args: Value = ()
    state: Value = None
    items: list[Value] = field(default_factory=list)
    pairs: list[tuple[Value, Value]] = field(default_factory=list)
    new: bool = False
    """Whether a class is made without its `__init__`."""


class Mapping(Struct, eq=False):
    """A dict: its pairs in order."""

    pairs: list[tuple[Value, Value]] = field(default_factory=list)

    def get(self, key: str) -> Value:
        """The value of a key of text; None without it."""
        return next((value for name, value in reversed(self.pairs) if name == key), None)


class Listed(Struct, eq=False):
    """A list, set or frozenset."""

    items: list[Value] = field(default_factory=list)
    kind: str = "list"


Value = None | bool | int | float | str | bytes | tuple["Value", ...] | Reference | Blob | Made | Mapping | Listed
Filled = Callable[["Machine", Made], None]
MARK: Final = Reference("")
PERSISTENT = "persistent id"


class Stream(Struct):
    """What one stream gives, its protocol, the names it refers to, and where it ends."""

    value: Value
    protocol: int
    names: tuple[str, ...]
    end: int
    persistent: tuple[Made, ...] = ()
    """What stands for things outside the stream."""


class Machine:
    """Follows one stream from a place in a file. `filled` is told of each object that gets a state."""

    def __init__(self, file: File, at: int = 0, filled: Filled | None = None) -> None:
        self.file, self.at, self.filled = file, at, filled
        self.stack: list[Value] = []
        self.memo: dict[int, Value] = {}
        self.names: dict[str, None] = {}
        self.persistent: list[Made] = []
        self.protocol, self.spent = 0, 0

    def take(self, length: int) -> bytes:
        """The next bytes."""
        found = self.file.at(self.at, length)
        self.at += length
        return found

    def number(self, code: str) -> int:
        """The next whole number."""
        (found,) = struct.unpack(code, self.take(struct.calcsize(code)))
        return int(found)

    def line(self) -> str:
        """The text up to the end of the line, its beginning when it is long: old pickles write arrays as lines."""
        start = self.at
        while self.at < self.file.size:
            data = self.file.at(self.at, min(LONGEST_TEXT, self.file.size - self.at))
            length = data.find(b"\n")
            if length >= 0:
                end, self.at = self.at + length, self.at + length + 1
                return self.file.at(start, min(end - start, LONGEST_TEXT)).decode("utf-8", "replace")
            self.at += len(data)
        raise BrokenError("has a pickle with a line that does not end", "truncated")

    def text(self, length: int) -> str:
        """Text of so many bytes, its beginning when it is long."""
        if self.at + length > self.file.size:
            raise BrokenError("has a pickle that ends within a text", "truncated")
        data = self.file.at(self.at, min(length, LONGEST_TEXT))
        self.at += length
        self.spend(len(data))
        return data.decode("utf-8", "replace")

    def blob(self, length: int, inline: int = INLINE) -> bytes | Blob:
        """Bytes, which stay where they are when they are more than that."""
        if length < 0 or self.at + length > self.file.size:
            raise BrokenError("has a pickle that ends within its bytes", "truncated")
        if length <= inline:
            return self.take(length)
        found = Blob(self.at, length)
        self.at += length
        return found

    def spend(self, count: int) -> None:
        """Counts memory. BrokenError when there is too much of it."""
        self.spent += count
        if self.spent > MOST_BYTES:
            raise BrokenError("has a pickle with more values than are followed", "too-large")

    def push(self, value: Value, cost: int = 48) -> None:
        """Puts a value on the stack."""
        self.spend(cost)
        self.stack.append(value)

    def pop(self) -> Value:
        """Takes a value from the stack, which must be one."""
        value = self.stack.pop() if self.stack else MARK
        if value is MARK:
            raise BrokenError("has a pickle that takes what is not there")
        return value

    def marked(self) -> list[Value]:
        """Takes everything above the last mark, and the mark."""
        for at in range(len(self.stack) - 1, -1, -1):
            if self.stack[at] is MARK:
                found = self.stack[at + 1 :]
                del self.stack[at:]
                self.spend(8 * len(found))
                return found
        raise BrokenError("has a pickle without the mark that it needs")

    def refer(self, module: str, name: str) -> Reference:
        """A reference, noted."""
        found = Reference(f"{module}.{name}")
        self.spend(2 * len(found.name))
        self.names[found.name] = None
        return found

    def keep(self, place: int) -> None:
        """Remembers the top of the stack."""
        self.spend(100)
        value = self.pop()
        self.stack.append(value)
        self.memo[place] = value


def follow(file: File, at: int = 0, filled: Filled | None = None) -> Stream:
    """One stream. BrokenError when it cannot be followed to its end."""
    from modelyard.formats.pickle_steps import STEPS  # late: the steps know the machine

    machine = Machine(file, at, filled)
    for _ in range(MOST_STEPS):
        code = machine.take(1)
        if code == b".":
            return Stream(machine.pop(), machine.protocol, tuple(machine.names), machine.at, tuple(machine.persistent))
        step = STEPS.get(code)
        if step is None:
            raise BrokenError(f"has a pickle with the byte {code.hex()} where an instruction should be")
        step(machine)
    raise BrokenError(f"has a pickle of more than {MOST_STEPS:,} instructions", "too-large")
