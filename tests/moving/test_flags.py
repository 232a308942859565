"""Flags of chattr(1): those that a target knows are kept, and what nobody may take away is refused before a copy."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import makers
from apply import work
from modelyard.apply import journal as journals
from modelyard.apply.disk import Disk
from modelyard.apply.journal import Ledger
from moving.making import apply, contents, plan_for
from typed import Run as Command
from walk.disks import fresh_disk, run

MODEL = Path(".lmstudio/models/acme/tiny/tiny-Q4_0.gguf")


def flags(path: Path) -> str:
    """What lsattr(1) says of a path, without how its bytes are laid out."""
    told = subprocess.run(["lsattr", "-d", path], capture_output=True, text=True, check=True).stdout.split()[0]
    return told.replace("-", "").replace("e", "")


@contextmanager
def flagged(how: str, path: Path) -> Iterator[None]:
    """A path with a flag."""
    run("chattr", f"+{how}", path)
    try:
        yield
    finally:
        run("chattr", f"-{how}", path)


def folder(base: Path) -> Path:
    """A folder for the image of the first disk."""
    (base / "one").mkdir()
    return base / "one"


@pytest.mark.parametrize(
    ("kind", "given", "kept"), [("ext4", "dA", "dA"), ("btrfs", "C", "C"), ("xfs", "dA", "dA"), ("tmpfs", "dA", "dA")]
)
def test_flags_that_the_target_knows_are_kept(kind: str, given: str, kept: str, tmp_path: Path, home: Path) -> None:
    with fresh_disk("btrfs" if "C" in given else "ext4", folder(tmp_path)) as one, fresh_disk(kind, tmp_path) as disk:
        makers.write(one / "store" / "below" / "plain", b"p" * 70_000)
        (odd := one / "store" / "odd").write_bytes(b"")
        run("chattr", f"+{given}", one / "store" / "below", odd)
        odd.write_bytes(b"o" * 70_000)
        before = contents(one / "store")
        ledger = apply(home, plan_for(one / "store", disk / "store", home, linked=True), Disk())
        assert set(ledger.states) == {"done"}, ledger.reasons
        assert contents(disk / "store") == before
        told = [flags(disk / "store" / name) for name in ("below", "odd", "below/plain")]
        assert told == [kept, kept, ""]


def test_flags_that_the_target_does_not_know_are_no_hindrance(tmp_path: Path, home: Path) -> None:
    with fresh_disk("btrfs", folder(tmp_path)) as one, fresh_disk("xfs", tmp_path) as disk:
        (one / "store").mkdir()
        run("chattr", "+C", one / "store")
        (one / "store" / "file").write_bytes(b"here")
        ledger = apply(home, plan_for(one / "store", disk / "store", home, linked=False), Disk())
        assert set(ledger.states) == {"done"}, ledger.reasons
        assert (disk / "store" / "file").read_bytes() == b"here"


@pytest.mark.parametrize("how", ["i", "a"])
@pytest.mark.parametrize("place", [MODEL, MODEL.parent, Path(".lmstudio/models"), Path(".lmstudio")])
def test_what_nobody_may_take_away_is_refused_before_anything_is_copied(
    run: Command, home: Path, tmp_path: Path, how: str, place: Path
) -> None:
    model = makers.write(home / MODEL, b"GGUF" * 1000)
    makers.write(home / ".lmstudio" / "settings.json", "{}")
    with fresh_disk("tmpfs", tmp_path) as disk, flagged(how, home / place):
        for words in (["--dry-run"], ["--yes"]):
            answer = run("move", "lmstudio", str(disk), *words)
            assert answer.code == 4, answer.out
            assert f"{home / place} is {'immutable' if how == 'i' else 'append-only'}" in answer.err
            assert f"`chattr -{how} {home / place}` ends that" in answer.err
        assert not list(disk.iterdir())
    assert model.read_bytes() == b"GGUF" * 1000


def test_a_rename_keeps_what_cannot_be_removed(run: Command, home: Path) -> None:
    model = makers.write(home / MODEL, b"GGUF" * 1000)
    makers.write(home / ".lmstudio" / "settings.json", "{}")
    with flagged("i", model):
        assert run("move", "lmstudio", str(home / "models"), "--yes").code == 0
        assert flags(home / "models" / "acme" / "tiny" / model.name) == "i"
        assert run("undo").code == 0
        assert flags(model) == "i"


@pytest.mark.parametrize("name", ["many/3", "snapshots"])
def test_what_became_immutable_since_the_plan_is_not_copied(name: str, tmp_path: Path, home: Path) -> None:
    source = home / "store"
    for number in range(5):
        makers.write(source / "many" / str(number), b"%d" % number * 100)
    makers.write(source / "snapshots" / "one", b"1")
    with fresh_disk("tmpfs", tmp_path) as disk:
        plan = plan_for(source, disk / "store", home, linked=True)
        with flagged("i", source / name):
            ledger = apply(home, plan, Disk())
            assert "done" not in ledger.states
            assert "immutable" in " ".join(ledger.reasons.values()) or "changed" in " ".join(ledger.reasons.values())
            assert not os.path.lexists(disk / "store")


def test_purge_names_what_in_the_trash_is_immutable(home: Path) -> None:
    locked = makers.write(home / "things" / "folder" / "locked", b"here")
    plan = work.plan_for([locked.parent], home)
    work.apply(home, plan, Disk())
    (waiting,) = home.rglob("locked")
    with flagged("i", waiting):
        work.throw_away(home, plan, Disk())
        found = journals.read(work.journal_file(home, plan))
        assert isinstance(found, Ledger)
        assert found.reasons[0].startswith(f"{waiting} is immutable: `chattr -i` ends that")
    work.throw_away(home, plan, Disk())
    assert not waiting.exists()
