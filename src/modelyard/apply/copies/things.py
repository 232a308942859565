"""What lies in a folder, name by name, with everything that a copy has to keep and all that tells of a change."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from modelyard.walk.read import opened, read_file
from modelyard.walk.text import shown

SPECIAL = {stat.S_IFSOCK: "socket", stat.S_IFIFO: "pipe", stat.S_IFBLK: "device", stat.S_IFCHR: "device"}
SOCKETS = b"/proc/net/unix"  # proc_net(5)
SOCKETS_CAP = 64 << 20
BLOCK = 512


class Thing(NamedTuple):
    """One name: its path below the folder that is copied, empty for that folder itself. Times in nanoseconds.

    `number` is that of a device.
    """

    path: bytes
    mode: int
    size: int
    inode: int
    names: int
    user: int
    group: int
    read: int
    written: int
    changed: int
    allocated: int
    number: int = 0

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder."""
        return stat.S_ISDIR(self.mode)

    @property
    def is_link(self) -> bool:
        """Whether it is a symbolic link."""
        return stat.S_ISLNK(self.mode)

    @property
    def special(self) -> str:
        """What it is that holds no bytes: a device, a pipe or a socket; empty for all else."""
        return SPECIAL.get(stat.S_IFMT(self.mode), "")

    @property
    def seen(self) -> tuple[int, int, int, int]:
        """What tells whether its content or its attributes changed."""
        return self.inode, self.size, self.written, self.changed


class Unfit(OSError):  # noqa: N818 - a reason to leave everything as it is
    """Something that cannot be copied, or cannot be kept where it would go. Nothing was changed for it."""

    def __init__(self, path: bytes, why: str) -> None:
        super().__init__(errno.EPERM, f"{shown(path)}: {why}" if path else why)
        self.why = f"{shown(path)}: {why}" if path else why


def thing(path: bytes, seen: os.stat_result) -> Thing:
    """A name as lstat(2) sees it."""
    return Thing(
        path, seen.st_mode, seen.st_size, seen.st_ino, seen.st_nlink, seen.st_uid, seen.st_gid,
        seen.st_atime_ns, seen.st_mtime_ns, seen.st_ctime_ns, seen.st_blocks * BLOCK,
        getattr(seen, "st_rdev", 0),
    )  # fmt: skip


def things(root: bytes, left: Collection[bytes] = ()) -> list[Thing]:
    """Everything at and below a root but for what is left out, folders before what is in them, in order.

    Unfit for a socket that somebody listens at, and for other file systems mounted in it. OSError as raised.
    """
    return list(_things(root, b"", os.lstat(root), left))


def _things(root: bytes, path: bytes, seen: os.stat_result, left: Collection[bytes]) -> Iterator[Thing]:
    waiting = [(path, seen)]
    device = seen.st_dev
    while waiting:
        path, seen = waiting.pop()
        if stat.S_ISSOCK(seen.st_mode) and _is_listened_at(os.path.join(root, path)):
            raise Unfit(os.path.join(root, path), "a program listens at this socket: end it first")
        if seen.st_dev != device:
            raise Unfit(os.path.join(root, path), "another file system is mounted there")
        yield thing(path, seen)
        if stat.S_ISDIR(seen.st_mode):
            below = [each for each in _listed(os.path.join(root, path), path) if each[0] not in left]
            waiting += sorted(below, key=lambda each: each[0], reverse=True)


def _is_listened_at(path: bytes) -> bool:
    """Whether a program listens at a socket, as far as the system tells; most that lie in folders are long dead."""
    table = read_file(SOCKETS, SOCKETS_CAP)
    return isinstance(table, bytes) and any(line.endswith(b" " + path) for line in table.splitlines())


def _listed(folder: bytes, path: bytes) -> list[tuple[bytes, os.stat_result]]:
    """The names in a folder, listed without changing when it was read last."""
    with opened(folder) as descriptor, os.scandir(descriptor) as names:
        return [
            (os.path.join(path, os.fsencode(each.name)), os.stat(each.name, dir_fd=descriptor, follow_symlinks=False))
            for each in names
        ]


def differing(before: Sequence[Thing], after: Sequence[Thing]) -> list[bytes]:
    """The paths that came, went or changed between two looks; of a folder only what is in it and its attributes."""
    old = {each.path: _told(each) for each in before}
    new = {each.path: _told(each) for each in after}
    return sorted(path for path in old.keys() | new.keys() if old.get(path) != new.get(path))


def _told(each: Thing) -> tuple[int, ...]:
    return (each.mode, each.user, each.group, *(each.seen if not each.is_folder else (each.inode, each.changed)))


def needed(found: Sequence[Thing], block: int) -> int:
    """Bytes that a copy takes on a disk with blocks of this size: each file once, holes left out."""
    files = {each.inode: each for each in found}.values()
    return sum(max(-(-min(each.allocated, each.size) // block) * block, 0) + block // 4 for each in files)
