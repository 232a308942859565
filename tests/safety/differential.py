"""The analysis beside CPython's own machines: what they reach in a program, and what the analysis has named."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from modelyard.safety.machine import Machine, Run
from modelyard.safety.running import run
from modelyard.safety.stream import KEPT, Memory, Reader
from modelyard.safety.values import Made, Reference, Unknown, Value
from safety.programs import damaged, random_program, seeds

SANDBOX = Path(__file__).with_name("cpython_sandbox.py")
FILL = ("fill",)


class Recording:
    """What the analysis says is reached."""

    def __init__(self) -> None:
        self.events: list[tuple[Any, ...]] = []

    def reference(self, name: Reference, offset: int) -> bool:
        self.events.append(("name", name.module, name.name))
        return False

    def unnameable(self, module: Value, name: Value, offset: int) -> bool:
        self.events.append(("name", "?", "?"))
        return True

    def call(self, callee: Value, made: Made, offset: int) -> None:
        asked = f"{callee.module}\t{callee.name}" if isinstance(callee, Reference) else "?"
        self.events.append(("call", asked))

    def attribute(self, callee: Value, arguments: Value) -> Reference | None:
        return None

    def build(self, target: Value, state: Value, offset: int) -> None:
        self.events.append(("build",))

    def fill(self, how: str, target: Value, items: list[Value], offset: int) -> None:
        self.events += [FILL] * max(1, len(items))  # a dict takes half as many

    def keep(self, value: Value, offset: int) -> None:
        pass

    def pairs(self, target: Value, pairs: list[Value], offset: int) -> None:
        pass

    def outside(self, what: str, about: Value, offset: int) -> Value:
        self.events.append((what,))
        return Unknown(what)

    def looks_like_pickle(self, data: Value, offset: int) -> None:
        pass

    def oddity(self, code: str, what: str, offset: int) -> None:
        pass


def analysed(data: bytes, dropping: bool) -> tuple[Counter[tuple[Any, ...]], Run]:
    """What the analysis names in a stream."""
    seen = Recording()
    ended = run(Machine(Reader(Memory(data), dropping=dropping), seen, lambda module, name: (module, name)))
    return Counter(seen.events), ended


def reached(programs: list[bytes]) -> Iterator[dict[str, Any]]:
    """What CPython reaches, in a process of its own that only records."""
    sent = b"".join(len(each).to_bytes(4, "little") + each for each in programs)
    answer = subprocess.run(
        [sys.executable, "-I", str(SANDBOX)], input=sent, capture_output=True, check=True, timeout=300
    )
    lines = answer.stdout.splitlines()
    assert len(lines) == len(programs), answer.stderr[-500:]
    yield from (json.loads(line) for line in lines)


def _event(event: list[Any]) -> tuple[Any, ...]:
    """An event as the analysis tells it, which does not keep names that are longer than any name."""
    if max(len(str(word)) for word in event) > KEPT:
        return ("name", "?", "?") if event[0] == "name" else ("call", "?")
    return tuple(event[:2]) if event[0] == "call" else tuple(event)


def programs(rng: random.Random, count: int) -> list[bytes]:
    """Programs made of instructions, and damaged pickles."""
    known = seeds()
    return [
        random_program(rng) if rng.random() < 0.6 else damaged(rng, rng.choice(known), rng.choice(known))
        for _ in range(count)
    ]


@dataclass(slots=True)
class Compared:
    """What came of some programs. `named`: the things that CPython reached in those that it finished; `extra`: those

    that the analysis names on top of them and that CPython never reached.
    """

    programs: int = 0
    finished: int = 0
    named: int = 0
    extra: int = 0
    missed: list[tuple[object, ...]] = field(default_factory=list)
    """What was reached and not named."""
    stuck: list[tuple[object, ...]] = field(default_factory=list)
    """What CPython finishes and the analysis calls broken."""

    @property
    def share(self) -> float:
        """The share of extra ones."""
        return self.extra / self.named if self.named else 0.0


def compare(batch: list[bytes], so_far: Compared | None = None) -> Compared:
    """Runs programs by CPython, its machines only recording, and by the analysis."""
    found = so_far or Compared()
    for data, real in zip(batch, reached(batch), strict=True):
        found.programs += 1
        straight, ended = analysed(data, dropping=False)
        dropped = analysed(data, dropping=True)[0] if ended.crossed is not None else straight
        for machine, told in real.items():
            events = Counter(_event(each) for each in told["events"])
            missed = (events - straight) if machine != "memory" else min(events - straight, events - dropped, key=len)
            if machine == "file" and ended.crossed is not None:
                missed = min(missed, events - dropped, key=len)
            if missed and (ended.crossed is None or machine != "file"):
                found.missed.append((machine, data, missed))
            found.finished += told["done"]
            if told["done"] and machine == "memory":
                if ended.broken and ended.crossed is None:
                    found.stuck.append((data, ended))
                found.named += sum(count for event, count in events.items() if event != FILL)
                more = sum(count for event, count in (straight - events).items() if event != FILL)
                found.extra += more * (not ended.crossed)
    return found
