"""Stopped at every call that changes a disk: nothing is lost, and the same command then completes."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from apply import work
from apply.work import NEVER, Blind, Crash, Failing
from archive.things import NAME, Thing, look, small
from modelyard import api
from modelyard.api import archiving, recalling, reclaim
from modelyard.apply.disk import Disk
from modelyard.stores import archived, checkpoints
from walk.disks import fresh_disk

MODULES = (archiving, recalling, reclaim)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """A home in memory, for there are many rounds."""
    with fresh_disk("tmpfs", tmp_path) as folder:
        (folder / "home").mkdir()
        yield folder / "home"


def survey(home: Path) -> api.Survey:
    """What is in the home."""
    return api.survey({}, home, "linux", system=False, adapters=(checkpoints, archived))


def away(home: Path) -> None:
    """Archives the checkpoint where it is still there."""
    seen = survey(home)
    with reclaim.Yard({}, home, "linux") as yard:
        try:
            number, _ = api.find_artifact(seen, NAME)
        except LookupError:
            return
        proposal = archiving.propose(seen, number, str(home.parent / "cold"))
        stub = archiving.send(proposal, lambda count, path: None)
        done = yard.apply_whole(archiving.plan(seen, proposal, stub))
        assert (done.skipped, done.failed) == ([], [])


def back(home: Path) -> None:
    """Brings it back where its stub is still there."""
    with reclaim.Yard({}, home, "linux") as yard:
        seen = survey(home)
        if not list((home / "runs/a").glob("*.modelyard-archived")):
            return
        wanted = recalling.find(seen, NAME)
        if not recalling.why_not(wanted):
            recalling.build(wanted, lambda count, path: None)
        done = yard.apply_whole(recalling.plan(seen, wanted))
        assert (done.skipped, done.failed) == ([], [])
        recalling.finished(wanted)


def fresh(home: Path) -> dict[bytes, Thing]:
    """The checkpoint as it was, without anything that modelyard made."""
    for place in (home / "runs", home / ".local", home.parent / "cold"):
        shutil.rmtree(place, ignore_errors=True)
    (home.parent / "cold").mkdir()
    return look(small(home))


@pytest.fixture(autouse=True)
def every_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """The calls that bring a thing back count too."""
    monkeypatch.setattr(reclaim, "Guard", lambda *_: Blind())  # no process of this machine matters here
    monkeypatch.setattr(work, "CALLS", (*work.CALLS, "symlink", "stamp", "attribute", "blank", "put"))


def on(disk: Disk, monkeypatch: pytest.MonkeyPatch, act: Callable[[Path], None], home: Path) -> None:
    """The act on a disk that may stop."""
    with monkeypatch.context() as patched:
        for module in MODULES:
            patched.setattr(module, "Disk", lambda: disk)
        act(home)


def somewhere(home: Path, before: dict[bytes, Thing]) -> bool:
    """Whether the whole checkpoint is in its place, or in the trash beside a stub."""
    trash = (home / ".local/share/modelyard").glob(".modelyard-trash-*/*/*checkpoint-5")
    return any(look(each) == before for each in (home / "runs/a/checkpoint-5", *trash) if each.is_dir())


def test_archive_stopped_at_every_call_loses_nothing_and_the_next_one_completes(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = place
    before = fresh(home)
    counting = Failing(NEVER)
    on(counting, monkeypatch, away, home)
    assert counting.calls > 40
    for at in range(1, counting.calls + 1):
        before = fresh(home)
        with pytest.raises(Crash):
            on(Failing(at), monkeypatch, away, home)
        assert somewhere(home, before), at
        away(home)
        assert not (home / "runs/a/checkpoint-5").exists(), at
        assert not [path for path in (home.parent / "cold").rglob("*") if path.name.startswith(".modelyard")], at
        if at % 4 == 0:
            shutil.rmtree(home / ".local")
            back(home)
            assert look(home / "runs/a/checkpoint-5") == before, at


def test_recall_stopped_at_every_call_loses_nothing_and_the_next_one_completes(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = place
    before = fresh(home)
    away(home)
    counting = Failing(NEVER)
    on(counting, monkeypatch, back, home)
    for at in range(1, counting.calls + 1):
        before = fresh(home)
        away(home)
        shutil.rmtree(home / ".local")  # the archive alone has it
        with pytest.raises(Crash):
            on(Failing(at), monkeypatch, back, home)
        back(home)
        assert look(home / "runs/a/checkpoint-5") == before, at
        assert not list((home / "runs/a").glob("*.modelyard-archived")), at
