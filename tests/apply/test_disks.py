"""On real file systems: what comes back is what was said, a full one can be cleaned, a broken one loses nothing."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from apply.work import NOBODY, Blind, apply, digest, plan_for, take_back, things, throw_away
from modelyard.api.reclaim import Yard
from modelyard.apply import journal as journals
from modelyard.apply.disk import Disk
from modelyard.apply.engine import Engine
from modelyard.apply.hands import Hands
from modelyard.apply.journal import Ledger
from modelyard.apply.purge import purge
from modelyard.apply.rooms import rooms
from modelyard.apply.trash import Trash
from modelyard.plan import Plan
from modelyard.walk.tree import walk
from walk.disks import MIB, fill, free_bytes, fresh_disk, loop_disk, mounted, reflink, run

KINDS = ["ext4", "xfs", "btrfs", "tmpfs"]


@pytest.fixture(params=KINDS)
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A fresh file system."""
    with fresh_disk(request.param, tmp_path) as folder:
        yield folder


def ledger_of(home: Path, plan: Plan) -> Ledger:
    """The journal of a plan, made where `work.apply` makes it."""
    found = journals.read(bytes(home / "state" / f"{plan.id}.jsonl"))
    assert isinstance(found, Ledger)
    return found


def test_apply_and_undo_on_every_file_system(disk: Path) -> None:
    plan = plan_for(things(disk), disk)
    before = digest(disk)
    apply(disk, plan, Disk())
    assert ledger_of(disk, plan).states == ["done"] * len(plan.steps)
    assert sorted(digest(disk)) == [str(disk / "things" / "stays")]
    take_back(disk, plan, Disk())
    assert digest(disk) == before


def test_purge_frees_what_the_tree_said(disk: Path) -> None:
    files = [fill(disk / "things" / f"{number}", 3 * MIB) for number in range(3)]
    plan = plan_for(files, disk)
    run("sync", "-f", disk)
    said = walk([disk]).freed(files).freed
    before = free_bytes(disk)
    apply(disk, plan, Disk())
    throw_away(disk, plan, Disk())
    assert free_bytes(disk) - before == pytest.approx(said, rel=0.001, abs=3 * 4096 + 65536)


def test_shared_extents_do_not_come_back(tmp_path: Path) -> None:
    for kind in ("xfs", "btrfs"):
        with loop_disk(kind, tmp_path) as disk:
            first = fill(disk / "things" / "first", 8 * MIB)
            reflink(first, disk / "things" / "second")
            said = walk([disk]).freed([first]).freed
            before = free_bytes(disk)
            plan = plan_for([first], disk)
            apply(disk, plan, Disk())
            throw_away(disk, plan, Disk())
            assert said == 0
            assert abs(free_bytes(disk) - before) < MIB


def test_a_full_disk_can_be_cleaned_and_undone(tmp_path: Path) -> None:
    """Not one block is left, neither for a folder nor for the journal."""
    image = tmp_path / "small.img"
    image.write_bytes(b"")
    os.truncate(image, 24 * MIB)
    run("mkfs.ext4", "-q", "-F", "-m", "0", "-O", "^has_journal", image)
    with mounted(image, tmp_path / "small", "-o", "loop") as home:
        big = fill(home / "models" / "big", 8 * MIB)
        (home / ".local").mkdir()
        plan = plan_for([big], home)
        _fill_up(home)
        with pytest.raises(OSError, match="No space left"):
            (home / "models" / "new-folder").mkdir()
        env = {"XDG_RUNTIME_DIR": str(tmp_path)}
        place = rooms(env, home, "linux", Disk())
        assert os.path.dirname(place.state) == bytes(tmp_path / "modelyard")
        with journals.begin(Disk(), place.file(plan.id), plan) as journal:
            trash = Trash(Disk(), plan.id, place.trash, [bytes(home / "models")], os.getuid())
            Engine(Hands(Disk(), journal, trash, lambda: "", NOBODY), Blind()).run([0])
            assert journal.ledger.states == ["done"]
        assert not big.exists()
        (ledger,) = rooms(env, home, "linux", Disk()).ledgers()
        assert isinstance(ledger, Ledger)
        assert os.path.dirname(ledger.places[0]) == bytes(home)
        before = os.statvfs(home).f_bfree
        with journals.resume(Disk(), ledger) as journal:
            gained = purge(Disk(), journal, lambda: "")
        assert gained >= 8 * MIB
        assert os.statvfs(home).f_bfree > before


