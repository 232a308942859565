"""A new file that is written from its beginning to its end, and digested in a second thread meanwhile."""

from __future__ import annotations

import os

from modelyard.apply.disk import Disk
from modelyard.walk.summing import Summed

PIECE = 8 << 20
"""Bytes that are written, and then digested, at once."""
SMALL = 1 << 20
"""Smaller writes wait for each other."""


class Stream:
    """Takes bytes as a binary file object does. `close` puts them on the medium; then `size` and `sha256` are known."""

    def __init__(self, disk: Disk, path: bytes, mode: int = 0o444) -> None:
        self.path, self.size, self.sha256 = path, 0, ""
        self._disk, self._descriptor = disk, disk.create(path, mode)
        self._waiting, self._at = bytearray(), 0
        self._summed = Summed()

    def write(self, data: bytes | bytearray | memoryview) -> int:
        """Takes bytes, which may change afterwards. OSError when the disk is full."""
        view = memoryview(data).cast("B")
        if len(self._waiting) + len(view) < SMALL:
            self._waiting += view
            self.size += len(view)
        else:
            self.put(view if isinstance(data, bytes) else memoryview(bytes(view)))
        return len(view)

    def put(self, data: bytes | memoryview) -> None:
        """Takes bytes without a copy: they must stay as they are until the stream is closed."""
        view = memoryview(data).cast("B") if len(memoryview(data)) else memoryview(b"")
        self.size += len(view)
        if len(self._waiting) + len(view) < SMALL:
            self._waiting += view
            return
        self.flush()
        for start in range(0, len(view), PIECE):
            self._hand_on(view[start : start + PIECE])

    def flush(self) -> None:
        """Hands on what waits."""
        if self._waiting:
            waiting, self._waiting = bytes(self._waiting), bytearray()
            self._hand_on(memoryview(waiting))

    def _hand_on(self, piece: memoryview) -> None:
        self._summed.add(piece)
        self._disk.append(self._descriptor, piece)
        self._disk.begin_sync(self._descriptor, self._at, len(piece))
        self._at += len(piece)

    def tell(self) -> int:
        """Bytes that it took."""
        return self.size

    def seekable(self) -> bool:
        """Never: what was written is digested."""
        return False

    def writable(self) -> bool:
        """Always."""
        return True

    def close(self) -> None:
        """Puts everything on the medium."""
        if self._descriptor < 0:
            return
        self.flush()
        self._disk.sync(self._descriptor)
        self._end()
        self.sha256 = self._summed.hexdigest()

    def drop(self) -> None:
        """Ends it without a word when something went wrong; the folder around it goes."""
        if self._descriptor >= 0:
            self._end()

    def _end(self) -> None:
        self._summed.close()
        os.close(self._descriptor)
        self._descriptor = -1
