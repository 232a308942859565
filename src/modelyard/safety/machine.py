"""The pickle machine, followed without running anything: what it would call, with what, in which order.

A stream has no branches, so that its stack, marks and memo can be followed exactly; only what calls give is not known.
Where the real machine would stop with an error this one notes it and goes on when it can: it may follow more than
would run, never less. Facts from CPython's Modules/_pickle.c and Lib/pickle.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from msgspec import Struct

from modelyard.safety.stream import HaltError, Reader
from modelyard.safety.values import Made, Reference, Value


class Watcher(Protocol):
    """Is told what the machine would do. Offsets are bytes in the source."""

    def reference(self, name: Reference, offset: int) -> bool:
        """A name is looked up: its module is imported. True where it may be called and not be kept."""

    def unnameable(self, module: Value, name: Value, offset: int) -> bool:
        """A name is looked up that the stream computes; False where that cannot be text at all."""

    def call(self, callee: Value, made: Made, offset: int) -> None:
        """Something is called or made."""

    def attribute(self, callee: Value, arguments: Value) -> Reference | None:
        """The name that a call only looks up; None for every other call."""

    def build(self, target: Value, state: Value, offset: int) -> None:
        """A state is given to an object."""

    def fill(self, how: str, target: Value, items: list[Value], offset: int) -> None:
        """Items go into something that is no plain list, dict or set."""

    def keep(self, value: Value, offset: int) -> None:
        """A value is put into something, while there are names about that may not be."""

    def pairs(self, target: Value, pairs: list[Value], offset: int) -> None:
        """Keys and values in turn, all of them, go into a dict or an object."""

    def outside(self, what: str, about: Value, offset: int) -> Value:
        """A value is asked from outside the stream: `persistent`, `extension` or `buffer`."""

    def looks_like_pickle(self, data: Value, offset: int) -> None:
        """A text or byte string begins like a pickle."""

    def oddity(self, code: str, what: str, offset: int) -> None:
        """Something that no honest writer of pickles does."""


class Run(Struct, frozen=True):
    """How a stream ended. `end` is the offset behind it; `broken` says why it could not be followed to its STOP."""

    start: int
    end: int
    steps: int
    broken: str = ""
    broken_at: int = 0
    value: Value = None
    crossed: int | None = None
    given_up: bool = False
    """Whether it was this machine that stopped, at the end of a budget or of what the disk gave, and not the stream."""


class Machine:
    """Stack, marks and memo of one stream."""

    __slots__ = (
        "below", "broken", "broken_at", "building", "guarded", "mapping", "memo", "protocol", "reader", "stack",
        "steps", "strict", "text", "watcher",
    )  # fmt: skip

    def __init__(
        self,
        reader: Reader,
        watcher: Watcher,
        mapping: Callable[[str, str], tuple[str, str]],
        memo: dict[int, Value] | None = None,
        building: Callable[[Machine, Value], None] | None = None,
        strict: bool = False,
    ) -> None:
        self.reader, self.watcher = reader, watcher
        self.mapping = mapping
        """Python 2's names to Python 3's, for protocols below 3."""
        self.building = building
        """What a loader of its own does after each BUILD."""
        self.stack: list[Value] = []
        self.below: list[list[Value]] = []
        """The stacks under each mark."""
        self.memo: dict[int, Value] = {} if memo is None else memo
        self.protocol = self.steps = self.text = self.broken_at = 0
        self.broken = ""
        self.strict = strict
        """Stop where the real machine would, too."""
        self.guarded = False
        """Whether there is a name about that may be called but not kept."""

    def fails(self, why: str) -> None:
        """Notes that the real machine would stop here. A strict one stops."""
        if self.strict and not self.broken:
            raise HaltError(why)
        self.stops(why)

    def stops(self, why: str) -> None:
        """Notes why this machine cannot go on."""
        if not self.broken:
            self.broken, self.broken_at = why, self.reader.offset

    def name(self, module: str, name: str, offset: int) -> Reference:
        """A name that the stream asks for."""
        if self.protocol < 3:
            module, name = self.mapping(module, name)
        self.text += len(module) + len(name)
        found = Reference(module, name)
        self.guarded = self.watcher.reference(found, offset) or self.guarded
        return found

    def hold(self, values: Iterable[Value]) -> None:
        """Tells of values that go into another."""
        if self.guarded:
            for value in values:
                self.watcher.keep(value, self.reader.offset - 1)

    def push(self, value: Value) -> None:
        """Onto the stack."""
        self.stack.append(value)

    def pop_mark(self) -> list[Value]:
        """Everything above the last mark, which goes with it."""
        if not self.below:
            raise HaltError("a mark is missing")
        above, self.stack = self.stack, self.below.pop()
        return above
