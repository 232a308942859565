"""The bytes of an open file in large blocks, as fast as the disk gives them and without pushing others out of memory.

A large file that is not in memory is read past the page cache (`O_DIRECT`), a block ahead of whoever uses it: a
sixteenth of the processor time of a buffered read, which has to make room in memory first. Everything else is read
with advice to read ahead (posix_fadvise(2), `SEQUENTIAL`).
"""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

BLOCK = 1 << 20
PAST_MEMORY = 1 << 20
LARGE = 64 << 20
"""Bytes from which on a file is worth a look whether it is in memory."""
PROBES = 5
SECTOR = 512
"""Bytes of what stat(2) counts as a block."""
ZEROS = memoryview(bytes(BLOCK))
DIRECT = getattr(os, "O_DIRECT", 0)
NO_WAIT = getattr(os, "RWF_NOWAIT", 0)


def blocks(descriptor: int) -> Iterator[memoryview]:
    """The bytes of a regular file from its beginning to its end, each block valid until the next one is taken.

    Holes are not read: they are zeros. OSError as the system raises it. The descriptor is left as it was, but for its
    read-ahead.
    """
    seen, start = os.fstat(descriptor), 0
    size = seen.st_size
    if size >= LARGE and seen.st_blocks * SECTOR < size // 2:
        yield from _with_holes(descriptor, size)
        return
    if size >= LARGE and DIRECT and not in_memory(descriptor, size) and _switched(descriptor, on=True):
        try:
            for block in _ahead(descriptor):
                start += len(block)
                yield block
                if len(block) < PAST_MEMORY:
                    return
        except OSError as error:
            if error.errno != errno.EINVAL:  # this file system wants other places or sizes: the rest as others are read
                raise
        finally:
            _switched(descriptor, on=False)
    yield from _buffered(descriptor, start)


def _with_holes(descriptor: int, size: int) -> Iterator[memoryview]:
    """What is written, read; and zeros where nothing is."""
    room, at = memoryview(bytearray(BLOCK)), 0
    while at < size:
        data = _next(descriptor, at, os.SEEK_DATA, size)
        for start in range(at, data, BLOCK):
            yield ZEROS[: min(BLOCK, data - start)]
        at = data
        end = _next(descriptor, data, os.SEEK_HOLE, size) if data < size else size
        while at < end:
            count = os.preadv(descriptor, [room[: min(BLOCK, end - at)]], at)
            if not count:  # it became shorter meanwhile
                return
            at += count
            yield room[:count]
    while count := os.preadv(descriptor, [room], at):  # it became longer
        at += count
        yield room[:count]


def _next(descriptor: int, at: int, what: int, size: int) -> int:
    """Where data or a hole begins at or behind a place, the size where there is none."""
    before = os.lseek(descriptor, 0, os.SEEK_CUR)
    try:
        return min(os.lseek(descriptor, at, what), size)
    except OSError as error:
        if error.errno != errno.ENXIO:
            raise
        return size
    finally:
        os.lseek(descriptor, before, os.SEEK_SET)


def in_memory(descriptor: int, size: int) -> bool:
    """Whether the file seems to be in the page cache, by a few bytes of it; true where nobody tells."""
    one = bytearray(1)
    for part in range(PROBES):
        try:
            if os.preadv(descriptor, [one], size * part // PROBES, NO_WAIT) < 1:
                return False
        except (BlockingIOError, InterruptedError):
            return False
        except (OSError, AttributeError):
            return True
    return True


def _switched(descriptor: int, *, on: bool) -> bool:
    flags = fcntl.fcntl(descriptor, fcntl.F_GETFL)
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETFL, flags | DIRECT if on else flags & ~DIRECT)
    except OSError:
        return False
    return True


def _ahead(descriptor: int) -> Iterator[memoryview]:
    """Blocks at their whole places; while one is used the next is read."""
    rooms = [mmap.mmap(-1, PAST_MEMORY), mmap.mmap(-1, PAST_MEMORY)]  # a map lies at whole pages, as this way wants it
    with ThreadPoolExecutor(1) as reader:
        at = 0
        waiting = reader.submit(os.preadv, descriptor, [rooms[0]], at)
        while count := waiting.result():
            room = rooms[at // PAST_MEMORY % 2]
            at += PAST_MEMORY
            if count == PAST_MEMORY:
                waiting = reader.submit(os.preadv, descriptor, [rooms[at // PAST_MEMORY % 2]], at)
            yield memoryview(room)[:count]
            if count < PAST_MEMORY:
                return


def read_ahead(descriptor: int) -> None:
    """Tells the system that a file will be read from its beginning to its end."""
    if hasattr(os, "posix_fadvise"):
        with suppress(OSError):
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_SEQUENTIAL)


def _buffered(descriptor: int, start: int) -> Iterator[memoryview]:
    read_ahead(descriptor)
    left = os.fstat(descriptor).st_size - start
    room = memoryview(bytearray(min(BLOCK, max(left, 0) + 1)))  # a megabyte of zeros takes longer than a small file
    while count := os.preadv(descriptor, [room], start):
        start += count
        yield room[:count]
