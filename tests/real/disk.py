"""Sums over sets of files by lstat alone: the second opinion that every survey is held against."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

BLOCK = 512  # the unit of st_blocks, stat(2)


def below(top: Path) -> Iterator[Path]:
    """The path and everything under it, no link followed."""
    yield top
    if top.is_dir() and not top.is_symlink():
        for child in os.scandir(top):
            yield from below(Path(child.path))


def _inodes(tops: Iterable[Path]) -> dict[tuple[int, int], tuple[os.stat_result, set[Path]]]:
    """What lies at and below the paths: for each inode what lstat says and the names met."""
    found: dict[tuple[int, int], tuple[os.stat_result, set[Path]]] = {}
    for top in tops:
        for path in below(top):
            seen = path.lstat()
            found.setdefault((seen.st_dev, seen.st_ino), (seen, set()))[1].add(path)
    return found


def allocated(*tops: Path) -> int:
    """Bytes that the disk holds for everything at and below the paths, each inode once."""
    return sum(seen.st_blocks * BLOCK for seen, _ in _inodes(tops).values())


def freed(*tops: Path) -> int:
    """Bytes that the disk gains when exactly these go: inodes with a name elsewhere stay."""
    return sum(
        seen.st_blocks * BLOCK
        for seen, names in _inodes(tops).values()
        if stat.S_ISDIR(seen.st_mode) or seen.st_nlink == len(names)
    )
