"""Digests of whole files, several kinds in one reading, without a trace and never of a file that changed meanwhile."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Literal, NamedTuple, Protocol

from msgspec import Struct

from modelyard.problem import Problem, from_errno
from modelyard.walk._walker import read_anew
from modelyard.walk.blocks import BLOCK, blocks
from modelyard.walk.extents import first_places
from modelyard.walk.read import opened, read_setting
from modelyard.walk.text import shown

Method = Literal["blake3", "sha256", "git-sha1", "md5", "sha1", "sha512"]
"""How bytes are digested. `git-sha1`: SHA-1 of `blob`, the length, a NUL and the bytes, which git names a file by."""
Told = Callable[[int], object]
"""Called with the bytes of each block that was read; what it raises stops the reading."""
AT_ONCE = 2
"""Files that are read at the same time: one is digested while the disk looks for the other."""
BLOCKS_OF = "/sys/dev/block/%d:%d"
CHANGED = "it was written to since it was looked at"


class Hasher(Protocol):
    """What every kind of digest offers."""

    def update(self, data: memoryview, /) -> object:
        """Takes more bytes."""
        ...

    def digest(self) -> bytes:
        """Of all the bytes so far."""
        ...


class Seen(NamedTuple):
    """Which file at what moment: a file that was written to, or given other names or rights, has another one."""

    device: int
    inode: int
    size: int
    mtime: int
    ctime: int

    @classmethod
    def of(cls, found: os.stat_result) -> Seen:
        """What a stat call saw; nanoseconds since 1970."""
        return cls(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


class Hashed(Struct, frozen=True):
    """The digests of a file by kind, which file it was, and when its reading began, nanoseconds since 1970."""

    seen: Seen
    at: int
    digests: Mapping[Method, bytes]

    def hex(self, method: Method) -> str:
        """One of them as people write it. KeyError when it was not asked for."""
        return self.digests[method].hex()


def hasher(method: Method, size: int) -> Hasher:
    """A new one of a kind, for a file of `size` bytes."""
    if method == "blake3":
        from blake3 import blake3  # late: most commands digest nothing

        return blake3()
    if method == "git-sha1":
        return hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)
    return hashlib.new(method, usedforsecurity=False)


def hash_open(descriptor: int, methods: Sequence[Method], told: Told | None = None) -> Hashed:
    """The digests of an open file. OSError as reading raises it; ESTALE when it was written to meanwhile."""
    at, before = time.time_ns(), os.fstat(descriptor)
    if not stat.S_ISREG(before.st_mode):
        raise OSError(errno.EINVAL, "a plain file was expected here")
    seen, read = Seen.of(before), 0
    hashers = [hasher(method, seen.size) for method in methods]
    for block in blocks(descriptor):
        for each in hashers:
            each.update(block)
        read += len(block)
        if told:
            told(len(block))
        if read > seen.size:  # somebody writes at its end, who may never stop
            break
    if read != seen.size or Seen.of(os.fstat(descriptor)) != seen:
        raise OSError(errno.ESTALE, CHANGED)
    return Hashed(seen, at, {method: each.digest() for method, each in zip(methods, hashers, strict=True)})


def hash_anew(paths: Sequence[bytes], methods: Sequence[Sequence[Method]], most: int) -> list[Hashed | int]:
    """The digests of small files, for each its own kinds, read from the medium whatever the system remembers of them.

    The number of an error where one has more than `most` bytes, or cannot be read; ESTALE when it was written to
    meanwhile.
    """
    at = time.time_ns()
    found: list[Hashed | int] = []
    for kinds, read in zip(methods, read_anew(list(paths), most), strict=True):
        found.append(read if isinstance(read, int) else hash_bytes(Seen(*read[:5]), at, read[5], kinds))
    return found


def hash_bytes(seen: Seen, at: int, data: bytes, methods: Sequence[Method]) -> Hashed:
    """The digests of all of a file, `data`, whose reading began at `at`."""
    digests = {}
    for method in methods:
        each = hasher(method, seen.size)
        each.update(memoryview(data))
        digests[method] = each.digest()
    return Hashed(seen, at, digests)


def hash_range(descriptor: int, start: int, length: int, told: Told | None = None) -> bytes | None:
    """The BLAKE3 digest of `length` bytes of an open file from `start` on; None where it ends before."""
    found, left = hasher("blake3", length), length
    room = memoryview(bytearray(min(BLOCK, max(length, 1))))
    while left:
        count = os.preadv(descriptor, [room[: min(left, len(room))]], start + length - left)
        if not count:
            return None
        found.update(room[:count])
        left -= count
        if told:
            told(count)
    return found.digest()


def hash_file(path: bytes, methods: Sequence[Method], told: Told | None = None) -> Hashed | Problem:
    """The digests of a file, which is no link; a Problem where it cannot be read, or `changed` meanwhile."""
    try:
        with opened(path) as descriptor:
            return hash_open(descriptor, methods, told)
    except OSError as error:
        if error.errno == errno.ESTALE:
            return Problem(shown(path), "changed", CHANGED)
        return from_errno(shown(path), error.errno or 0)


def hash_files(
    paths: Sequence[bytes], methods: Sequence[Method], told: Told | None = None
) -> Generator[tuple[int, Hashed | Problem], None, None]:
    """The number of each path with what `hash_file` gives, in the order in which they lie on the disk.

    `told` is called from several threads. Whoever stops taking stops the reading after the files under way.
    """
    places = sorted(zip(first_places(paths), range(len(paths)), strict=True))
    threads = 1 if any(rotates(device) for device in {place[0] for place, _ in places}) else AT_ONCE
    with ThreadPoolExecutor(threads) as pool:
        waiting = []
        try:
            for _, number in places:
                waiting.append((number, pool.submit(hash_file, paths[number], methods, told)))
                if len(waiting) > threads:
                    done, future = waiting.pop(0)
                    yield done, future.result()
            for number, future in waiting:
                yield number, future.result()
        finally:
            pool.shutdown(cancel_futures=True)


def rotates(device: int) -> bool:
    """Whether the disk has to move a head between two files. A virtual disk says so whatever it lies on."""
    place = os.path.realpath(BLOCKS_OF % (os.major(device), os.minor(device)))
    for disk in (place, os.path.dirname(place)):  # a partition lies in the folder of its disk
        told = read_setting(os.path.join(disk, "queue", "rotational"))
        if not isinstance(told, Problem) and told:
            return told.startswith("1") and not os.path.basename(disk).startswith(("vd", "xvd", "loop"))
    return False