@pytest.mark.parametrize("kind", ("ext4", "tmpfs"))
def test_a_full_disk_can_be_cleaned_by_who_used_modelyard_before(tmp_path: Path, kind: str) -> None:
    """The folder of journals is there, so that making it does not fail, and there is no room in it."""
    image = tmp_path / "small.img"
    image.write_bytes(b"")
    os.truncate(image, 24 * MIB)
    run("mkfs.ext4", "-q", "-F", "-m", "0", "-O", "^has_journal", image)
    how: tuple[str | Path, ...] = (image, tmp_path / "small", "-o", "loop")
    if kind == "tmpfs":
        how = ("tmpfs", tmp_path / "small", "-t", "tmpfs", "-o", "size=24M")
    (tmp_path / "memory").mkdir()
    with mounted(how[0], tmp_path / "small", *map(str, how[2:])) as home:
        env = {"XDG_RUNTIME_DIR": str(tmp_path / "memory")}
        big = fill(home / "models" / "big", 8 * MIB)
        with Yard(env, home, "linux"):
            pass
        bare = plan_for([big], home)
        plan = replace(bare, origin=replace(bare.origin, roots=[str(home)])).sealed()
        _fill_up(home)
        with Yard(env, home, "linux") as yard:
            assert yard.apply(plan).done == 1
        assert not big.exists()
        with Yard(env, home, "linux") as yard:
            (ledger,) = yard.ledgers()  # and no half journal in the home
            assert isinstance(ledger, Ledger)
            assert yard.undo(ledger).done == 1
        assert big.stat().st_size == 8 * MIB


def _fill_up(home: Path) -> None:
    """Takes every block."""
    number = 0
    for size in (MIB, 64 << 10, 4 << 10, 1):
        try:
            while True:
                (home / f"fill-{number}").write_bytes(b"x" * size)
                number += 1
        except OSError:
            (home / f"fill-{number}").unlink(missing_ok=True) if size > 1 else None
            number += 1


def test_a_disk_that_became_read_only_loses_nothing(tmp_path: Path, home: Path) -> None:
    with loop_disk("ext4", tmp_path) as disk:
        plan = plan_for(things(disk), disk)
        before = digest(disk)
        (home / "state").mkdir()
        run("mount", "-o", "remount,ro", disk)
        with journals.begin(Disk(), bytes(home / "state" / "j"), plan) as journal:
            trash = Trash(Disk(), plan.id, bytes(home / "own"), [], os.getuid())
            Engine(Hands(Disk(), journal, trash, lambda: "", NOBODY), Blind()).run(range(len(plan.steps)))
            assert set(journal.ledger.states) == {"failed"}
            assert "EROFS" in journal.ledger.reasons[0] or "no folder" in journal.ledger.reasons[0]
        assert digest(disk) == before


def test_a_bind_mount_is_another_place_though_its_device_is_the_same(tmp_path: Path, home: Path) -> None:
    """A rename across it fails, so the trash goes to the other side."""
    (tmp_path / "real").mkdir()
    with mounted(tmp_path / "real", home / "things", "--bind"):
        paths = things(home)
        plan = plan_for(paths, home)
        before = digest(home)
        apply(home, plan, Disk())
        ledger = ledger_of(home, plan)
        assert ledger.states == ["done"] * len(plan.steps)
        assert all(place.startswith(bytes(home / "things")) for place in ledger.places.values())
        take_back(home, plan, Disk())
        assert {name for name in digest(home) if "modelyard-trash" not in name} == set(before)
