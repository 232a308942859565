"""Extents that several files share, asked from the file system: what comes back when all the sharers that were seen go.

FIEMAP (kernel documentation, filesystems/fiemap) says where the bytes of a file lie and whether they are shared, not
by whom: a snapshot or a file outside what was walked may share them too, so this is never a promise.
"""

from __future__ import annotations

import fcntl
import os
import stat
import struct
from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from modelyard.walk._walker import places
from modelyard.walk.read import opened
from modelyard.walk.tree import Tree, threads_here

FIEMAP = 0xC020660B  # FS_IOC_FIEMAP
HEAD, EXTENT = struct.Struct("=QQIIII"), struct.Struct("=QQQQQIIII")
LAST, UNPLACED, SHARED = 0x1, 0x2 | 0x4 | 0x8 | 0x200, 0x2000
"""Flags of an extent: the last one; unknown, delayed, compressed or inside metadata; shared."""
A_CALL = 128
XFS_IOC_FSGEOMETRY, XFS_REFLINK = 0x8100587E, 1 << 20  # xfs_fs.h
BTRFS_IOC_FS_INFO = 0x8400941F  # linux/btrfs.h
XFS_GEOMETRY = struct.Struct("=92sI160x")  # the flags of xfs_fsop_geom
LEAST = 1 << 20
"""Smaller files are passed over: what they share is little, and there may be millions of them."""

Range = tuple[int, int]


def shared_ranges(path: bytes) -> list[Range]:
    """First and last-plus-one byte on the device of each extent that another file shares, none where nobody tells."""
    try:
        with opened(path) as descriptor:
            return list(_shared(descriptor)) if stat.S_ISREG(os.fstat(descriptor).st_mode) else []
    except OSError:
        return []


class Extent(NamedTuple):
    """Where `length` bytes of a file from `logical` on lie on its device, and the flags of fiemap.h."""

    logical: int
    physical: int
    length: int
    flags: int

    @property
    def placed(self) -> bool:
        """Whether the place on the device is known, and is that of these bytes as they are."""
        return not self.flags & UNPLACED


def extents(descriptor: int, *, sync: bool = False) -> Iterator[Extent]:
    """The extents of an open file in order. OSError where nobody tells; `sync`: after its bytes found their place."""
    at, flags = 0, 0
    while not flags & LAST:
        asked = bytearray(HEAD.pack(at, 2**64 - 1 - at, int(sync), 0, A_CALL, 0) + bytes(EXTENT.size * A_CALL))
        fcntl.ioctl(descriptor, FIEMAP, asked)
        count = HEAD.unpack_from(asked)[3]
        flags = flags if count else LAST
        for number in range(count):
            logical, physical, length, _, _, flags, *_ = EXTENT.unpack_from(asked, HEAD.size + number * EXTENT.size)
            yield Extent(logical, physical, length, flags)
            at = logical + length


def _shared(descriptor: int) -> Iterator[Range]:
    for each in extents(descriptor):
        if each.flags & SHARED and each.placed:
            yield each.physical, each.physical + each.length


def can_share(path: bytes) -> bool:
    """Whether files of this file system can share extents: btrfs, and xfs that was made with reflinks."""
    try:
        with opened(path) as descriptor:
            xfs = _asked(descriptor, XFS_IOC_FSGEOMETRY, XFS_GEOMETRY.size)
            if xfs is not None:
                return bool(XFS_GEOMETRY.unpack(xfs)[1] & XFS_REFLINK)
            return _asked(descriptor, BTRFS_IOC_FS_INFO, 1024) is not None
    except OSError:
        return False


def _asked(descriptor: int, request: int, size: int) -> bytearray | None:
    """What only one file system answers."""
    answer = bytearray(size)
    try:
        fcntl.ioctl(descriptor, request, answer)
    except OSError:
        return None
    return answer


def alone(path: bytes, allocated: int) -> int:
    """Bytes on disk of a file that no other file shares, of so many allocated ones; all where nobody tells."""
    try:
        with opened(path) as descriptor:
            return max(
                allocated - sum(each.length for each in extents(descriptor, sync=True) if each.flags & SHARED), 0
            )
    except OSError:
        return allocated


def alone_within(path: bytes, start: int, length: int, longest: int = 0) -> int:
    """Bytes of a stretch of a file that come back when it shares the extents of another one; 0 where nobody tells.

    `longest`: a part of an extent of up to so many bytes frees nothing of it. Extents that lie behind each other are
    told as one, so of those that reach out of the stretch only what is surely in whole ones counts.
    """
    try:
        with opened(path) as descriptor:
            found = [each for each in extents(descriptor, sync=True) if not each.flags & SHARED]
    except OSError:
        return 0
    total = 0
    for each in found:
        inside = min(each.logical + each.length, start + length) - max(each.logical, start)
        total += max(inside if inside == each.length else inside - 2 * longest, 0)
    return total


def layout(path: bytes) -> tuple[Extent, ...]:
    """Where a file lies, where every byte of it lies in extents that others share too; empty where it does not."""
    try:
        with opened(path) as descriptor:
            found = [each._replace(flags=0) for each in extents(descriptor) if each.flags & SHARED and each.placed]
            whole = sum(each.length for each in found) >= os.fstat(descriptor).st_size
    except OSError:
        return ()
    return tuple(found) if whole else ()


def first_places(paths: Sequence[bytes]) -> list[tuple[int, int]]:
    """The device of each file and where on it the file begins, zeros where nobody tells.

    In this order a disk reads files best.
    """
    return places(list(paths), threads_here())


def shared_among(tree: Tree, rows: Collection[int]) -> int:
    """Bytes that files at and below the rows share with each other and with no other large file of the walk."""
    inside: dict[int, list[Range]] = {}
    outside: dict[int, list[Range]] = {}
    for names in tree.large_files(LEAST):
        seen = tree.entry(names[0])
        if seen is None:
            continue
        ranges = shared_ranges(tree.path(names[0]))
        if ranges:
            goes = len(names) == seen.nlink and all(_at_or_below(tree, name, rows) for name in names)
            (inside if goes else outside).setdefault(seen.device, []).extend(ranges)
    return sum(_only(ranges, outside.get(device, [])) for device, ranges in inside.items())


def _at_or_below(tree: Tree, row: int | None, rows: Collection[int]) -> bool:
    while row is not None and row not in rows:
        row = tree.parent(row)
    return row is not None


def _only(inside: list[Range], outside: list[Range]) -> int:
    """Bytes that at least two of the ranges inside cover and none of those outside."""
    turns = sorted(
        [(at, 0, step) for first, last in inside for at, step in ((first, 1), (last, -1))]
        + [(at, 1, step) for first, last in outside for at, step in ((first, 1), (last, -1))]
    )
    total, before, depth = 0, 0, [0, 0]
    for at, side, step in turns:
        if depth[0] > 1 and not depth[1]:
            total += at - before
        depth[side] += step
        before = at
    return total
