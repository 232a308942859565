"""The instructions that run code: names that are looked up, calls, states that are given, ids that a loader answers."""

from __future__ import annotations

import codecs
from collections.abc import Callable

from modelyard.safety.machine import Machine
from modelyard.safety.stream import HaltError
from modelyard.safety.values import How, Long, Made, Mapped, Reference, Unknown, Value, is_plain

LOOKED = 64
"""Bytes of a long line that must be text: what begins with others is no name to any loader."""


def _two_lines(machine: Machine, encoding: str) -> tuple[str, str] | None:
    """A module and a name in it; None where they are too long to be names."""
    module, name = machine.reader.line(), machine.reader.line()
    try:
        if isinstance(module, Long) or isinstance(name, Long):
            for long in (each for each in (module, name) if isinstance(each, Long)):
                codecs.getincrementaldecoder(encoding)().decode(machine.reader.look(long.offset, LOOKED))
            return None
        return module.decode(encoding), name.decode(encoding)
    except UnicodeDecodeError:
        raise HaltError("a name is not text") from None


def _named(machine: Machine, encoding: str, at: int) -> Value:
    words = _two_lines(machine, encoding)
    if words is None:
        machine.watcher.unnameable("a very long text", "a very long text", at)
        return Unknown("a name of great length")
    return machine.name(*words, at)


def _global(machine: Machine) -> None:
    machine.push(_named(machine, "utf-8", machine.reader.offset - 1))


def _stack_global(machine: Machine) -> None:
    at = machine.reader.offset - 1
    stack = machine.stack
    if len(stack) < 2:
        raise HaltError("the stack is empty")
    name, module = stack.pop(), stack.pop()
    if type(module) is str and type(name) is str:
        machine.push(machine.name(module, name, at))
        return
    computed = not is_plain(module) or not is_plain(name)
    computed = computed or isinstance(module, Long) or isinstance(name, Long)
    if not computed or not machine.watcher.unnameable(module, name, at):
        machine.fails("a name that is not text")
    machine.push(Unknown("a name that is computed"))


def _call(machine: Machine, how: How, callee: Value, arguments: Value, named: Value, at: int) -> None:
    if is_plain(callee) or isinstance(callee, tuple | list | Mapped):
        machine.fails("what is called is data")
        machine.push(Unknown("the result of a call to data"))
        return
    if how == "REDUCE" and (found := machine.watcher.attribute(callee, arguments)) is not None:
        machine.guarded = machine.watcher.reference(found, at) or machine.guarded
        machine.push(found)
        return
    made = Made(callee if isinstance(callee, Reference) else None, how, arguments, named)
    machine.watcher.call(callee, made, at)
    machine.push(made)


def _reduce(machine: Machine) -> None:
    at, stack = machine.reader.offset - 1, machine.stack
    arguments = stack.pop()
    _call(machine, "REDUCE", stack.pop(), arguments, None, at)


def _new(machine: Machine) -> None:
    at, stack = machine.reader.offset - 1, machine.stack
    arguments = stack.pop()
    _call(machine, "NEWOBJ", stack.pop(), arguments, None, at)


def _new_named(machine: Machine) -> None:
    at, stack = machine.reader.offset - 1, machine.stack
    named, arguments = stack.pop(), stack.pop()
    _call(machine, "NEWOBJ_EX", stack.pop(), arguments, named, at)


def _obj(machine: Machine) -> None:
    at = machine.reader.offset - 1
    items = machine.pop_mark()
    if not items:
        raise HaltError("the stack is empty")
    machine.hold(items[1:])
    _call(machine, "OBJ", items[0], tuple(items[1:]), None, at)


def _inst(machine: Machine) -> None:
    at = machine.reader.offset - 1
    callee = _named(machine, "ascii", at)
    items = machine.pop_mark()
    machine.hold(items)
    _call(machine, "INST", callee, tuple(items), None, at)


def _build(machine: Machine) -> None:
    at, stack = machine.reader.offset - 1, machine.stack
    state = stack.pop()
    machine.hold([state])
    target = stack[-1]
    machine.watcher.build(target, state, at)
    if isinstance(target, Made):
        target.state, target.built = state, True
    if machine.building is not None:
        machine.building(machine, target)


def _persistent(machine: Machine) -> None:
    at = machine.reader.offset - 1
    line = machine.reader.line()
    if isinstance(line, bytes) and not line.isascii():
        raise HaltError("a persistent id is not text")
    machine.push(machine.watcher.outside("persistent", line.decode() if isinstance(line, bytes) else line, at))


def _binary_persistent(machine: Machine) -> None:
    at = machine.reader.offset - 1
    about = machine.stack.pop()
    machine.hold([about])
    machine.push(machine.watcher.outside("persistent", about, at))


ACTING: dict[str, Callable[[Machine], None]] = {
    "GLOBAL": _global,
    "STACK_GLOBAL": _stack_global,
    "REDUCE": _reduce,
    "NEWOBJ": _new,
    "NEWOBJ_EX": _new_named,
    "OBJ": _obj,
    "INST": _inst,
    "BUILD": _build,
    "PERSID": _persistent,
    "BINPERSID": _binary_persistent,
}
