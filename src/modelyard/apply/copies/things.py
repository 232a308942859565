"""What lies in a folder, name by name, with everything that a copy has to keep and all that tells of a change."""

from __future__ import annotations

import errno
import os
import stat
from array import array
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import chain, islice, zip_longest
from typing import NamedTuple

from msgspec import Struct, field

from modelyard.walk.read import opened, read_file
from modelyard.walk.text import shown

SPECIAL = {stat.S_IFSOCK: "socket", stat.S_IFIFO: "pipe", stat.S_IFBLK: "device", stat.S_IFCHR: "device"}
SOCKETS = b"/proc/net/unix"  # proc_net(5)
SOCKETS_CAP = 64 << 20
BLOCK = 512
NUMBERS = 9
"""What is known of a name beside its path, its inode and the number of a device."""


class Thing(NamedTuple):
    """One name: its path below the folder that is copied, empty for that folder itself. Times in nanoseconds.

    `number` is that of a device.
    """

    path: bytes
    mode: int
    size: int
    names: int
    user: int
    group: int
    read: int
    written: int
    changed: int
    allocated: int
    inode: int
    number: int

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
        path, seen.st_mode, seen.st_size, seen.st_nlink, seen.st_uid, seen.st_gid, seen.st_atime_ns,
        seen.st_mtime_ns, seen.st_ctime_ns, seen.st_blocks * BLOCK, seen.st_ino, getattr(seen, "st_rdev", 0),
    )  # fmt: skip


class Things(Sequence[Thing]):
    """Many names in little room: a million of them take 200 MB, which they would take five times as objects."""

    def __init__(self, found: Iterable[Thing]) -> None:
        self._paths: list[bytes] = []
        self._numbers, self._inodes = array("q"), array("Q")
        for each in found:
            self._paths.append(each.path)
            self._numbers.extend(each[1:-2])
            self._inodes.extend(each[-2:])

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, number: int) -> Thing:  # type: ignore[override]
        numbers = self._numbers[number * NUMBERS : (number + 1) * NUMBERS]
        return Thing(self._paths[number], *numbers, *self._inodes[2 * number : 2 * number + 2])


def things(root: bytes, left: Collection[bytes] = ()) -> Iterator[Thing]:
    """Everything at and below a root but for what is left out, folders before what is in them, in order.

    Unfit for a socket that somebody listens at, and for other file systems mounted in it. OSError as raised.
    """
    path, seen = b"", os.lstat(root)
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


class Kinds(Struct):
    """Numbers of names by what they are: `files` and `special` by their first names, by inode where these have

    `others`.
    """

    folders: array[int] = field(default_factory=lambda: array("L"))
    links: array[int] = field(default_factory=lambda: array("L"))
    special: array[int] = field(default_factory=lambda: array("L"))
    files: array[int] = field(default_factory=lambda: array("L"))
    others: array[int] = field(default_factory=lambda: array("L"))
    first: dict[int, int] = field(default_factory=dict)


def kinds_of(found: Sequence[Thing]) -> Kinds:
    """What each of the names is."""
    kinds = Kinds()
    for number, each in enumerate(found):
        if each.is_folder:
            kinds.folders.append(number)
        elif each.is_link:
            kinds.links.append(number)
        elif each.names > 1 and kinds.first.setdefault(each.inode, number) != number:
            kinds.others.append(number)
        else:
            (kinds.special if each.special else kinds.files).append(number)
    return kinds


def differing(before: Sequence[Thing], after: Iterable[Thing]) -> list[bytes]:
    """The paths that came, went or changed between two looks; of a folder only what is in it and its attributes."""
    later, number = iter(after), 0
    for number, (now, then) in enumerate(zip_longest(later, before)):
        if now is None or then is None or now.path != then.path or _told(now) != _told(then):
            old = {each.path: _told(each) for each in islice(before, number, None)}
            new = {each.path: _told(each) for each in chain([now] if now else [], later)}
            return sorted(path for path in old.keys() | new.keys() if old.get(path) != new.get(path))
    return []


def _told(each: Thing) -> tuple[int, ...]:
    return (each.mode, each.user, each.group, *(each.seen if not each.is_folder else (each.inode, each.changed)))


def takes(each: Thing, block: int) -> int:
    """Bytes that a copy of a name takes on a disk with blocks of this size, holes left out."""
    return max(-(-min(each.allocated, each.size) // block) * block, 0) + block // 4
