"""A disk that gives errors instead of bytes: what was asked is not done, and nothing is lost."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from apply.work import CALLS, Failing, apply, digest, journal_file, plan_for, settle, take_back, things, throw_away
from modelyard.apply.disk import Disk
from walk.disks import MIB, mounted, run


@contextmanager
def thin(base: Path) -> Iterator[tuple[Path, Path]]:
    """An ext4 disk that promises more than there is behind it, and the memory behind it."""
    behind = base / "behind"
    with mounted("none", behind, "-t", "tmpfs", "-o", "size=24m"):
        image = behind / "image"
        with image.open("wb") as file:
            file.truncate(200 * MIB)
        run("mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=1,lazy_journal_init=1", image)
        with mounted(image, base / "thin", "-o", "loop,errors=continue") as disk:
            yield disk, behind


def exhaust(behind: Path) -> None:
    """Nothing is left behind the disk: what is written to it from now on comes back as EIO."""
    with (behind / "fill").open("wb", buffering=0) as file, pytest.raises(OSError, match="No space"):
        while True:
            file.write(bytes(4096))


def test_a_disk_that_cannot_write_any_more_loses_nothing(tmp_path: Path, home: Path) -> None:
    with thin(tmp_path) as (disk, behind):
        plan = plan_for(things(disk), disk)
        before = digest(disk)
        (home / "state").mkdir()
        (home / "own").mkdir()
        run("sync", "-f", disk)
        exhaust(behind)
        try:
            apply(home, plan, Disk())
        except OSError as error:
            assert error.errno in (errno.EIO, errno.EROFS)
        (behind / "fill").unlink()
        run("umount", disk)
        run("mount", "-o", "loop", behind / "image", disk)
        ledger = settle(home, plan, Disk())
        assert ledger
        assert set(ledger.states) <= {"planned", "refused", "done", "failed"}
        assert all(
            "Input/output" in why or "Read-only" in why or "interrupted" in why for why in ledger.reasons.values()
        )
        take_back(home, plan, Disk())
        assert digest(disk) == before


class Broken(Failing):
    """A disk whose call of this number, and every later one of its kind, fails."""

    def __init__(self, stop: int, number: int) -> None:
        super().__init__(-1)
        self._at, self._number, self._broken = stop, number, ""

    def __getattribute__(self, name: str) -> object:
        method = super().__getattribute__(name)
        if name not in CALLS:
            return method

        def failing(*arguments: object) -> object:
            if self.calls + 1 == self._at:
                self._broken = name
            if name == self._broken:
                self.calls += 1
                raise OSError(self._number, os.strerror(self._number))
            return method(*arguments)  # type: ignore[operator]

        return failing


Act = Callable[[Path, object, Disk], object]


@pytest.mark.parametrize("number", [errno.EIO, errno.EROFS, errno.ENOSPC, errno.EACCES])
@pytest.mark.parametrize("act", [apply, take_back])
def test_any_call_that_fails_from_then_on_loses_nothing(home: Path, act: Act, number: int) -> None:
    at = 0
    while True:
        at += 1
        folder = home / f"{at}"
        folder.mkdir()
        plan = plan_for(things(folder), folder)
        before = digest(folder)
        if act is take_back:
            apply(folder, plan, Disk())
        disk = Broken(at, number)
        try:
            act(folder, plan, disk)
        except OSError as error:
            assert error.errno == number
        if disk.calls < at:
            break
        if os.path.lexists(journal_file(folder, plan)) and settle(folder, plan, Disk()):
            take_back(folder, plan, Disk())
        left = {path: kind for path, kind in digest(folder).items() if ".modelyard-trash-" not in path}
        assert left == before, (at, disk._broken)
    assert at > 10


def test_a_purge_that_fails_frees_the_rest_and_can_be_repeated(home: Path) -> None:
    plan = plan_for(things(home), home)
    apply(home, plan, Disk())
    kept = digest(home)
    with suppress(OSError):
        throw_away(home, plan, Broken(4, errno.EIO))
    throw_away(home, plan, Disk())
    ledger = settle(home, plan, Disk())
    assert ledger
    assert set(ledger.states) == {"purged"}
    assert digest(home) == kept
