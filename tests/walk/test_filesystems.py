"""Overlay, btrfs subvolumes and the common disk file systems: the walk tells what lstat tells."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from walk.conftest import Look
from walk.disks import fill, loop_disk, mounted, reflink, run
from walk.truth import assert_true, freed, paths_below, row_of

Overlay = Callable[[Path], Path]


def layered(base: Path) -> None:
    """Hard links in the lower and in the upper folder, and a file in both."""
    for layer in ("lower", "upper"):
        (base / layer / "both").mkdir(parents=True)
        (base / layer / layer).write_bytes(b"x" * 5000)
        os.link(base / layer / layer, base / layer / f"{layer}-again")
        os.link(base / layer / layer, base / layer / "both" / f"{layer}-third")
        (base / layer / "both" / "file").write_bytes(layer.encode())


def change(overlay: Path) -> None:
    """Copies a link up, whites a file out and links a new one, through the overlay."""
    with (overlay / "lower-again").open("ab") as file:
        file.write(b"more")
    (overlay / "upper-again").unlink()
    (overlay / "new").write_bytes(b"n" * 3000)
    os.link(overlay / "new", overlay / "both" / "new-again")
    (overlay / "both" / "lower-third").rename(overlay / "moved")


@pytest.mark.parametrize("changed", [False, True])
def test_overlayfs_inodes_differ_from_directory_entries(
    walked: Look, home: Path, memory: Path, overlay: Overlay, changed: bool
) -> None:
    layered(memory)
    merged = overlay(memory)
    if changed:
        change(merged)
    run("find", merged)  # the first listing makes the overlay note in the upper folder what is mixed
    tree = walked(merged)
    assert_true(tree, merged)
    assert not any(trusted for *_, trusted in tree.columns.devices)


def test_an_overlay_over_two_file_systems(walked: Look, home: Path, memory: Path, mounts: ExitStack) -> None:
    """Files of the lower and the upper disk then carry different device numbers, even in one folder."""
    lower = mounts.enter_context(loop_disk("ext4", home))
    layered(memory)
    run("cp", "-a", memory / "lower", lower)
    options = f"lowerdir={lower}/lower,upperdir={memory}/upper,workdir={memory}/work,xino=off"
    (memory / "work").mkdir()
    merged = mounts.enter_context(mounted("overlay", home / "merged", "-t", "overlay", "-o", options))
    change(merged)
    run("find", merged)
    assert len({entry.stat(follow_symlinks=False).st_dev for entry in os.scandir(merged)}) > 1
    assert_true(walked(merged), merged)


def test_nobody_can_tell_what_an_overlay_frees(walked: Look, memory: Path, overlay: Overlay) -> None:
    layered(memory)
    merged = overlay(memory)
    sizes = freed(walked(merged), merged)
    assert sizes.allocated > 15_000
    assert (sizes.freed, sizes.exact) == (0, False)


def odd_tree(base: Path) -> Path:
    """Sparse, small, linked and preallocated files, and empty folders."""
    root = base / "tree"
    (root / "a" / "empty").mkdir(parents=True)
    (root / "tiny").write_bytes(b"x")
    (root / "nothing").touch()
    fill(root / "a" / "plain", 300_000)
    with (root / "sparse").open("wb") as file:
        file.seek(50_000_000)
        file.write(b"end")
    with (root / "preallocated").open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, 2_000_000)
    os.link(root / "a" / "plain", root / "a" / "empty" / "linked")
    (root / "symlink").symlink_to("a" * 900)
    run("sync", "-f", base)
    return root


def test_every_common_file_system_is_seen_as_it_is(walked: Look, disk: Path) -> None:
    tree = walked(odd_tree(disk))
    assert_true(tree, disk / "tree")
    assert tree.is_whole(row_of(tree, disk / "tree"))


def test_btrfs_subvolumes_differ_from_directory_entries(walked: Look, home: Path, mounts: ExitStack) -> None:
    """A subvolume has a device number of its own and its top the same inode as every other's."""
    root = mounts.enter_context(loop_disk("btrfs", home))
    for name in ("one", "two"):
        run("btrfs", "-q", "subvolume", "create", root / name)
        fill(root / name / "f", 100_000)
        os.link(root / name / "f", root / name / "again")
    run("btrfs", "-q", "subvolume", "snapshot", root / "one", root / "snapshot")
    fill(root / "top", 5000)
    assert len({os.stat(root / name / "f").st_ino for name in ("one", "two", "snapshot")}) == 1
    tree = walked(root)
    assert paths_below(tree, root) == {b"one", b"two", b"snapshot", b"top"}
    assert_true(tree, root)
    assert not tree.is_whole(row_of(tree, root))
    told = walked(root, cross_device=True)
    assert told.totals().apparent == 305_000
    for name in ("one", "two", "snapshot"):
        assert paths_below(told, root / name) == {b"f", b"again"}
        assert_true(walked(root / name), root / name)


def test_a_snapshot_keeps_the_bytes(walked: Look, home: Path, mounts: ExitStack) -> None:
    root = mounts.enter_context(loop_disk("btrfs", home))
    run("btrfs", "-q", "subvolume", "create", root / "one")
    fill(root / "one" / "f", 1 << 20)
    assert freed(walked(root / "one"), root / "one" / "f").freed == 1 << 20
    run("btrfs", "-q", "subvolume", "snapshot", root / "one", root / "snapshot")
    sizes = freed(walked(root / "one"), root / "one" / "f")
    assert (sizes.freed, sizes.exact) == (0, False)


def test_a_reflink_and_a_hard_link_are_told_apart(walked: Look, sharing_disk: Path) -> None:
    """Equal content, equal size: one inode with two names, and another that only shares its bytes."""
    original = fill(sharing_disk / "a", 1 << 20)
    os.link(original, sharing_disk / "hard")
    reflink(original, sharing_disk / "soft")
    tree = walked(sharing_disk)
    assert_true(tree, sharing_disk)
    sizes = freed(tree, *(sharing_disk / name for name in ("a", "hard", "soft")))
    assert sizes.apparent == 2 << 20
    assert sizes.freed == 0
    assert not sizes.exact
