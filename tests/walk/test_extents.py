"""What comes back of extents that several files share."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from modelyard.walk.checksums import checksum_share
from modelyard.walk.extents import _only, shared_among, shared_ranges
from modelyard.walk.tree import walk
from walk.disks import MIB, fill, free_bytes, loop_disk, reflink, remove


@pytest.mark.parametrize("kind", ["xfs", "btrfs"])
def test_twins_that_go_together_free_their_bytes_once(tmp_path: Path, kind: str) -> None:
    with loop_disk(kind, tmp_path) as disk:
        one = fill(disk / "run" / "one", 64 * MIB)
        reflink(one, disk / "run" / "two")
        kept = fill(disk / "run" / "three", 32 * MIB)
        reflink(kept, disk / "kept")
        os.link(fill(disk / "run" / "four", 16 * MIB), disk / "name")
        reflink(disk / "name", disk / "run" / "five")
        tree = walk([str(disk)])
        run = tree.find(disk / "run")
        assert run is not None
        lower = tree.measure([run]).sizes
        assert not lower.exact
        expected = lower.freed + shared_among(tree, {run})
        expected += int(expected * checksum_share(str(disk)))
        before = free_bytes(disk)
        remove(disk / "run")
        measured = free_bytes(disk) - before
        assert abs(measured - expected) < 0.001 * expected
        assert shared_among(tree, set()) == 0


def test_btrfs_alone_keeps_checksums(tmp_path: Path) -> None:
    assert checksum_share(str(tmp_path / "gone")) == 0
    for kind, share in (("btrfs", 2 * 4 / 4096), ("ext4", 0.0)):
        with loop_disk(kind, tmp_path) as disk:
            assert checksum_share(str(disk)) == share


def test_one_of_two_twins_frees_nothing_of_what_they_share(tmp_path: Path) -> None:
    with loop_disk("xfs", tmp_path) as disk:
        one = fill(disk / "one", 8 * MIB)
        reflink(one, disk / "two")
        tree = walk([str(disk)])
        row = tree.find(one)
        assert row is not None
        assert shared_among(tree, {row}) == 0
        assert len(shared_ranges(bytes(one))) >= 1


def test_files_that_nobody_tells_about(tmp_path: Path) -> None:
    assert shared_ranges(bytes(tmp_path / "gone")) == []
    assert shared_ranges(bytes(tmp_path)) == []
    (tmp_path / "link").symlink_to("/etc/passwd")
    assert shared_ranges(bytes(tmp_path / "link")) == []
    (tmp_path / "plain").write_bytes(b"x" * 5000)
    assert shared_ranges(bytes(tmp_path / "plain")) == []


def test_ranges_are_counted_as_bytes_one_by_one_would_be() -> None:
    chance = random.Random(7)
    for _ in range(300):
        sides = [[(at, at + chance.randrange(1, 9)) for at in chance.sample(range(30), 4)] for _ in range(2)]
        covered = [[sum(first <= at < last for first, last in side) for at in range(50)] for side in sides]
        assert _only(*sides) == sum(a > 1 and not b for a, b in zip(*covered, strict=True))
