"""What a copy keeps: everything that `cp -a` and `rsync -aHAXS` keep, and links that lead back into it, too."""

from __future__ import annotations

import os
import tracemalloc
from pathlib import Path

import pytest

import makers
import oracle
from apply.work import take_back
from modelyard.apply.copies.tree import grown
from modelyard.apply.disk import Disk
from moving.making import READERS, apply, below, plan_for, settle, sight, store
from walk.disks import fresh_disk, mounted, run

DISKS = ["ext4", "xfs", "btrfs", "tmpfs"]


@pytest.mark.parametrize("kind", DISKS)
@pytest.mark.parametrize("linked", [True, False], ids=["link", "setting"])
def test_everything_is_kept_and_comes_back(kind: str, linked: bool, tmp_path: Path, home: Path) -> None:
    source = store(home)
    before = sight(source)
    with fresh_disk(kind, tmp_path) as disk:
        target = disk / "store"
        plan = plan_for(source, target, home, linked=linked)
        ledger = apply(home, plan, Disk())
        assert set(ledger.states) == {"done"}, ledger.reasons
        assert sight(target) == before
        assert (target / "holes").stat().st_blocks * 512 < 1 << 20
        assert not (target / "all-hole").stat().st_blocks
        assert {path.name for path in disk.iterdir()} <= {"store", "lost+found"}
        assert source.is_symlink() == linked
        assert source.exists() == linked
        assert (home / "settings.ini").exists() != linked
        take_back(home, plan, Disk())
        assert sight(source) == before
        assert not target.exists()
        assert not (home / "settings.ini").exists()


def test_another_subvolume_shares_the_extents(tmp_path: Path, home: Path) -> None:
    with fresh_disk("btrfs", tmp_path) as disk:
        for name in ("one", "two"):
            run("btrfs", "subvolume", "create", disk / name)
        source = store(disk / "one")
        big = source / "large"
        big.write_bytes(os.urandom(64 << 20))
        run("sync", "-f", disk)
        before, free = sight(source), os.statvfs(disk).f_bfree
        target = disk / "two" / "store"
        ledger = apply(home, plan_for(source, target, home, linked=True), Disk())
        assert set(ledger.states) == {"done"}, ledger.reasons
        assert sight(target) == before
        run("sync", "-f", disk)
        assert (free - os.statvfs(disk).f_bfree) * os.statvfs(disk).f_frsize < 16 << 20


def test_a_default_list_of_the_target_is_not_inherited(tmp_path: Path, home: Path) -> None:
    source = store(home)
    before = sight(source)
    with fresh_disk("ext4", tmp_path) as disk:
        os.setxattr(disk, "system.posix_acl_default", READERS)
        apply(home, plan_for(source, disk / "store", home, linked=False), Disk())
        assert sight(disk / "store") == before


def test_reading_the_source_leaves_no_trace(tmp_path: Path, home: Path) -> None:
    source = store(home)
    paths = list(below(source))
    oracle.age(paths)
    before = oracle.traces(paths)
    with fresh_disk("tmpfs", tmp_path) as disk:
        grown(Disk(), bytes(source), bytes(disk / "store"), (), lambda done, total: None)
    assert oracle.traces(paths) == before


def test_the_same_file_system_renames(home: Path) -> None:
    source = store(home)
    before, inode = sight(source), source.stat().st_ino
    target = home / "elsewhere"
    plan = plan_for(source, target, home, linked=True, renamed=True)
    ledger = apply(home, plan, Disk())
    assert set(ledger.states) == {"done"}, ledger.reasons
    assert (target.stat().st_ino, os.readlink(source)) == (inode, str(target))
    take_back(home, plan, Disk())
    assert sight(source) == before
    assert not target.exists()


class Deviceless(Disk):
    """A disk on which no device can be made."""

    def special(self, path: bytes, mode: int, number: int) -> None:
        raise PermissionError(1, "Operation not permitted")


def test_where_no_device_can_be_made_nothing_is_copied(home: Path, tmp_path: Path) -> None:
    source = store(home)
    with fresh_disk("tmpfs", tmp_path) as disk:
        ledger = apply(home, plan_for(source, disk / "store", home, linked=True), Deviceless())
        assert ledger.states == ["refused", "planned"]
        assert "root alone makes devices" in ledger.reasons[0]
        assert not [*disk.iterdir()]


def test_settings_that_were_changed_since_keep_the_whole_move(tmp_path: Path, home: Path) -> None:
    """Half a way back would leave two copies, and settings that name the wrong one."""
    source = store(home)
    with fresh_disk("tmpfs", tmp_path) as disk:
        target = disk / "store"
        plan = plan_for(source, target, home, linked=False)
        assert set(apply(home, plan, Disk()).states) == {"done"}
        (home / "settings.ini").write_text(f"place = {target}\nmore = yes\n")
        take_back(home, plan, Disk())
        ledger = settle(home, plan, Disk())
        assert ledger
        assert set(ledger.states) == {"done"}
        assert "it was changed since" in " ".join(ledger.reasons.values())
        assert not source.exists()
        assert target.is_dir()


def test_many_files_take_little_memory(tmp_path: Path) -> None:
    """A million names in a list of objects, twice, took two gigabytes."""
    peaks = []
    for count in (2000, 8000):  # of both as many at once as there may be
        source = tmp_path / str(count)
        for number in range(count):
            makers.write(source / f"{number % 10}" / f"a-file-with-a-longer-name-{number:05d}", b"")
        with fresh_disk("tmpfs", tmp_path) as disk:
            tracemalloc.start()
            grown(Disk(), bytes(source), bytes(disk / "store"), (), lambda done, total: None)
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
    assert peaks[1] - peaks[0] < 6000 * 400


def test_a_copy_that_goes_on_needs_room_only_for_the_files_that_are_missing(tmp_path: Path) -> None:
    for number in range(300):
        makers.write(tmp_path / "store" / f"{number}", b"here")

    def stopped(done: int, total: int) -> None:
        raise InterruptedError

    with mounted("tmpfs", tmp_path / "disk", "-t", "tmpfs", "-o", "nr_inodes=400") as disk:
        with pytest.raises(InterruptedError):
            grown(Disk(), bytes(tmp_path / "store"), bytes(disk / "store"), (), stopped)
        tree = grown(Disk(), bytes(tmp_path / "store"), bytes(disk / "store"), (), lambda done, total: None)
        assert len(os.listdir(tree)) == 300
