"""One walk of the disk, seen from Python: columns in C, and an object only for what somebody asks for."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from modelyard.inventory import Sizes
from modelyard.problem import Problem, from_errno
from modelyard.walk import _walker
from modelyard.walk.mounts import mounts_below
from modelyard.walk.read import CAP, read_file, read_link
from modelyard.walk.text import shown

Progress = Callable[[int, int, bytes], object]
Place = str | bytes | os.PathLike[str]


class Entry(NamedTuple):
    """What the walk saw of one name. Sizes in bytes, times in nanoseconds since 1970."""

    mode: int
    size: int
    allocated: int
    device: int
    inode: int
    nlink: int
    mtime: int
    ctime: int
    atime: int
    uid: int


class Totals(NamedTuple):
    """A folder's subtree: each inode once, `troubles` folders of it could not be read whole.

    `print` tells the same files from others: 53 bits over inode, size and time of writing of each.
    """

    apparent: int
    allocated: int
    entries: int
    newest: int | None
    troubles: int
    flags: int
    print: int


class Measured(NamedTuple):
    """Sums of a set of rows, and the newest times among its files."""

    sizes: Sizes
    newest: int | None
    last_read: int | None


class Tree:
    """The tree of one walk. A row is the number of an entry; a starting point's name is its whole path."""

    def __init__(self, columns: _walker.Tree, markers: Sequence[str], home: str = "") -> None:
        self.columns = columns
        self.home = os.fsencode(home).rstrip(b"/")
        self._below_home = self.home + b"/"
        self.partial = columns.partial
        self._markers = tuple(markers)
        self._marks: dict[str, list[int]] | None = None
        self._starts = sorted(columns.starts().items(), key=lambda item: -len(item[0]))
        self._listings: dict[int, dict[bytes, int]] = {}
        self.name, self.path, self.parent = columns.name, columns.path, columns.parent
        self.is_folder = columns.is_folder

    def __len__(self) -> int:
        return len(self.columns)

    @property
    def starts(self) -> tuple[str, ...]:
        """The paths the walk began at, but for those that lay below another one on the same file system."""
        return tuple(sorted(os.fsdecode(path) for path, _ in self._starts))

    def label(self, row: int) -> str:
        """The path as text, relative to home where it lies below it."""
        return shown(self.path(row).removeprefix(self._below_home))

    def entry(self, row: int) -> Entry | None:
        """What was seen of the row; None for a mount point that was not touched."""
        seen = self.columns.entry(row)
        return None if seen is None else Entry._make(seen)

    def size(self, row: int) -> int:
        """Bytes of a file as the walk saw it; 0 for a mount point that was not touched."""
        seen = self.columns.entry(row)
        return 0 if seen is None else seen[1]

    def totals(self, row: int | None = None) -> Totals:
        """Totals of a folder, or of the whole walk."""
        return Totals(*self.columns.totals(row))

    def is_whole(self, row: int) -> bool:
        """Whether everything below a folder was seen: nothing unreadable, mounted over or cut short."""
        return not self.is_folder(row) or not self.totals(row).troubles

    def children(self, row: int) -> Mapping[bytes, int]:
        """The names in a folder and their rows; empty for what is no folder."""
        found = self._listings.get(row)
        if found is None:
            found = self._listings[row] = self.columns.listing(row)
        return found

    def child(self, row: int | None, *names: bytes) -> int | None:
        """The row reached from a folder by one name after the other."""
        for name in names:
            row = None if row is None else self.children(row).get(name)
        return row

    def find(self, path: Place) -> int | None:
        """The row of an absolute path, None when the walk did not see it."""
        wanted = os.path.normpath(os.fsencode(path))
        for start, row in self._starts:
            if wanted == start:
                return row
            prefix = start.rstrip(b"/") + b"/"
            if wanted.startswith(prefix):
                found = self.child(row, *wanted[len(prefix) :].split(b"/"))
                if found is not None:
                    return found
        return None

    def is_file(self, row: int) -> bool:
        """Whether the row is a regular file."""
        seen = self.columns.entry(row)
        return seen is not None and stat.S_ISREG(seen[0])

    def is_link(self, row: int) -> bool:
        """Whether the row is a symbolic link."""
        seen = self.columns.entry(row)
        return seen is not None and stat.S_ISLNK(seen[0])

    def read(self, row: int, cap: int = CAP, *, head: bool = False) -> bytes | Problem:
        """The content of a file, at most `cap` bytes."""
        return read_file(self.path(row), cap, head=head)

    def link_target(self, row: int) -> bytes | Problem:
        """Where a symbolic link points, one hop, as an absolute path that need not exist."""
        text = read_link(self.path(row))
        if isinstance(text, Problem):
            return text
        return os.path.normpath(os.path.join(os.path.dirname(self.path(row)), text))

    def follow(self, row: int) -> int | None:
        """The row a symbolic link points to in one hop; None when it dangles or leaves the tree."""
        target = self.link_target(row)
        return None if isinstance(target, Problem) else self.find(target)

    def measure(self, rows: Iterable[int], kept: Iterable[int] = ()) -> Measured:
        """Sizes of everything at and below the rows but for the kept ones, each inode once."""
        entries, apparent, allocated, freed, exact, newest, last_read = self.columns.measure(
            list(set(rows)), list(set(kept))
        )
        return Measured(Sizes(apparent, allocated, freed, exact, entries), newest, last_read)

    def freed(self, paths: Iterable[Place]) -> Sizes:
        """The bytes the device gains if exactly these files and folders go. KeyError for a path not in the tree."""
        rows = []
        for path in paths:
            row = self.find(path)
            if row is None:
                raise KeyError(path)
            rows.append(row)
        return self.measure(rows).sizes

    def largest(self, count: int) -> list[int]:
        """Rows of the regular files that take most space, each file once, by the first of its names in path order."""
        found = [min(self.columns.names(row), key=self.path) for row in self.columns.largest(count)]
        return sorted(found, key=lambda row: (-self.columns.entry(row)[2], self.path(row)))  # type: ignore[index]

    def candidates(
        self, names: Sequence[str], excluded: Iterable[int], pruned: Sequence[str], cap: int, limit: int
    ) -> list[int]:
        """Rows of regular files up to `cap` bytes with such a name (`prefix` or `*suffix`), at most `limit`.

        Neither the excluded rows nor folders called like one of `pruned` are looked into.
        """
        return self.columns.candidates(
            list(excluded), [os.fsencode(name) for name in names], [os.fsencode(name) for name in pruned], cap, limit
        )

    def search(self, rows: Sequence[int], needles: Sequence[bytes], cap: int) -> list[tuple[int, int, int]]:
        """Where the needles (four bytes and more) are in files of these rows: row, number of the needle, offset."""
        return self.columns.search(list(rows), list(needles), cap, threads_here())

    def same_size(self, least: int, rows: Iterable[int] | None = None) -> list[list[int]]:
        """Groups of regular files at and below the rows (the whole walk without any) that have the same size.

        At least `least` bytes and never empty, each inode once, nothing of modelyard's own folders; the largest first,
        in a group by device and inode.
        """
        below = [row for _, row in self._starts] if rows is None else list(rows)
        return self.columns.same_size(below, least)

    def same_content(self, groups: Sequence[list[int]]) -> tuple[list[list[int]], int, list[int]]:
        """Of groups of files of one size those that hold the same, compared byte by byte and read many at a time.

        Also the bytes that were read, and the rows that could not be or are not as the walk saw them any more.
        """
        return self.columns.same_content(list(groups), threads_here())

    def large_files(self, least: int) -> list[tuple[int, ...]]:
        """The names of every regular file that takes at least so many bytes on disk, a tuple of rows a file."""
        files: dict[int, list[int]] = {}
        for row, file in self.columns.at_least(least):
            files.setdefault(file, []).append(row)
        return [tuple(sorted(rows, key=self.path)) for rows in files.values()]

    def marks(self) -> Mapping[str, list[int]]:
        """Rows of the names that fit each marker, in the order of their paths."""
        if self._marks is None:
            found: dict[str, list[int]] = {marker: [] for marker in self._markers}
            for row, number in self.columns.marks:
                found[self._markers[number]].append(row)
            self._marks = {marker: sorted(rows, key=self.path) for marker, rows in found.items()}
        return self._marks

    def problems(self) -> list[Problem]:
        """What the walk could not read, in the order of paths."""
        found = [from_errno(shown(self.path(row)), number) for row, number in self.columns.troubles]
        return sorted(found, key=lambda problem: problem.path)


def threads_here() -> int:
    """The processors that this process may use, at most 8."""
    return min(8, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)


def walk(
    roots: Iterable[Place],
    *,
    markers: Sequence[str] = (),
    threads: int | None = None,
    portable: bool = False,
    cross_device: bool = False,
    progress: Progress | None = None,
    home: str = "",
) -> Tree:
    """Walks the roots, absolute paths without links, once each. Ctrl-C gives what was seen, marked partial.

    `portable` selects the POSIX back end; `threads` defaults to the processors this process may use, at most 8.
    Labels are relative to `home`. What cannot be read is among the tree's problems; OSError when no memory or no
    thread can be had.
    """
    starts = sorted({os.path.normpath(os.fsencode(root)) for root in roots})
    threads = threads_here() if threads is None else threads
    names = [os.fsencode(marker) for marker in markers]
    below = mounts_below(starts)
    return Tree(_walker.walk(starts, names, below, threads, portable, cross_device, progress), markers, home)
