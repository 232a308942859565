"""What was verified when: a file of rows of one length that only grows, so that a kill loses nothing but the last one.

A row tells of one file, by device, inode, size, mtime and ctime, against one word of somebody: when it was read and
whether it kept that word. A file that was written to since, or given other names, has no row.
"""

from __future__ import annotations

import fcntl
import os
import struct
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from modelyard.apply import notes
from modelyard.apply.disk import Disk
from modelyard.problem import Problem
from modelyard.walk.hash import Seen
from modelyard.walk.read import read_file

FILE = b"verified"
ROW = struct.Struct("<QQQqq16sqB")
SUMMED = struct.Struct(f"<{ROW.size}sI")
LENGTH = SUMMED.size
MOST = 1_000_000
"""Rows that are kept when there are too many: the latest."""
FEW = 10_000
"""Rows of which so many may be out of date that it is not worth while to write the file anew."""
Key = tuple[Seen, bytes]
"""A file at a moment, and 16 bytes that stand for the word it was held against."""


class Verified:
    """The latest row of every file and word; `note` adds some, on the disk at once."""

    def __init__(self, table: bytes = b"") -> None:
        self._rows: dict[Key, tuple[int, bool]] = dict(_parsed(table))
        self._disk: Disk | None = None
        self._descriptor = -1

    def get(self, key: Key) -> tuple[int, bool] | None:
        """When it was read, nanoseconds since 1970, and whether it kept the word; None where nobody looked yet."""
        return self._rows.get(key)

    def note(self, rows: Iterable[tuple[Key, int, bool]]) -> None:
        """Remembers rows; on a full disk for this run only."""
        added = list(rows)
        self._rows |= {key: (at, kept) for key, at, kept in added}
        if self._disk is not None and added:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX)  # another modelyard may add too, and rows must not mix
            try:
                self._disk.append(self._descriptor, b"".join(_row(key, at, kept) for key, at, kept in added))
            except OSError:
                self._disk = None
            finally:
                fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def __len__(self) -> int:
        return len(self._rows)

    def encoded(self) -> bytes:
        """The rows as they are kept, the latest of too many."""
        latest = sorted(self._rows.items(), key=lambda item: -item[1][0])[:MOST]
        return b"".join(_row(key, *row) for key, row in latest)

    @contextmanager
    def noted(self, disk: Disk, folder: bytes) -> Iterator[None]:
        """Whatever is noted from now on goes to the disk, in a folder that is there. What a kill tore is cut off first.

        A file of which more than half is out of date is written anew: every run reads all of it. OSError when nothing
        can be written there.
        """
        path = os.path.join(folder, FILE)
        whole = os.path.getsize(path) // LENGTH if os.path.lexists(path) else 0
        if whole > 2 * min(max(len(self), FEW), MOST):
            notes.save(disk, path, remembered(folder).encoded())
        self._descriptor = disk.reopen(path) if os.path.lexists(path) else disk.create(path)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX)
            torn = os.fstat(self._descriptor).st_size % LENGTH
            if torn:
                disk.cut(self._descriptor, os.fstat(self._descriptor).st_size - torn)
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)
            self._disk = disk
            yield
        finally:
            self._disk = None
            os.close(self._descriptor)


def remembered(folder: bytes) -> Verified:
    """What is known; nothing where nobody verified anything yet. Makes nothing."""
    table = read_file(os.path.join(folder, FILE), 4 * MOST * LENGTH)
    return Verified(b"" if isinstance(table, Problem) else table)


def _row(key: Key, at: int, kept: bool) -> bytes:
    row = ROW.pack(*key[0], key[1], at, kept)
    return SUMMED.pack(row, zlib.crc32(row))


def _parsed(table: bytes) -> Iterator[tuple[Key, tuple[int, bool]]]:
    """The rows that are whole."""
    whole = memoryview(table)[: len(table) // LENGTH * LENGTH]
    for row, check in SUMMED.iter_unpack(whole):
        if zlib.crc32(row) == check:
            *seen, word, at, kept = ROW.unpack(row)
            yield (Seen._make(seen), word), (at, bool(kept))
