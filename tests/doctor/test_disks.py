"""Volumes that are full, read-only, slow, without links or access times, or made of memory."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

import makers
from doctor.patients import examine, only, run, told
from modelyard import api
from modelyard.doctor import complaints, disks, prepare
from modelyard.doctor.complaint import Complaint
from modelyard.doctor.volumes import Volume, mount_table
from walk.disks import MIB, loop_disk, mounted

GIB = 1 << 30


@pytest.fixture
def mounts() -> Iterator[ExitStack]:
    """Whatever is mounted through it is unmounted again."""
    with ExitStack() as stack:
        yield stack


def hub(folder: Path) -> dict[str, str]:
    """A hub cache there, and the variable that leads to it."""
    makers.hub_repo(folder, "models--acme--tiny", {"w": b"w" * 9000})
    return {"HF_HUB_CACHE": str(folder)}


def on(home: Path, kind: str, *options: str) -> tuple[Volume, ...]:
    """A mount table with a volume of this kind in the home."""
    return (Volume("/", "ext4"), Volume(str(home / "disk"), kind, frozenset(options)))


def here(found: list[Complaint], folder: Path, home: Path) -> list[str]:
    """The codes of what is said of a volume."""
    return [each.code for each in found if each.place == f"~/{folder.relative_to(home)}"]


def test_a_full_disk_is_told_before_a_download_breaks_off(home: Path, mounts: ExitStack) -> None:
    disk = mounts.enter_context(loop_disk("ext4", home))
    env = hub(disk / "hub")
    alone = tuple(each for each in mount_table() if each.path == str(disk))
    found = only(told("full-volume", home, env, mounted=alone))
    assert (found.severity, found.place) == ("danger", "~/ext4")
    assert found.command == f"modelyard ls --sort freed --limit 20 --home {home}"
    assert "Hugging Face hub" in found.message


@pytest.mark.parametrize(
    ("total", "free", "full"),
    [(100, 5, True), (100, 6, False), (10, 0.9, True), (10, 1, False), (4000, 201, False), (4000, 200, True)],
)
def test_full_is_one_gib_or_one_twentieth(
    total: float, free: float, full: bool, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disks, "_space", lambda _: (int(total * GIB), int(free * GIB)))
    assert bool(told("full-volume", home, hub(home / "disk/hub"), mounted=on(home, "ext4"))) == full


def test_a_disk_with_room_is_not_full(home: Path) -> None:
    assert os.statvfs(home).f_bavail * 4096 > 2 << 30, "these tests need a disk with room"
    assert not told("full-volume", home, hub(home / "disk/hub"), mounted=on(home, "ext4"))


def test_a_disk_mounted_read_only_is_told(home: Path, mounts: ExitStack) -> None:
    disk = mounts.enter_context(mounted("none", home / "my disk", "-t", "tmpfs"))
    env = hub(disk / "hub")
    assert "read-only-volume" not in here(examine(home, env, mounted=mount_table()), disk, home)
    run(f"mount -o remount,ro '{disk}'", home)
    found = only(told("read-only-volume", home, env, mounted=mount_table()))
    assert found.command == f"sudo mount -o remount,rw '{disk}'"
    run(found.command.removeprefix("sudo "), home)
    assert not told("read-only-volume", home, env, mounted=mount_table())
    there = (Volume("/", "apfs"), Volume(str(disk), "apfs", frozenset(["ro"])))
    on_mac = only(told("read-only-volume", home, env, "macos", there))
    assert on_mac.command == f"sudo mount -uw '{disk}'"


def test_a_disk_without_access_times_is_a_note(home: Path, mounts: ExitStack) -> None:
    disk = mounts.enter_context(mounted("none", home / "disk", "-t", "tmpfs", "-o", "noatime"))
    env = hub(disk / "hub")
    found = only(told("no-access-times", home, env, mounted=mount_table()))
    assert (found.severity, found.place) == ("note", "~/disk")
    run(found.command.removeprefix("sudo "), home)
    assert not told("no-access-times", home, env, mounted=mount_table())


def test_caches_in_memory_are_told_by_their_size(home: Path, mounts: ExitStack) -> None:
    disk = mounts.enter_context(mounted("none", home / "disk", "-t", "tmpfs", "-o", "size=1500m"))
    makers.write(disk / "torchinductor/aa/code.py", b"x" * 5000)
    env = {"TORCHINDUCTOR_CACHE_DIR": f"{disk}/torchinductor"}
    assert only(told("cache-in-memory", home, env, mounted=mount_table())).severity == "note"
    with (disk / "torchinductor/big").open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, 1030 * MIB)
    found = only(told("cache-in-memory", home, env, mounted=mount_table()))
    assert (found.severity, found.command) == ("fault", "unset TORCHINDUCTOR_CACHE_DIR")


def test_the_default_in_the_temporary_folder_gets_a_place_on_disk(home: Path) -> None:
    makers.write(home / "disk/torchinductor_me/aa/code.py")
    env = {"TMPDIR": f"{home}/disk", "USER": "me", "PATH": "/bin"}
    found = api.survey(env, home, "linux")
    about = [each for each in found.holdings if each.store.name == "inductor"]
    assert any(root.row is not None for root in about[0].roots)
    told_of = complaints(prepare(found, found.tree, env, home, "linux", 0, on(home, "tmpfs"), ()))
    one = only([each for each in told_of if each.code == "cache-in-memory"])
    assert one.command == f"export TORCHINDUCTOR_CACHE_DIR={home}/.cache/inductor"


@pytest.mark.parametrize("kind", ["nfs4", "cifs", "9p", "lustre", "fuse.sshfs", "fuseblk", "smbfs", "virtiofs"])
def test_slow_volumes_are_notes(kind: str, home: Path) -> None:
    found = only(told("slow-volume", home, hub(home / "disk/hub"), mounted=on(home, kind)))
    assert (found.severity, found.command) == ("note", "unset HF_HUB_CACHE")
    assert kind in found.message


@pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs", "apfs", "overlay", "fuse.fuse-overlayfs", "zfs"])
def test_local_volumes_are_not_slow(kind: str, home: Path) -> None:
    found = examine(home, hub(home / "disk/hub"), mounted=on(home, kind))
    assert not here(found, home / "disk", home)


def test_a_home_on_a_share_gets_the_list_of_local_disks(home: Path) -> None:
    makers.hub_repo(home / ".cache/huggingface/hub", "models--acme--tiny", {"w": b"w"})
    share = (Volume("/", "nfs4"),)
    assert only(told("slow-volume", home, mounted=share)).command == "df -hlT"
    assert only(told("slow-volume", home, platform="macos", mounted=share)).command == "df -hl"


@pytest.mark.parametrize(("kind", "limit"), [("exfat", False), ("vfat", True), ("msdos", True)])
def test_a_hub_without_links_keeps_files_twice(kind: str, limit: bool, home: Path) -> None:
    found = only(told("volume-without-links", home, hub(home / "disk/hub"), mounted=on(home, kind)))
    assert found.severity == "fault"
    assert "keeps files twice" in found.consequence
    assert ("4 GiB" in found.consequence) == limit
    assert found.command == "unset HF_HUB_CACHE"


def test_the_mount_table_of_this_machine_is_read(home: Path, mounts: ExitStack) -> None:
    disk = mounts.enter_context(mounted("none", home / "a b", "-t", "tmpfs", "-o", "ro,noatime"))
    mine = [each for each in mount_table() if each.path == str(disk)]
    assert [(each.kind, {"ro", "noatime"} <= each.options) for each in mine] == [("tmpfs", True)]
