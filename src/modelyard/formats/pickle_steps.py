"""What each instruction of a pickle stream does to the stack of values, by CPython's `Lib/pickletools.py`."""

from __future__ import annotations

import struct
from collections.abc import Callable

from modelyard.formats.file import BrokenError
from modelyard.formats.pickles import MARK, PERSISTENT, Listed, Machine, Made, Mapping, Reference, Value

Step = Callable[[Machine], None]


def _constant(value: Value) -> Step:
    return lambda machine: machine.push(value, 8)


def _number(code: str) -> Step:
    return lambda machine: machine.push(machine.number(code))


def _text(code: str) -> Step:
    return lambda machine: machine.push(machine.text(machine.number(code)), 64)


def _bytes(code: str) -> Step:
    return lambda machine: machine.push(machine.blob(machine.number(code), 0), 80)


def _old_text(code: str) -> Step:
    """Python 2's text: a name or numbers, as short ones are, or an array's bytes."""

    def step(machine: Machine) -> None:
        data = machine.blob(machine.number(code))
        if isinstance(data, bytes):
            try:
                machine.push(data.decode("ascii"), 64)
                return
            except UnicodeDecodeError:
                pass
        machine.push(data, 64)

    return step


def _float_line(machine: Machine) -> None:
    machine.push(float(machine.line()))


def _int_line(machine: Machine) -> None:
    line = machine.line()
    machine.push(line == "01" if line in ("00", "01") else int(line.rstrip("L")[:4000]))


def _float(machine: Machine) -> None:
    machine.push(float(struct.unpack(">d", machine.take(8))[0]))


def _quoted(machine: Machine) -> None:
    line = machine.line()
    machine.push(line[1:-1] if line[:1] in "'\"" else line, 64 + len(line))


def _long(code: str) -> Step:
    def step(machine: Machine) -> None:
        length = machine.number(code)
        data = machine.blob(length)
        machine.push(int.from_bytes(data, "little", signed=True) if isinstance(data, bytes) else data, 64)

    return step


def _sequence(machine: Machine) -> None:
    machine.push(tuple(machine.marked()), 64)


def _tuple(count: int) -> Step:
    def step(machine: Machine) -> None:
        found = [machine.pop() for _ in range(count)]
        machine.push(tuple(reversed(found)), 80)

    return step


def _listed(machine: Machine) -> None:
    machine.push(Listed(machine.marked()), 120)


def _frozen(machine: Machine) -> None:
    machine.push(Listed(machine.marked(), "frozenset"), 120)


def _mapped(machine: Machine) -> None:
    made = Mapping()
    _pairs(machine, made, machine.marked())
    machine.push(made, 120)


def _fill(machine: Machine, items: list[Value]) -> None:
    target = machine.stack[-1] if machine.stack else None
    machine.spend(16 * len(items))
    if isinstance(target, Listed | Made):
        target.items.extend(items)


def _pairs(machine: Machine, target: Value, flat: list[Value]) -> None:
    machine.spend(80 * len(flat))
    if isinstance(target, Mapping | Made):
        target.pairs.extend(zip(flat[::2], flat[1::2], strict=False))


def _append(machine: Machine) -> None:
    _fill(machine, [machine.pop()])


def _appends(machine: Machine) -> None:
    _fill(machine, machine.marked())


def _set_item(machine: Machine) -> None:
    value, key = machine.pop(), machine.pop()
    _pairs(machine, machine.stack[-1] if machine.stack else None, [key, value])


def _set_items(machine: Machine) -> None:
    flat = machine.marked()
    _pairs(machine, machine.stack[-1] if machine.stack else None, flat)


def _global(machine: Machine) -> None:
    module = machine.line()
    machine.push(machine.refer(module, machine.line()), 64)


def _stack_global(machine: Machine) -> None:
    name, module = machine.pop(), machine.pop()
    if not isinstance(name, str) or not isinstance(module, str):
        raise BrokenError("has a pickle that makes up the name of what it calls", "deceptive")
    machine.push(machine.refer(module, name), 64)


def _made(machine: Machine, called: Value, args: Value) -> None:
    machine.push(Made(_name(called), args), 260)


def _name(called: Value) -> str:
    if isinstance(called, Reference):
        return called.name
    if not isinstance(called, Made):
        return "?"
    kind = called.args
    if called.what == PERSISTENT and isinstance(kind, tuple) and kind[:1] == ("module",) and len(kind) > 1:
        return _name(kind[1])  # torch once saved the source of a class beside it
    return called.what


def _reduce(machine: Machine) -> None:
    args = machine.pop()
    _made(machine, machine.pop(), args)


