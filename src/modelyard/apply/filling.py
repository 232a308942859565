"""A new file of a known size, filled at any place, that is there whole or not at all."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager

from modelyard.apply.disk import Disk
from modelyard.apply.trash import remove_tree
from modelyard.apply.whole import DRAFT, sweep

PIECE = 64 << 20
"""Bytes that the system copies at once, so that an interruption is noticed."""
THROUGH_US = 256 << 10
"""Bytes that are copied through our memory at once: they stay in the cache of a processor."""
BLOCK = 4096
WORTH_SHARING = 1 << 20
CANNOT = (errno.ENOSYS, errno.EXDEV, errno.EINVAL, errno.EOPNOTSUPP, errno.EPERM, errno.EBADF, errno.ETXTBSY)


class Filling:
    """A draft with room on the disk for all of it. Nobody sees it under its name until it is kept."""

    def __init__(self, disk: Disk, folder: bytes, word: bytes, size: int, mode: int) -> None:
        self.path, self.size, self.kept, self.shared = os.path.join(folder, DRAFT % (os.getpid(), word)), size, b"", 0
        self._disk, self._copies, self._shares = disk, True, True
        self._room = memoryview(bytearray(THROUGH_US))
        self._descriptor = disk.blank(self.path, mode)
        try:
            disk.reserve(self._descriptor, size)
            disk.cut(self._descriptor, size)
        except OSError:
            self.close()
            raise

    def put(self, data: bytes | memoryview, at: int) -> None:
        """Writes bytes at a place."""
        self._disk.put(self._descriptor, data, at)

    def copy(self, source: int, start: int, length: int, at: int) -> None:
        """Copies bytes of an open file, which shares its extents where both begin at the same place of a block.

        OSError as the system raises it; ESTALE where the source ends before.
        """
        if length >= WORTH_SHARING and self._shares and start % BLOCK == at % BLOCK:
            skip = -start % BLOCK
            middle = (length - skip) // BLOCK * BLOCK
            if self._share(source, start + skip, middle, at + skip):
                self._copy(source, start, skip, at)
                done = skip + middle
                self._copy(source, start + done, length - done, at + done)
                return
        self._copy(source, start, length, at)

    def _share(self, source: int, start: int, length: int, at: int) -> bool:
        try:
            self._disk.share(source, start, length, self._descriptor, at)
        except OSError:
            self._shares = False
            return False
        self.shared += length
        return True

    def _copy(self, source: int, start: int, length: int, at: int) -> None:
        while length:
            count = self._copied(source, start, min(length, PIECE), at)
            start, at, length = start + count, at + count, length - count

    def _copied(self, source: int, start: int, length: int, at: int) -> int:
        if self._copies:
            try:
                if count := self._disk.copy(source, start, length, self._descriptor, at):
                    return count
            except OSError as error:
                if error.errno not in CANNOT:
                    raise
            self._copies = False
        count = os.preadv(source, [self._room[: min(length, THROUGH_US)]], start)
        if not count:
            raise OSError(errno.ESTALE, "it became shorter while it was read")
        self.put(self._room[:count], at)
        return count

    def pieces(self, start: int, length: int) -> Iterator[memoryview]:
        """What was written at a place, piece by piece, each valid until the next one."""
        for at in range(start, start + length, THROUGH_US):
            count = os.preadv(self._descriptor, [self._room[: min(THROUGH_US, start + length - at)]], at)
            yield self._room[:count]

    def sync(self) -> None:
        """Lets it reach the medium."""
        self._disk.sync(self._descriptor)

    def keep(self, path: bytes) -> None:
        """Gives it its name, for good once its folder is on the medium. FileExistsError where there is one."""
        self._disk.move(self.path, path)
        self.kept = path
        self._disk.sync_folder(os.path.dirname(path))

    def drop(self) -> None:
        """Takes it away although it was kept, because others that belong to it could not be."""
        if self.kept:
            remove_tree(self._disk, self.kept)

    def close(self) -> None:
        """Takes the draft away unless it was kept."""
        os.close(self._descriptor)
        if not self.kept:
            remove_tree(self._disk, self.path)


@contextmanager
def filling(disk: Disk, folder: bytes, word: bytes, size: int, mode: int) -> Iterator[Filling]:
    """A file to fill in a folder that is there. What killed processes left there goes first."""
    sweep(disk, folder)
    made = Filling(disk, folder, word, size, mode)
    try:
        yield made
    finally:
        made.close()
