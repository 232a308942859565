"""The instructions for tuples, lists, dicts and sets, for the memo, and for the stack itself."""

from __future__ import annotations

from collections.abc import Callable

from modelyard.safety.data import length, number
from modelyard.safety.machine import Machine
from modelyard.safety.stream import HaltError
from modelyard.safety.values import HELD, Grouped, Long, Made, Mapped, Reference, Unknown, Value

FAR = 4096
"""How far ahead of the memo an index may lie."""


def _index(machine: Machine) -> int:
    """An index of the memo that is written out."""
    found = number(machine.reader.line(), 10)
    if isinstance(found, Long) or found < 0:
        raise HaltError("an index of the memo was expected")
    return found


def _remember(machine: Machine, index: int) -> None:
    top = machine.stack[-1]
    if index > len(machine.memo) + FAR:
        machine.watcher.oddity("memory-bomb", f"asks for a memo of {index:,} places", machine.reader.offset)
    machine.memo[index] = top


def _binput(machine: Machine) -> None:
    machine.memo[machine.reader.take(1)[0]] = machine.stack[-1]


def _memoize(machine: Machine) -> None:
    memo = machine.memo
    memo[len(memo)] = machine.stack[-1]


def _recall(machine: Machine, index: int) -> None:
    try:
        machine.stack.append(machine.memo[index])
    except KeyError:
        raise HaltError(f"nothing was put into place {index} of the memo") from None


def _mark(machine: Machine) -> None:
    machine.below.append(machine.stack)
    machine.stack = []


def _pop(machine: Machine) -> None:
    if machine.stack:
        machine.stack.pop()
    else:
        machine.pop_mark()


def _tuple(machine: Machine) -> None:
    items = machine.pop_mark()
    machine.hold(items)
    machine.push(tuple(items))


def _short_tuple(count: int) -> Callable[[Machine], None]:
    def make(machine: Machine) -> None:
        stack = machine.stack
        if len(stack) < count:
            raise HaltError("the stack is empty")
        items = tuple(stack[-count:])
        machine.hold(items)
        stack[-count:] = [items]

    return make


def _list(machine: Machine) -> None:
    items = machine.pop_mark()
    machine.hold(items)
    machine.push(items[:HELD])


def _dict(machine: Machine) -> None:
    pairs = machine.pop_mark()
    if len(pairs) % 2:
        raise HaltError("a key without a value")
    machine.hold(pairs)
    made = Mapped(pairs[: 2 * HELD])
    machine.watcher.pairs(made, pairs, machine.reader.offset - 1)
    machine.push(made)


def _frozen_set(machine: Machine) -> None:
    items = machine.pop_mark()
    machine.hold(items)
    machine.push(Grouped(items[:HELD], frozen=True))


def _put_in(machine: Machine, how: str, items: list[Value]) -> None:
    """Adds items to what is on top of the stack."""
    target = machine.stack[-1]
    machine.hold(items)
    if isinstance(target, list) and how == "append":
        target.extend(items[: max(0, HELD - len(target))])
    elif isinstance(target, Mapped) and how == "set items":
        if len(items) % 2:
            raise HaltError("a key without a value")
        machine.watcher.pairs(target, items, machine.reader.offset - 1)
        target.pairs.extend(items[: max(0, 2 * HELD - len(target.pairs))])
    elif isinstance(target, Grouped) and how == "add" and not target.frozen:
        target.items.extend(items[: max(0, HELD - len(target.items))])
    else:
        if how == "set items":
            machine.watcher.pairs(target, items, machine.reader.offset - 1)
        machine.watcher.fill(how, target, items, machine.reader.offset - 1)
        if items and not isinstance(target, Made | Reference | Unknown):
            machine.fails("items go into what cannot hold them")


def _last(machine: Machine, count: int) -> list[Value]:
    if len(machine.stack) <= count:
        raise HaltError("the stack is empty")
    items = machine.stack[-count:]
    del machine.stack[-count:]
    return items


def _outside(what: str, count: int = 0) -> Callable[[Machine], None]:
    """A value that the stream does not hold: by a code of so many bytes, or a buffer."""

    def ask(machine: Machine) -> None:
        at = machine.reader.offset - 1
        code = int.from_bytes(machine.reader.take(count), "little") if count else None
        machine.push(machine.watcher.outside(what, code, at))

    return ask


def _same_buffer(machine: Machine) -> None:
    if not isinstance(machine.stack[-1], bytes | bytearray | Long | Unknown):
        machine.fails("a buffer was expected")


CONTAINERS: dict[str, Callable[[Machine], object]] = {
    "MARK": _mark,
    "POP": _pop,
    "POP_MARK": Machine.pop_mark,
    "DUP": lambda machine: machine.push(machine.stack[-1]),
    "NONE": lambda machine: machine.stack.append(None),
    "APPEND": lambda machine: _put_in(machine, "append", _last(machine, 1)),
    "DICT": _dict,
    "EMPTY_DICT": lambda machine: machine.push(Mapped([])),
    "APPENDS": lambda machine: _put_in(machine, "append", machine.pop_mark()),
    "GET": lambda machine: _recall(machine, _index(machine)),
    "BINGET": lambda machine: _recall(machine, machine.reader.take(1)[0]),
    "LONG_BINGET": lambda machine: _recall(machine, length(machine, 4)),
    "LIST": _list,
    "EMPTY_LIST": lambda machine: machine.push([]),
    "PUT": lambda machine: _remember(machine, _index(machine)),
    "BINPUT": _binput,
    "LONG_BINPUT": lambda machine: _remember(machine, length(machine, 4)),
    "SETITEM": lambda machine: _put_in(machine, "set items", _last(machine, 2)),
    "TUPLE": _tuple,
    "EMPTY_TUPLE": lambda machine: machine.push(()),
    "SETITEMS": lambda machine: _put_in(machine, "set items", machine.pop_mark()),
    "EXT1": _outside("extension", 1),
    "EXT2": _outside("extension", 2),
    "EXT4": _outside("extension", 4),
    "TUPLE1": _short_tuple(1),
    "TUPLE2": _short_tuple(2),
    "TUPLE3": _short_tuple(3),
    "EMPTY_SET": lambda machine: machine.push(Grouped([])),
    "ADDITEMS": lambda machine: _put_in(machine, "add", machine.pop_mark()),
    "FROZENSET": _frozen_set,
    "MEMOIZE": _memoize,
    "NEXT_BUFFER": _outside("buffer"),
    "READONLY_BUFFER": _same_buffer,
}
