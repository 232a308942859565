"""Stopped or refused at every call: the old place or the new one is whole, and the next run completes."""

from __future__ import annotations

import errno
import itertools
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import makers
from apply.work import CALLS, Crash, take_back
from modelyard.apply.disk import Disk
from modelyard.plan import Plan
from moving.making import again, apply, contents, plan_for, settle, specials
from walk.disks import mounted

MORE = (
    "blank",
    "put",
    "symlink",
    "own",
    "stamp",
    "attribute",
    "sync_disk",
    "share",
    "reserve",
    "start_writing",
    "special",
)
NEVER = 1 << 30


class Stopping(Disk):
    """A disk that stops for good at one call, or refuses that one with an error."""

    def __init__(self, stop: int, number: int = 0) -> None:
        super().__init__()
        self.calls, self._stop, self._number = 0, stop, number

    def __getattribute__(self, name: str) -> object:
        method = super().__getattribute__(name)
        if name not in CALLS + MORE:
            return method

        def counted(*arguments: object) -> object:
            self.calls += 1
            if self._number and self.calls == self._stop:
                raise OSError(self._number, os.strerror(self._number))
            if not self._number and self.calls >= self._stop:
                if name in ("append", "put") and self.calls == self._stop:
                    half = arguments[1]
                    assert isinstance(half, bytes)
                    method(arguments[0], half[: len(half) // 2], *arguments[2:])
                raise Crash
            return method(*arguments)

        return counted


@pytest.fixture
def home(memory: Path) -> Path:
    """A home in memory: what stops a program takes nothing of it away."""
    return memory


@pytest.fixture(scope="module")
def memory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A file system in memory."""
    with mounted("tmpfs", tmp_path_factory.mktemp("home") / "m", "-t", "tmpfs", "-o", "size=64M") as folder:
        yield folder


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Another file system."""
    with mounted("tmpfs", tmp_path_factory.mktemp("disk") / "m", "-t", "tmpfs", "-o", "size=64M") as folder:
        yield folder


def small(home: Path) -> Path:
    """A store with something of each kind that is copied in its own way."""
    root = home / "store"
    makers.write(root / "a", b"a" * 5000)
    os.link(root / "a", root / "b")
    makers.write(root / "in" / "c", b"c")
    (root / "in" / "link").symlink_to("../a")
    (root / "whole").symlink_to(root / "a")
    specials(root)
    os.setxattr(root / "a", "user.x", b"y")
    return root


def fresh(home: Path, elsewhere: Path, linked: bool) -> tuple[Path, Path, Plan, dict[str, str]]:
    """Everything as it was before."""
    for each in [*home.iterdir(), *elsewhere.iterdir()]:
        shutil.rmtree(each) if each.is_dir() and not each.is_symlink() else each.unlink()
    source, target = small(home), elsewhere / "store"
    (home / "settings.ini").write_text("old\n")
    return source, target, plan_for(source, target, home, linked=linked), contents(source)


def is_whole(source: Path, target: Path, before: dict[str, str], linked: bool, home: Path) -> None:
    """What the owner opens shows everything: by the link, or by the settings."""
    place = source if linked else target if str(target) in (home / "settings.ini").read_text() else source
    assert contents(place.resolve()) == before
    half = [each for each in target.parent.iterdir() if each.name == target.name]
    assert not half or contents(target) == before


def swept(home: Path, elsewhere: Path, linked: bool, act: Callable[[Plan, int], bool]) -> int:
    """Lets the act go wrong at every call, one after the other; how often it did."""
    at = 0
    while True:
        at += 1
        source, target, plan, before = fresh(home, elsewhere, linked)
        went_wrong = act(plan, at)
        is_whole(source, target, before, linked, home)
        if not went_wrong:
            return at - 1
        ledger = settle(home, plan, Disk())
        is_whole(source, target, before, linked, home)
        moved = ledger is not None and set(ledger.states) == {"done"}
        if not moved:
            assert contents(source) == before, at
            assert not source.is_symlink()
            assert not target.exists()
        again(source, target, home, linked=linked)
        assert contents(target) == before, at
        assert [each.name for each in elsewhere.iterdir()] == ["store"], at
        left = {each.name for each in home.iterdir()}
        assert left <= {"store", "settings.ini", "state", "own"}, left


@pytest.mark.parametrize("linked", [True, False], ids=["link", "setting"])
def test_stopped_at_every_call_nothing_is_lost_and_the_next_run_completes(
    home: Path, elsewhere: Path, linked: bool
) -> None:
    def act(plan: Plan, at: int) -> bool:
        try:
            apply(home, plan, Stopping(at))
        except Crash:
            return True
        return False

    assert swept(home, elsewhere, linked, act) > 60


class OneByOne(Stopping):
    """A disk that cannot exchange names, as those of other machines cannot."""

    def exchange(self, one: bytes, other: bytes) -> None:
        raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))


