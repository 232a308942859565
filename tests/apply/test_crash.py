"""Stopped at every call: nothing is ever lost, and the next start knows where everything is."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from apply.work import (
    NEVER,
    Crash,
    Failing,
    apply,
    digest,
    plan_for,
    settle,
    take_back,
    things,
    throw_away,
)
from modelyard.apply.disk import Disk
from modelyard.apply.journal import Ledger
from modelyard.plan import Plan
from walk.disks import fresh_disk

Act = Callable[[Path, Plan, Disk], object]
DISKS = ["ext4", "xfs", "btrfs", "tmpfs"]


@pytest.fixture(params=["home", *DISKS])
def place(request: pytest.FixtureRequest, tmp_path: Path, home: Path) -> Iterator[Path]:
    """The home of the test, and a fresh file system of each kind: things, trash and journal lie on it."""
    if request.param == "home":
        yield home
    else:
        with fresh_disk(request.param, tmp_path) as folder:
            yield folder


def fresh(home: Path) -> tuple[Plan, dict[str, str]]:
    """The things as they were, without anything that modelyard made."""
    for name in ("things", "state", "own"):
        if (home / name).exists():
            for folder in [home / name, *(home / name).rglob("*")]:
                if folder.is_dir() and not folder.is_symlink():
                    folder.chmod(0o700)
            shutil.rmtree(home / name)
    return plan_for(things(home), home), digest(home)


def calls_of(home: Path, act: Act, plan: Plan) -> int:
    """How many calls the act makes."""
    disk = Failing(NEVER)
    act(home, plan, disk)
    return disk.calls


def stopped(home: Path, act: Act, plan: Plan, at: int) -> None:
    """The act until its call of this number."""
    with pytest.raises(Crash):
        act(home, plan, Failing(at))


def is_where_the_ledger_says(ledger: Ledger | None, plan: Plan) -> None:
    """Each thing is in exactly one place, and the ledger knows which."""
    for number, step in enumerate(plan.steps):
        here = os.path.lexists(bytes(step.path))
        state = ledger.states[number] if ledger else "planned"
        assert state in ("planned", "refused", "done", "undone"), state
        place = ledger.places.get(number) if ledger else None
        there = place is not None and os.path.lexists(place)
        assert here != there
        assert there == (state == "done"), (number, state)


def test_apply_stopped_at_every_call_loses_nothing(place: Path) -> None:
    plan, before = fresh(place)
    for at in range(1, calls_of(place, apply, plan) + 1):
        plan, before = fresh(place)
        stopped(place, apply, plan, at)
        ledger = settle(place, plan, Disk())
        is_where_the_ledger_says(ledger, plan)
        if ledger:
            take_back(place, plan, Disk())
        assert digest(place) == before, at


def test_undo_stopped_at_every_call_loses_nothing(place: Path) -> None:
    plan, before = fresh(place)
    apply(place, plan, Disk())
    for at in range(1, calls_of(place, take_back, plan) + 1):
        plan, before = fresh(place)
        apply(place, plan, Disk())
        stopped(place, take_back, plan, at)
        is_where_the_ledger_says(settle(place, plan, Disk()), plan)
        take_back(place, plan, Disk())
        assert digest(place) == before, at


def test_purge_stopped_at_every_call_removes_nothing_else_and_is_finished(place: Path) -> None:
    plan, _ = fresh(place)
    apply(place, plan, Disk())
    kept = digest(place)
    for at in range(1, calls_of(place, throw_away, plan) + 1):
        plan, _ = fresh(place)
        apply(place, plan, Disk())
        stopped(place, throw_away, plan, at)
        ledger = settle(place, plan, Disk())
        assert ledger
        assert set(ledger.states) in ({"purged"}, {"done"})
        if "done" in ledger.states:
            throw_away(place, plan, Disk())
        assert digest(place) == kept
        assert not [path for path in ledger.places.values() if os.path.lexists(path)]


@pytest.mark.parametrize("act", [apply, take_back, throw_away])
def test_recovery_stopped_at_every_call_is_recovered_by_the_next(home: Path, act: Act) -> None:
    def until(at: int) -> Plan:
        plan, _ = fresh(home)
        if act is not apply:
            apply(home, plan, Disk())
        stopped(home, act, plan, at)
        return plan

    plan, before = fresh(home)
    if act is not apply:
        apply(home, plan, Disk())
    for at in range(1, calls_of(home, act, plan) + 1, 2):
        plan = until(at)
        disk = Failing(NEVER)
        settle(home, plan, disk)
        for again in range(1, disk.calls + 1):
            plan = until(at)
            stopped(home, settle, plan, again)
            ledger = settle(home, plan, Disk())
            if act is throw_away:
                assert ledger
                assert set(ledger.states) in ({"purged"}, {"done"})
                continue
            is_where_the_ledger_says(ledger, plan)
            if ledger:
                take_back(home, plan, Disk())
            assert digest(home) == before