def _new(machine: Machine) -> None:
    args = machine.pop()
    machine.push(Made(_name(machine.pop()), args, new=True), 260)


def _new_with_words(machine: Machine) -> None:
    words, args, called = machine.pop(), machine.pop(), machine.pop()
    _made(machine, called, (args, words))


def _object(machine: Machine) -> None:
    found = machine.marked()
    _made(machine, found[0] if found else None, tuple(found[1:]))


def _instance(machine: Machine) -> None:
    module = machine.line()
    called = machine.refer(module, machine.line())
    _made(machine, called, tuple(machine.marked()))


def _build(machine: Machine) -> None:
    state = machine.pop()
    target = machine.pop()
    machine.stack.append(target)
    if isinstance(target, Made):
        target.state = state
        if machine.filled:
            machine.filled(machine, target)


def _persistent(machine: Machine) -> None:
    _outside(machine, machine.pop())


def _persistent_line(machine: Machine) -> None:
    _outside(machine, machine.line())


def _outside(machine: Machine, name: Value) -> None:
    machine.persistent.append(Made(PERSISTENT, name))
    machine.push(machine.persistent[-1], 280)


def _extension(code: str) -> Step:
    return lambda machine: machine.push(machine.refer("copyreg", f"extension {machine.number(code)}"), 64)


def _recall(place: Callable[[Machine], int]) -> Step:
    def step(machine: Machine) -> None:
        at = place(machine)
        if at not in machine.memo:
            raise BrokenError(f"has a pickle that remembers nothing at {at:,}")
        machine.push(machine.memo[at], 8)

    return step


def _remember(place: Callable[[Machine], int]) -> Step:
    return lambda machine: machine.keep(place(machine))


def _protocol(machine: Machine) -> None:
    machine.protocol = machine.number("B")
    if machine.protocol > 5:
        raise BrokenError(f"has a pickle of protocol {machine.protocol}", "unsupported")


def _duplicate(machine: Machine) -> None:
    value = machine.pop()
    machine.stack.append(value)
    machine.push(value, 8)


def _drop(machine: Machine) -> None:
    if machine.stack:
        machine.stack.pop()


def _of(code: str) -> Callable[[Machine], int]:
    return lambda machine: machine.number(code)


def _of_line(machine: Machine) -> int:
    return int(machine.line()[:20])


STEPS: dict[bytes, Step] = {
    b"\x80": _protocol, b"\x95": lambda machine: (machine.take(8), None)[1], b"(": lambda m: m.push(MARK, 8),
    b"N": _constant(None), b"\x88": _constant(True), b"\x89": _constant(False), b")": _constant(()),
    b"K": _number("<B"), b"M": _number("<H"), b"J": _number("<i"), b"I": _int_line, b"L": _int_line,
    b"F": _float_line, b"G": _float, b"\x8a": _long("<B"), b"\x8b": _long("<i"),
    b"X": _text("<I"), b"\x8c": _text("<B"), b"\x8d": _text("<Q"), b"V": _quoted, b"S": _quoted,
    b"U": _old_text("<B"), b"T": _old_text("<i"), b"B": _bytes("<I"), b"C": _bytes("<B"), b"\x8e": _bytes("<Q"),
    b"\x96": _bytes("<Q"), b"\x97": _constant(None), b"\x98": lambda machine: None,
    b"]": lambda m: m.push(Listed(), 120), b"}": lambda m: m.push(Mapping(), 120),
    b"\x8f": lambda m: m.push(Listed(kind="set"), 120), b"\x91": _frozen, b"l": _listed, b"d": _mapped, b"t": _sequence,
    b"\x85": _tuple(1), b"\x86": _tuple(2), b"\x87": _tuple(3), b"a": _append, b"e": _appends, b"\x90": _appends,
    b"s": _set_item, b"u": _set_items, b"c": _global, b"\x93": _stack_global, b"R": _reduce, b"\x81": _new,
    b"\x92": _new_with_words, b"o": _object, b"i": _instance, b"b": _build, b"Q": _persistent, b"P": _persistent_line,
    b"\x82": _extension("<B"), b"\x83": _extension("<H"), b"\x84": _extension("<i"),
    b"g": _recall(_of_line), b"h": _recall(_of("<B")), b"j": _recall(_of("<I")),
    b"p": _remember(_of_line), b"q": _remember(_of("<B")), b"r": _remember(_of("<I")),
    b"\x94": lambda machine: machine.keep(len(machine.memo)), b"0": _drop, b"1": lambda m: (m.marked(), None)[1],
    b"2": _duplicate,
}  # fmt: skip
"""The step of every instruction of protocols 0 to 5 but STOP."""
