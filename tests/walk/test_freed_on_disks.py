"""Predictions held against the disk: the set is really removed, and the free bytes are counted before and after."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from walk.disks import MIB, fill, free_bytes, reflink, remove
from walk.truth import freed, look

BLOCKS = {"ext4": 16 << 10, "xfs": 128 << 10, "btrfs": 1 << 20}


def models(disk: Path) -> None:
    """Two models with a blob in common, small files, a sparse file, and a link from elsewhere."""
    for model in ("a", "b"):
        fill(disk / "models" / model / "weights", 20 * MIB)
        for number in range(20):
            fill(disk / "models" / model / "parts" / f"part{number}", 10_000)
        (disk / "models" / model / "link").symlink_to("weights")
    fill(disk / "models" / "a" / "common", 12 * MIB)
    os.link(disk / "models" / "a" / "common", disk / "models" / "b" / "common")
    fill(disk / "elsewhere" / "kept", 8 * MIB)
    os.link(disk / "elsewhere" / "kept", disk / "models" / "a" / "kept")
    with (disk / "models" / "a" / "sparse").open("wb") as file:
        file.truncate(500 * MIB)
        file.seek(300 * MIB)
        file.write(os.urandom(3 * MIB))


def measured(disk: Path, paths: list[Path]) -> int:
    """Removes the paths and tells how many bytes the disk gained."""
    before = free_bytes(disk)
    for path in paths:
        remove(path)
    return free_bytes(disk) - before


@pytest.mark.parametrize("chosen", [["a"], ["a", "b"], ["b/weights", "b/link", "a/common"]])
def test_the_disk_gains_what_was_predicted(disk: Path, chosen: list[str]) -> None:
    models(disk)
    free_bytes(disk)
    paths = [disk / "models" / name for name in chosen]
    sizes = freed(look(disk), *paths)
    assert sizes.exact
    gained = measured(disk, paths)
    assert abs(gained - sizes.freed) <= BLOCKS[disk.name], (gained, sizes)


def test_shared_extents_stay_when_one_file_goes(sharing_disk: Path) -> None:
    original = fill(sharing_disk / "a", 32 * MIB)
    copy = reflink(original, sharing_disk / "b")
    with copy.open("r+b") as file:
        file.write(os.urandom(8 * MIB))
    free_bytes(sharing_disk)
    for path, private in ((copy, 8 * MIB), (original, 32 * MIB)):
        sizes = freed(look(sharing_disk), path)
        assert sizes.freed == private
        assert abs(measured(sharing_disk, [path]) - private) <= BLOCKS[sharing_disk.name]


def test_the_gain_is_never_less_than_at_least(sharing_disk: Path) -> None:
    """Both of two files that share go: the prediction could not know, and says so."""
    original = fill(sharing_disk / "a", 16 * MIB)
    paths = [original, reflink(original, sharing_disk / "b"), fill(sharing_disk / "c", 8 * MIB)]
    free_bytes(sharing_disk)
    sizes = freed(look(sharing_disk), *paths)
    assert (sizes.freed, sizes.exact) == (8 * MIB, False)
    assert measured(sharing_disk, paths) >= sizes.freed
