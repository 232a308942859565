"""Pieces of an open file in large blocks, one block ahead of whoever takes them, past the memory of the system for
large files: that takes a fraction of the processor time, and what is read comes from the medium.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait

BLOCK = 4 << 20
SMALL = 1 << 16
LARGE = 64 << 20
"""Files from this size on are worth it, and get their room on the disk before they are filled."""
PAGE = 4096
DIRECT: int = getattr(os, "O_DIRECT", 0)


class Room:
    """Memory for two blocks and a thread that fills one while the other is used; of one user at a time."""

    def __init__(self) -> None:
        self._blocks: list[mmap.mmap] = []
        self._reader = ThreadPoolExecutor(1, "reading")

    def __enter__(self) -> Room:
        return self

    def __exit__(self, *_: object) -> None:
        self._reader.shutdown(wait=True)

    def pieces(self, descriptor: int, start: int, length: int, *, whole: bool = False) -> Iterator[bytes | memoryview]:
        """What lies there, each piece valid until the next one; less where the file ends. OSError as the system does.

        `whole`: the file is read past the memory of the system, which takes whole blocks.
        """
        if length <= SMALL:
            if data := os.pread(descriptor, length, start):
                yield data
            return
        self._blocks = self._blocks or [mmap.mmap(-1, BLOCK), mmap.mmap(-1, BLOCK)]  # a map lies at whole pages
        end, turn = start + length, 0

        def asked(at: int, turn: int) -> tuple[int, memoryview]:
            space = memoryview(self._blocks[turn])[: BLOCK if whole else min(BLOCK, end - at)]
            return os.preadv(descriptor, [space], at), space

        waiting = self._reader.submit(asked, start, 0)
        try:
            while start < end:
                count, space = waiting.result()
                count = min(count, end - start)
                if not count:
                    return
                start, turn = start + count, 1 - turn
                if start < end:
                    waiting = self._reader.submit(asked, start, turn)
                yield space[:count]
        finally:
            wait([waiting])


def directly(path: bytes, flags: int) -> int:
    """A descriptor that goes past the memory of the system; -1 where the file system has none."""
    if not DIRECT:
        return -1
    try:
        return os.open(path, flags | DIRECT | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return -1
