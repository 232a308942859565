"""Runs the machine over a stream: one instruction after the other, within its budgets."""

from __future__ import annotations

from collections.abc import Callable

from modelyard.safety.acting import ACTING
from modelyard.safety.containers import CONTAINERS
from modelyard.safety.data import DATA
from modelyard.safety.machine import Machine, Run
from modelyard.safety.opcodes import OPCODES
from modelyard.safety.stream import GivenUpError, HaltError
from modelyard.safety.values import Value

STEPS = 100_000_000
ENTRIES = 8_000_000
"""Values on the stack and in the memo together."""
TEXT = 256 << 20
"""Bytes of texts that are kept."""
PAUSE = 1 << 15
"""Steps between two looks at the budgets."""

Handler = Callable[[Machine], object]
STOP = ord(".")


def _unheard_of(machine: Machine) -> object:
    raise HaltError("an instruction that no protocol knows")


def _handlers() -> list[Handler]:
    """What each byte does."""
    named = {**DATA, **CONTAINERS, **ACTING}
    table: list[Handler] = [_unheard_of] * 256
    for opcode in OPCODES:
        if opcode.code != STOP:
            table[opcode.code] = named[opcode.name]
    return table


HANDLERS = _handlers()


def run(machine: Machine) -> Run:
    """Follows a stream up to its STOP, an error, or the end of a budget. Never raises for what the stream holds."""
    start = machine.reader.offset
    value: Value = None
    given_up = False
    try:
        _follow(machine)
        value = machine.stack[-1]
    except HaltError as error:
        machine.stops(str(error))
        given_up = isinstance(error, GivenUpError)
    except IndexError:
        machine.stops("the stack is empty")
    except OSError as error:
        machine.stops(f"the disk could not deliver it: {error.strerror}")
        given_up = True
    reader = machine.reader
    return Run(start, reader.offset, machine.steps, machine.broken, machine.broken_at, value, reader.crossed, given_up)


def _follow(machine: Machine) -> None:
    reader, does = machine.reader, HANDLERS
    while True:
        for step in range(PAUSE):
            at = reader.at
            if at < reader.limit:
                code = reader.window[at]
                reader.at = at + 1
            else:
                code = reader.take(1)[0]
            if code == STOP:
                machine.steps += step + 1
                return
            does[code](machine)
        machine.steps += PAUSE
        _keep_budget(machine)


def _keep_budget(machine: Machine) -> None:
    entries = len(machine.stack) + len(machine.memo) + len(machine.below)
    if machine.steps > STEPS or entries > ENTRIES or machine.text > TEXT:
        raise GivenUpError(f"it goes on after {machine.steps:,} instructions: longer than what is followed")
