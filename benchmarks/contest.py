"""Runs programs one after the other, round by round, so that a noisy machine hits all of them alike."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median


@dataclass(slots=True)
class Runs:
    """What the rounds of one program took: wall and processor seconds, and peak memory in bytes."""

    wall: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)
    memory: list[int] = field(default_factory=list)
    alone: list[float] = field(default_factory=list)
    """Wall seconds without the start of Python, where the program tells them; else the same as `wall`."""


def once(command: Sequence[str], folder: Path) -> tuple[float, float, int, str]:
    """Wall seconds, processor seconds, peak bytes of the largest process, and what it printed."""
    with tempfile.TemporaryFile() as out:
        started = time.perf_counter()
        child = subprocess.Popen(command, stdout=out, stderr=subprocess.DEVNULL, cwd=folder)
        _, status, used = os.wait4(child.pid, 0)
        wall = time.perf_counter() - started
        child.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        text = out.read(4_000_000).decode("utf-8", "replace")
    return wall, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024, text


def contest(
    commands: Mapping[str, Sequence[str]],
    folder: Path,
    rounds: int,
    after: Callable[[], object] = lambda: None,
    *,
    warm: bool = False,
) -> dict[str, Runs]:
    """One unmeasured round unless the cache is `warm`, then the measured ones, each in another order.

    `after` every run something is done that nobody measures: what the run left is taken away.
    """
    results = {name: Runs() for name in commands}
    names = list(commands)
    for turn in range(int(warm), rounds + 1):
        shift = turn % len(names)
        for name in names[shift:] + names[:shift]:
            found = once(commands[name], folder)
            after()
            if turn:
                _take(results[name], *found)
    return results


def _take(runs: Runs, wall: float, processor: float, memory: int, said: str) -> None:
    runs.wall.append(wall)
    runs.processor.append(processor)
    runs.memory.append(memory)
    told = said.rpartition("alone ")[2] if "alone " in said else wall
    runs.alone.append(float(told))


def ratio(mine: Runs, other: Runs) -> float:
    """The median of the rounds' ratios."""
    return median(a / b for a, b in zip(mine.alone, other.alone, strict=True))
