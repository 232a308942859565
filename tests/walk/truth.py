"""The slow truth about a tree: os.scandir, os.lstat and sets, and nothing of the walker."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from typing import Any

from modelyard.inventory import Sizes
from modelyard.walk.mounts import mounts
from modelyard.walk.tree import Tree, walk


@dataclass
class Below:
    """What a folder holds: names, and each inode once."""

    entries: int = 0
    files: dict[tuple[int, int], os.stat_result] = field(default_factory=dict)
    folders: dict[tuple[int, int], os.stat_result] = field(default_factory=dict)

    def add(self, other: Below) -> None:
        """Takes in what a folder below holds."""
        self.entries += other.entries
        self.files |= other.files
        self.folders |= other.folders

    def totals(self) -> tuple[int, int, int, int | None]:
        """Apparent, allocated, entries, newest, as the walker gives them."""
        return (
            sum(seen.st_size for seen in self.files.values()),
            sum(seen.st_blocks * 512 for seen in (self.files | self.folders).values()),
            self.entries,
            max((seen.st_mtime_ns for seen in self.files.values()), default=None),
        )


def look(*roots: str | bytes | os.PathLike[str], **options: Any) -> Tree:
    """Walks with the mount table as it is now."""
    mounts.cache_clear()
    return walk([os.fsencode(root) for root in roots], **options)


def names_in(path: bytes) -> list[bytes]:
    """The names in a folder, read without touching its access time."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOATIME)
    try:
        with os.scandir(descriptor) as listing:
            return [os.fsencode(entry.name) for entry in listing]
    finally:
        os.close(descriptor)


def below(path: bytes, entries: dict[bytes, os.stat_result], folders: dict[bytes, Below]) -> Below:
    """Lists a folder and everything below on its own file system, and notes it all by path."""
    own = entries[path] = os.lstat(path)
    held = folders[path] = Below(folders={(own.st_dev, own.st_ino): own})
    for name in names_in(path):
        inner = os.path.join(path, name)
        seen = entries[inner] = os.lstat(inner)
        held.entries += 1
        if not stat.S_ISDIR(seen.st_mode):
            held.files[seen.st_dev, seen.st_ino] = seen
        elif seen.st_dev == own.st_dev:
            held.add(below(inner, entries, folders))
    return held


def columns_of(seen: os.stat_result) -> tuple[int, ...]:
    """What an Entry holds, from lstat."""
    return (
        seen.st_mode, seen.st_size, seen.st_blocks * 512, seen.st_dev, seen.st_ino, seen.st_nlink,
        seen.st_mtime_ns, seen.st_ctime_ns, seen.st_atime_ns, seen.st_uid,
    )  # fmt: skip


def rows_below(tree: Tree, top: int) -> dict[bytes, int]:
    """Path and row of an entry and everything listed below it."""
    found: dict[bytes, int] = {}
    waiting = [top]
    while waiting:
        row = waiting.pop()
        found[tree.path(row)] = row
        waiting += tree.children(row).values()
    return found


def row_of(tree: Tree, path: str | bytes | os.PathLike[str]) -> int:
    """The row of a path that must be in the tree."""
    row = tree.find(os.fsencode(path))
    assert row is not None, f"{path!r} is not in the tree"
    return row


def freed(tree: Tree, *paths: str | bytes | os.PathLike[str]) -> Sizes:
    """What the tree says that these paths free."""
    return tree.freed([os.fsencode(path) for path in paths])


def paths_below(tree: Tree, root: str | bytes | os.PathLike[str]) -> set[bytes]:
    """Paths below a root, relative to it."""
    whole = rows_below(tree, row_of(tree, root))
    return {os.path.relpath(path, os.fsencode(root)) for path in whole if path != os.fsencode(root)}


def assert_true(tree: Tree, root: str | bytes | os.PathLike[str]) -> None:
    """Every column of every entry and the totals of every folder are what the slow way finds."""
    path = os.fsencode(root)
    entries: dict[bytes, os.stat_result] = {}
    folders: dict[bytes, Below] = {}
    below(path, entries, folders)
    rows = rows_below(tree, row_of(tree, path))
    assert rows.keys() == entries.keys()
    names: dict[tuple[int, int], list[int]] = {}
    for at, seen in entries.items():
        names.setdefault((seen.st_dev, seen.st_ino), []).append(rows[at])
    for at, seen in entries.items():
        entry = tree.entry(rows[at])
        assert entry is not None, at
        assert tuple(entry) == columns_of(seen), at
        assert tree.find(at) == rows[at]
        assert tree.is_folder(rows[at]) == stat.S_ISDIR(seen.st_mode)
        assert tree.columns.names(rows[at]) == sorted(names[seen.st_dev, seen.st_ino]), at
    for at, held in folders.items():
        assert tree.totals(rows[at])[:4] == held.totals(), at
