"""Killed at any time: the sample workstation is whole again after the next start and one undo."""

from __future__ import annotations

import os
import random
import signal
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from apply.work import apply, journal_file, places, plan_for, settle, take_back
from modelyard import api
from modelyard.apply import marks
from modelyard.apply.disk import Disk
from modelyard.apply.journal import Ledger
from modelyard.demo.build import build
from modelyard.plan import Plan
from modelyard.policies.removal import steps
from modelyard.walk.tree import walk
from walk.disks import mounted

KILLS = 200


def sight(home: Path) -> dict[str, tuple[int, int, int]]:
    """Every name with its inode, size and time of writing: a rename changes none of them."""
    found = {}
    for folder, folders, files in os.walk(home / "w"):
        for name in (*folders, *files):
            seen = os.lstat(path := f"{folder}/{name}")
            found[path] = (seen.st_ino, 0, 0) if stat.S_ISDIR(seen.st_mode) else _written(seen)
    return found


def _written(seen: os.stat_result) -> tuple[int, int, int]:
    return seen.st_ino, seen.st_size, seen.st_mtime_ns


def plan_of(home: Path) -> Plan:
    """Everything that the workstation's stores hold."""
    found = api.survey({}, home / "w", "linux", system=False)
    made = steps(found.tree, found.claims, found.artifacts, set(range(len(found.artifacts))), {})
    blank = plan_for([], home)
    return Plan("clean", "", blank.origin, made, [], 0, True, "unproven", []).sealed()


def anew(home: Path, plan: Plan, salt: int) -> Plan:
    """The same as a plan of its own, with the marks that things have now."""
    seen = walk([home / "w"])
    made = [replace(step, expect=marks.take(bytes(step.path), seen)) for step in plan.steps]
    return replace(plan, steps=made, created=f"{salt}").sealed()


def killed(home: Path, plan: Plan, seconds: float) -> None:
    """The plan applied and undone in a process that is killed after so many seconds."""
    pid = os.fork()
    if pid == 0:
        try:
            apply(home, plan, Disk())
            take_back(home, plan, Disk())
        finally:
            os._exit(0)
    time.sleep(seconds)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Path]:
    """A file system in memory: a killed process loses nothing that it wrote, so nothing need reach a medium."""
    with mounted("tmpfs", tmp_path / "memory", "-t", "tmpfs", "-o", "size=512M") as folder:
        yield folder


def test_killed_two_hundred_times_nothing_is_lost(memory: Path) -> None:
    home = memory
    build(home / "w", 1, 0.01)
    places(home)
    before = sight(home)
    rng = random.Random(7)
    everything = plan = plan_of(home)
    started = time.perf_counter()
    apply(home, plan, Disk())
    take_back(home, plan, Disk())
    whole = time.perf_counter() - started
    interrupted = 0
    for number in range(KILLS):
        plan = anew(home, everything, number)
        killed(home, plan, rng.uniform(0, whole * 1.1))
        ledger = settle(home, plan, Disk())
        if isinstance(ledger, Ledger):
            interrupted += bool(ledger.steps("done")) or bool(ledger.steps("planned"))
            take_back(home, plan, Disk())
        assert sight(home) == before, number
        if os.path.lexists(journal_file(home, plan)):
            os.unlink(journal_file(home, plan))
    assert interrupted > KILLS // 10, "the kills came too late to prove anything"