def test_where_names_cannot_be_exchanged_the_next_start_puts_everything_right(home: Path, elsewhere: Path) -> None:
    for at in itertools.count(1):
        source, target, plan, before = fresh(home, elsewhere, True)
        try:
            ledger = apply(home, plan, OneByOne(at))
            assert set(ledger.states) == {"done"}
        except Crash:
            settle(home, plan, OneByOne(NEVER))
        else:
            break
        is_whole(source, target, before, True, home)
    for at in itertools.count(1):
        source, target, plan, before = fresh(home, elsewhere, True)
        apply(home, plan, OneByOne(NEVER))
        try:
            take_back(home, plan, OneByOne(at))
        except Crash:
            settle(home, plan, OneByOne(NEVER))
            take_back(home, plan, OneByOne(NEVER))
        else:
            break
        assert contents(source) == before, at
        assert not source.is_symlink()


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC], ids=errno.errorcode.get)
def test_an_error_at_every_call_leaves_everything_where_it_was(home: Path, elsewhere: Path, number: int) -> None:
    def act(plan: Plan, at: int) -> bool:
        disk = Stopping(at, number)
        try:
            apply(home, plan, disk)
        except OSError as error:  # where not even the journal could be written
            assert error.errno == number
        return disk.calls >= at

    assert swept(home, elsewhere, True, act) > 60


@pytest.mark.parametrize("linked", [True, False], ids=["link", "setting"])
def test_undo_stopped_at_every_call_loses_nothing(home: Path, elsewhere: Path, linked: bool) -> None:
    at = 0
    while True:
        at += 1
        source, target, plan, before = fresh(home, elsewhere, linked)
        apply(home, plan, Disk())
        try:
            take_back(home, plan, Stopping(at))
        except Crash:
            settle(home, plan, Disk())
            is_whole(source, target, before, linked, home)
            take_back(home, plan, Disk())
        assert contents(source) == before, at
        assert not source.is_symlink()
        assert not target.exists()
        assert not [*elsewhere.iterdir()], at
        disk = Stopping(NEVER)
        source, target, plan, before = fresh(home, elsewhere, linked)
        apply(home, plan, Disk())
        take_back(home, plan, disk)
        if at >= disk.calls:
            return


@pytest.mark.parametrize("step", range(2, 60, 6))
def test_recovery_stopped_at_every_call_is_recovered_by_the_next(home: Path, elsewhere: Path, step: int) -> None:
    def until(at: int) -> tuple[Path, Path, Plan, dict[str, str]]:
        source, target, plan, before = fresh(home, elsewhere, True)
        with pytest.raises(Crash):
            apply(home, plan, Stopping(at))
        return source, target, plan, before

    _, _, plan, _ = until(step)
    disk = Stopping(NEVER)
    settle(home, plan, disk)
    for stop in range(1, disk.calls + 1):
        source, target, plan, before = until(step)
        with pytest.raises(Crash):
            settle(home, plan, Stopping(stop))
        is_whole(source, target, before, True, home)
        settle(home, plan, Disk())
        is_whole(source, target, before, True, home)
        again(source, target, home, linked=True)
        assert contents(target) == before
