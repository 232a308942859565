"""The source of a conversion, held open: its bytes without a trace, and whether it is still what it was."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from msgspec import Struct

from modelyard.formats.file import BrokenError
from modelyard.plan import Mark
from modelyard.walk.read import opened

PIECE = 1 << 20
"""Bytes that are in memory at once: they stay in the cache of a processor until they are digested or compared."""


class Source(Struct, frozen=True):
    """An open file, and what it looked like when it was opened."""

    path: bytes
    descriptor: int
    seen: os.stat_result

    @property
    def size(self) -> int:
        """Bytes when it was opened."""
        return self.seen.st_size

    def read(self, start: int, length: int) -> bytes:
        """Exactly these bytes. BrokenError where the file ends before."""
        parts = []
        while length:
            part = os.pread(self.descriptor, length, start)
            if not part:
                raise BrokenError("became shorter while it was read", "changed")
            parts.append(part)
            start, length = start + len(part), length - len(part)
        return b"".join(parts) if len(parts) != 1 else parts[0]

    def pieces(self, start: int, length: int) -> Iterator[tuple[int, memoryview]]:
        """These bytes piece by piece, each valid until the next one, with the place of each counted from the first."""
        room = memoryview(bytearray(min(PIECE, length)))
        for at in range(0, length, PIECE):
            piece = room[: min(PIECE, length - at)]
            self._fill(piece, start + at)
            yield at, piece

    def equal(self, start: int, data: bytes | bytearray | memoryview, room: bytearray) -> bool:
        """Whether just these bytes are there; they are read into `room` where that has their length."""
        own = room if len(room) == len(data) else bytearray(len(data))
        self._fill(memoryview(own), start)
        return own == data  # as whole memory: two views would be compared byte by byte

    def _fill(self, room: memoryview, start: int) -> None:
        while room:
            count = os.preadv(self.descriptor, [room], start)
            if not count:
                raise BrokenError("became shorter while it was read", "changed")
            room, start = room[count:], start + count

    def check(self) -> None:
        """BrokenError when it was written to, or replaced at its path, since it was opened."""
        try:
            looks = os.fstat(self.descriptor), os.stat(self.path)
        except OSError as error:
            raise BrokenError("went away while it was read", "changed") from error
        if any(_mark(each) != _mark(self.seen) for each in looks):
            raise BrokenError("was written to while it was read", "changed")

    @property
    def mark(self) -> Mark:
        """What it looked like when it was opened, as steps want it."""
        seen = self.seen
        return Mark("file", seen.st_dev, seen.st_ino, seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns, seen.st_uid)

    def digest(self, over: Callable[[], bool] = lambda: False) -> str:
        """The SHA-256 of all of it, in hex; empty where it was `over` before, because nobody wants it any more."""
        found = hashlib.sha256()
        for _, piece in self.pieces(0, self.size):
            if over():
                return ""
            found.update(piece)
        return found.hexdigest()


def _mark(seen: os.stat_result) -> tuple[int, ...]:
    return seen.st_dev, seen.st_ino, seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns


@contextmanager
def held(path: bytes) -> Iterator[Source]:
    """A file held open while it is converted; links are followed. OSError as the system raises it."""
    with opened(path, follow=True) as descriptor:
        yield Source(path, descriptor, os.fstat(descriptor))
