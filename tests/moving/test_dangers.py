"""Power loss, bit rot, full and unplugged disks, files that change meanwhile, and disks that keep less than others."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

import makers
from apply.work import engine, journal_file, now
from modelyard.apply import journal as journals
from modelyard.apply.disk import Disk
from modelyard.apply.journal import Ledger
from modelyard.apply.together import whole
from modelyard.plan import Plan
from moving.disks import Unplugging, cut_power, image, lacking, plugged, rot
from moving.making import again, apply, contents, plan_for, settle
from walk.disks import fresh_disk, mounted, run

MIB = 1 << 20


def models(base: Path, count: int = 8, size: int = MIB) -> Path:
    """Files that nothing can compress or leave out."""
    root = base / "store"
    for number in range(count):
        makers.write(root / f"model-{number}", os.urandom(size))
    return root


def told(home: Path, plan: Plan, meanwhile: Callable[[int, int], object], disk: Disk | None = None) -> Ledger:
    """Makes the plan while somebody is told how far the copy is."""
    disk = disk or Disk()
    with journals.begin(disk, journal_file(home, plan), plan) as journal:
        made = engine(home, plan, disk, journal)
        made.hands.told = lambda done, total: [meanwhile(done, total)].clear()
        made.run(range(len(plan.steps)))
        whole(disk, journal, now)
        return journal.ledger


def is_as_before(source: Path, target: Path, before: dict[str, str]) -> None:
    """Nothing moved."""
    assert contents(source) == before
    assert not source.is_symlink()
    assert not os.path.lexists(target)


@pytest.mark.parametrize("kind", ["ext4", "xfs"])
def test_power_lost_right_after_success_loses_no_file(kind: str, tmp_path: Path, home: Path) -> None:
    """`mv`, `shutil.move` and `rsync --remove-source-files` lose eight of eight files here."""
    source = models(home)
    before = contents(source)
    with image(kind, tmp_path) as path:
        with plugged(path, tmp_path / "m") as disk:
            ledger = apply(home, plan_for(source, disk / "store", home, linked=True), Disk())
            assert set(ledger.states) == {"done"}, ledger.reasons
            cut_power(disk)
        with plugged(path, tmp_path / "m") as disk:
            assert contents(disk / "store") == before
            assert contents(source.resolve()) == before


@pytest.mark.parametrize("kind", ["ext4", "xfs"])
def test_power_lost_while_it_is_copied_the_source_stays_and_the_next_run_completes(
    kind: str, tmp_path: Path, home: Path
) -> None:
    source = models(home)
    before = contents(source)
    with image(kind, tmp_path) as path:
        with plugged(path, tmp_path / "m") as disk:
            cut = lambda done, total: cut_power(disk)  # noqa: E731
            ledger = told(home, plan_for(source, disk / "store", home, linked=True), cut)
            assert ledger.states == ["failed", "planned"]
        is_as_before(source, tmp_path / "m" / "store", before)
        with plugged(path, tmp_path / "m") as disk:
            again(source, disk / "store", home, linked=True)
            assert contents(disk / "store") == before
            assert {each.name for each in disk.iterdir()} <= {"store", "lost+found"}


@pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs"])
def test_bits_that_rot_on_the_disk_are_seen_though_the_memory_is_right(kind: str, tmp_path: Path, home: Path) -> None:
    """`cmp`, `sha256sum` and `rsync -c` read what the memory holds, and miss it."""
    source = models(home, 3)
    before = contents(source)
    content = (source / "model-1").read_bytes()[4096:8192]
    with image(kind, tmp_path) as path, plugged(path, tmp_path / "m") as disk:

        class Rotting(Disk):
            """A disk of which a bit rots once it was written."""

            def sync_disk(self, descriptor: int) -> None:
                super().sync_disk(descriptor)
                if not self.rotted:
                    self.rotted = rot(path, content)
                    assert (disk / ".modelyard-moving-store" / "tree" / "model-1").read_bytes()[4096:8192] == content

            rotted = 0

        rotting = Rotting()
        ledger = apply(home, plan_for(source, disk / "store", home, linked=True), rotting)
        assert rotting.rotted
        assert ledger.states == ["failed", "planned"]
        assert ledger.reasons[0].startswith("EIO: ")
        is_as_before(source, disk / "store", before)
        again(source, disk / "store", home, linked=True)
        assert contents(disk / "store") == before


def test_a_large_file_is_proven_past_the_memory_to_its_last_byte(tmp_path: Path, home: Path) -> None:
    source = models(home, 1, 66 * MIB + 4096 + 123)
    before = contents(source)
    last = (source / "model-0").read_bytes()[-123:]
    with image("ext4", tmp_path) as path, plugged(path, tmp_path / "m") as disk:
        assert set(apply(home, plan_for(source, disk / "one", home, linked=True), Disk()).states) == {"done"}
        assert contents(disk / "one") == before

        class Rotting(Disk):
            """A disk of which the last bytes rot once they were written."""

            def sync(self, descriptor: int) -> None:
                super().sync(descriptor)
                if b"model-0" in os.readlink(f"/proc/self/fd/{descriptor}".encode()):
                    assert rot(path, last)

        os.rename(source.resolve(), disk / "two")
        ledger = apply(home, plan_for(disk / "two", home / "three", home, linked=True), Disk())
        assert set(ledger.states) == {"done"}, ledger.reasons
        ledger = apply(home, plan_for(home / "three", disk / "four", home, linked=True), Rotting())
        assert ledger.states == ["failed", "planned"]
        assert ledger.reasons[0].startswith("EIO: ")
        assert contents(home / "three") == before


def test_a_disk_without_room_is_refused_before_anything_is_copied(tmp_path: Path, home: Path) -> None:
    source = models(home, 3, 30 * MIB)
    before = contents(source)
    with fresh_disk("tmpfs", tmp_path) as disk:  # 64 MiB
        ledger = apply(home, plan_for(source, disk / "store", home, linked=True), Disk())
        assert ledger.states == ["refused", "planned"]
        assert "more have to be free" in ledger.reasons[0]
        is_as_before(source, disk / "store", before)
        assert not [*disk.iterdir()]


def test_a_disk_that_fills_up_meanwhile_gets_its_room_back(tmp_path: Path, home: Path) -> None:
    source = models(home, 24, 2 * MIB)
    before = contents(source)
    with fresh_disk("tmpfs", tmp_path) as disk:

        class Filling(Disk):
            """A disk that somebody else fills."""

            def make_folder(self, path: bytes, mode: int = 0o700) -> None:
                super().make_folder(path, mode)
                if path.endswith(b"tree"):
                    makers.write(disk / "other", bytes(40 * MIB))

        ledger = apply(home, plan_for(source, disk / "store", home, linked=True), Filling())
        assert ledger.states == ["failed", "planned"]
        assert ledger.reasons[0].startswith("ENOSPC: ")
        is_as_before(source, disk / "store", before)
        assert [each.name for each in disk.iterdir()] == ["other"]
        (disk / "other").unlink()
        again(source, disk / "store", home, linked=True)
        assert contents(disk / "store") == before


def test_a_drive_that_is_unplugged_meanwhile_leaves_the_source_and_goes_on_when_it_is_back(
    tmp_path: Path, home: Path
) -> None:
    source = models(home, 400, 1000)
    before = contents(source)
    with image("ext4", tmp_path) as path:
        (tmp_path / "m").mkdir()
        run("mount", "-o", "loop", path, tmp_path / "m")
        plan = plan_for(source, tmp_path / "m" / "store", home, linked=True)
        ledger = told(home, plan, Unplugging(tmp_path / "m"))
        assert ledger.states == ["failed", "planned"], ledger.reasons
        assert not [*(tmp_path / "m").iterdir()], "nothing may be written into the folder that the drive was mounted on"
        is_as_before(source, tmp_path / "m" / "store", before)
        settle(home, plan, Disk())
        with plugged(path, tmp_path / "m") as disk:
            again(source, disk / "store", home, linked=True)
            assert contents(disk / "store") == before


def test_what_was_proven_is_not_copied_again(tmp_path: Path, home: Path) -> None:
    source = models(home, 600, 1000)
    with fresh_disk("ext4", tmp_path) as disk:

        def stop(done: int, total: int) -> None:
            if done > total // 4:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            told(home, plan_for(source, disk / "store", home, linked=True), stop)
        tree = disk / ".modelyard-moving-store" / "tree"
        kept = {each.name: each.stat().st_ino for each in tree.iterdir()}
        again(source, disk / "store", home, linked=True)
        same = [name for name, inode in kept.items() if (disk / "store" / name).stat().st_ino == inode]
        assert len(same) > 100


def test_a_file_that_changes_while_it_is_copied_is_copied_as_it_is_in_the_end(tmp_path: Path, home: Path) -> None:
    source = models(home, 400, 3000)
    with fresh_disk("ext4", tmp_path) as disk:
        plan = plan_for(source, disk / "store", home, linked=True)
        done: list[int] = []

        def change(copied: int, total: int) -> None:
            if not done:
                done.append(copied)
                kept = (source / "model-1").stat()
                (source / "model-1").write_bytes(b"another" * 428 + b"size")  # the same size, and its time put back
                os.utime(source / "model-1", ns=(kept.st_atime_ns, kept.st_mtime_ns))

        ledger = told(home, plan, change)
        assert done
        assert set(ledger.states) == {"done"}, ledger.reasons
        assert (disk / "store" / "model-1").read_bytes() == b"another" * 428 + b"size"


def test_a_file_that_appears_after_the_copy_is_not_lost(tmp_path: Path, home: Path) -> None:
    source = models(home)
    with fresh_disk("ext4", tmp_path) as disk:

        class Late(Disk):
            """A disk on which somebody writes into the old place when the copy has its name."""

            def move(self, old: bytes, new: bytes) -> None:
                super().move(old, new)
                if new == bytes(disk / "store"):
                    makers.write(source / "late", b"late")

        plan = plan_for(source, disk / "store", home, linked=True)
        ledger = apply(home, plan, Late())
        assert ledger.states == ["undone", "refused"], ledger.reasons
        assert (source / "late").read_bytes() == b"late"
        assert not (disk / "store").exists()
        again(source, disk / "store", home, linked=True)
        assert (disk / "store" / "late").read_bytes() == b"late"


def test_a_source_that_is_written_to_without_end_is_refused(tmp_path: Path, home: Path) -> None:
    source = models(home, 300, 1000)
    with fresh_disk("ext4", tmp_path) as disk:
        plan = plan_for(source, disk / "store", home, linked=True)
        ledger = told(home, plan, lambda done, total: makers.write(source / f"new-{done}-{os.urandom(4).hex()}", b"n"))
        assert ledger.states == ["refused", "planned"]
        assert "written to again and again" in ledger.reasons[0]
        assert not (disk / "store").exists()


@pytest.mark.parametrize(
    ("lacks", "words"),
    [
        ("links", "keeps no symbolic links, and there are 1"),
        ("names", "keeps no hard links, and 2 files have several names"),
        ("case", "for one name"),
        ("odd", "keeps no name with"),
        ("large", "keeps no file of 4 GiB and more"),
        ("rights", "keeps no rights of files"),
    ],
)
def test_a_disk_that_keeps_less_is_refused_before_anything_is_copied(
    lacks: str, words: str, tmp_path: Path, home: Path
) -> None:
    source = makers.write(home / "store" / "Model", b"one").parent
    makers.write(source / "model", b"two")
    makers.write(source / "what: a name?", b"three")
    os.link(source / "model", source / "second")
    (source / "link").symlink_to("model")
    with (source / "large").open("wb") as file:
        file.truncate((4 << 30) + 1)
    before = sorted(each.name for each in source.iterdir())
    with lacking(tmp_path, lacks) as disk:
        ledger = apply(home, plan_for(source, disk / "store", home, linked=True), Disk())
        assert ledger.states == ["refused", "planned"], ledger.reasons
        assert words in ledger.reasons[0]
        assert not [*disk.iterdir()]
    assert sorted(each.name for each in source.iterdir()) == before


def test_a_file_system_in_user_space_gets_everything_that_it_can_keep(tmp_path: Path, home: Path) -> None:
    source = models(home, 20, 5000)
    (source / "link").symlink_to("model-1")
    before = contents(source)
    with lacking(tmp_path) as disk:
        ledger = apply(home, plan_for(source, disk / "store", home, linked=True), Disk())
        assert set(ledger.states) == {"done"}, ledger.reasons
        assert contents(disk / "store") == before


def test_a_medium_that_fails_half_way_leaves_the_source(tmp_path: Path, home: Path) -> None:
    source = models(home, 60, 5000)
    before = contents(source)
    with lacking(tmp_path, "end") as disk:
        ledger = apply(home, plan_for(source, disk / "store", home, linked=True), Disk())
        assert ledger.states == ["failed", "planned"]
        is_as_before(source, disk / "store", before)


def test_sockets_in_use_and_mounts_in_it_are_refused(tmp_path: Path, home: Path) -> None:
    source = models(home, 1)
    with fresh_disk("tmpfs", tmp_path) as disk, socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(source / "socket"))
        listening.listen()
        ledger = apply(home, plan_for(source, disk / "store", home, linked=True), Disk())
        assert "a program listens at this socket" in ledger.reasons[0]
        (source / "socket").unlink()
        (source / "inner").mkdir()
        with mounted("tmpfs", source / "inner", "-t", "tmpfs"):
            ledger = apply(home, plan_for(source, disk / "other", home, linked=True), Disk())
            assert "another file system is mounted there" in ledger.reasons[0]


def test_another_move_to_the_same_place_is_not_mixed_with_a_half_one(tmp_path: Path, home: Path) -> None:
    first, second = models(home), models(home / "second")
    with fresh_disk("ext4", tmp_path) as disk:
        with pytest.raises(KeyboardInterrupt):
            told(home, plan_for(first, disk / "store", home, linked=True), _interrupt)
        ledger = apply(home, plan_for(second, disk / "store", home, linked=True), Disk())
        assert f"another move was begun here, of {first}" in ledger.reasons[0]
        assert first.is_dir()
        assert second.is_dir()


def test_a_staging_folder_of_somebody_else_is_not_believed(tmp_path: Path, home: Path) -> None:
    source = models(home)
    with fresh_disk("ext4", tmp_path) as disk:
        with pytest.raises(KeyboardInterrupt):
            told(home, plan_for(source, disk / "store", home, linked=True), _interrupt)
        staging = disk / ".modelyard-moving-store"
        for user, mode in ((1234, 0o700), (os.getuid(), 0o770)):
            os.chown(staging, user, -1)
            staging.chmod(mode)
            plan = plan_for(source, disk / "store", home, linked=True)
            (home / "state").rename(home / f"state-{mode}")
            assert "not one's own alone" in apply(home, plan, Disk()).reasons[0]


def test_notes_that_are_torn_or_strange_are_begun_anew(tmp_path: Path, home: Path) -> None:
    source = models(home)
    before = contents(source)
    with fresh_disk("ext4", tmp_path) as disk:
        for damage in (b"", b"00000000 []\n", b"%08x []\n" % zlib.crc32(b"[]"), b"\xff" * 90):
            with pytest.raises(KeyboardInterrupt):
                told(home, plan_for(source, disk / "store", home, linked=True), _interrupt)
            (disk / ".modelyard-moving-store" / "notes").write_bytes(damage)
            shutil.rmtree(home / "state")
        again(source, disk / "store", home, linked=True)
        assert contents(disk / "store") == before


def _interrupt(done: int, total: int) -> None:
    raise KeyboardInterrupt


def test_mv_and_its_kin_lose_everything_where_we_lose_nothing(tmp_path: Path, home: Path) -> None:
    """The danger is real on the disks of these tests: what does not flush loses every file."""
    source = models(home)
    with image("ext4", tmp_path) as path:
        with plugged(path, tmp_path / "m") as disk:
            subprocess.run(["mv", source, disk / "store"], check=True)
            cut_power(disk)
        assert not source.exists()
        with plugged(path, tmp_path / "m") as disk:
            names = [*(disk / "store").iterdir()] if (disk / "store").exists() else []
            assert not [each for each in names if each.stat().st_size == MIB]
    shutil.rmtree(home)
