"""What a target's file system can keep, tried out in the staging folder before anything is copied there."""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct, field

from modelyard.apply.copies.things import SPECIAL, Thing, Unfit, takes
from modelyard.apply.disk import Disk
from modelyard.apply.trash import remove_tree
from modelyard.units import size
from modelyard.walk.text import shown

PROBE = b"probe"
FOUR_GIB = 1 << 32
ODD = re.compile(rb'[\x01-\x1f<>:"|?*\\]|[. ]$')
"""What Windows and FAT keep no file name with; Linux does on its own file systems."""


class Needs(Struct):
    """What a target has to keep, by one pass over all names: bytes, files, and what not every disk keeps."""

    room: int = 0
    files: int = 0
    links: int = 0
    several: int = 0
    large: bool = False
    longest: bytes = b""
    special: set[tuple[int, int]] = field(default_factory=set)
    odd: set[bytes] = field(default_factory=set)

    def add(self, each: Thing, block: int, *, again: bool) -> None:
        """Takes a name in; `again`: another one of its file was taken in before."""
        name = os.path.basename(each.path)
        self.room += 0 if again else takes(each, block)
        self.files += not again
        self.links += each.is_link
        self.several += not each.is_folder and each.names > 1
        self.large |= each.size >= FOUR_GIB
        if len(name) > len(self.longest):
            self.longest = name
        self.odd.add(_oddity(name))
        if each.special:
            self.special.add((stat.S_IFMT(each.mode), each.number))


def _needs(found: Sequence[Thing], block: int) -> Needs:
    needs, seen = Needs(), set[int]()
    for each in found:
        again = each.inode in seen
        if each.names > 1 and not each.is_folder:
            seen.add(each.inode)
        needs.add(each, block, again=again)
    return needs


def check(disk: Disk, folder: bytes, found: Sequence[Thing], staged: int, files: int = 0) -> None:
    """Unfit where the file system of the folder cannot keep what was found; `staged` bytes of it, and so many `files`,

    are there already.
    """
    space = os.statvfs(folder)
    needs = _needs(found, space.f_frsize)
    missing = needs.room - staged - space.f_bavail * space.f_frsize
    if missing > 0:
        raise Unfit(b"", f"{size(missing)} more have to be free on the disk of {shown(os.path.dirname(folder))}")
    if space.f_files and space.f_favail < needs.files - files:
        more = f"{needs.files - files:,}{' more' if files else ''}"
        raise Unfit(b"", f"its disk has room for {space.f_favail:,} more files, and there are {more}")
    if len(needs.longest) > space.f_namemax:
        raise Unfit(
            b"", f"its file system keeps names of {space.f_namemax} bytes, and {shown(needs.longest)} is longer"
        )
    for why in _unable(disk, folder, found, needs):
        raise Unfit(b"", why)


def _unable(disk: Disk, folder: bytes, found: Sequence[Thing], needs: Needs) -> Iterator[str]:
    """What cannot be kept, each thing tried only where something needs it."""
    if needs.links and not _tried(disk, folder, b"link", lambda place: disk.symlink(b"nowhere", place)):
        yield f"its file system keeps no symbolic links, and there are {needs.links:,}"
    for made, number in sorted(needs.special):
        if not _tried(disk, folder, b"special", lambda at: disk.special(at, made | 0o600, number)):  # noqa: B023
            yield f"no {SPECIAL[made]} can be made there: root alone makes devices, and not on every file system"
    if needs.several and not _hard_links(disk, folder):
        yield f"its file system keeps no hard links, and {needs.several:,} files have several names"
    if needs.large and not _tried(disk, folder, b"large", lambda at: _large(disk, at)):
        yield "its file system keeps no file of 4 GiB and more"
    if _folds(disk, folder) and (pair := _alike(each.path for each in found)):
        yield f"its file system takes {shown(pair[0])} and {shown(pair[1])} for one name"
    for odd in sorted(needs.odd - {b""}):
        if not _tried(disk, folder, b"n" + odd, lambda place: os.close(disk.blank(place))):
            yield f"its file system keeps no name with {shown(odd)!r} in it"
    if not _tried(disk, folder, b"rights", lambda place: _rights(disk, place)):
        yield "its file system keeps no rights of files"


def _tried(disk: Disk, folder: bytes, word: bytes, act: object) -> bool:
    """Whether something can be made there. OSError for what is no answer: a full or broken disk."""
    place = os.path.join(folder, PROBE + b"-" + word)
    if os.path.lexists(place):
        remove_tree(disk, place)
    try:
        act(place)  # type: ignore[operator]
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EIO, errno.EROFS, errno.EDQUOT, errno.ENOENT):
            raise
        return False
    finally:
        if os.path.lexists(place):
            remove_tree(disk, place)
    return True


def _large(disk: Disk, place: bytes) -> None:
    descriptor = disk.blank(place)
    try:
        disk.cut(descriptor, FOUR_GIB + 1)
    finally:
        os.close(descriptor)


def _rights(disk: Disk, place: bytes) -> None:
    descriptor = disk.blank(place)
    try:
        for mode in (0o640, 0o500):
            disk.mode(descriptor, mode)
            if os.fstat(descriptor).st_mode & 0o777 != mode:
                raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))
    finally:
        os.close(descriptor)


def _hard_links(disk: Disk, folder: bytes) -> bool:
    first = os.path.join(folder, PROBE + b"-first")
    if not os.path.lexists(first):
        os.close(disk.blank(first))
    try:
        return _tried(disk, folder, b"second", lambda place: disk.link(first, place))
    finally:
        remove_tree(disk, first)


def _folds(disk: Disk, folder: bytes) -> bool:
    """Whether two names that differ only in case are one there."""
    place = os.path.join(folder, PROBE + b"-case")
    if not os.path.lexists(place):
        os.close(disk.blank(place))
    try:
        return os.path.lexists(os.path.join(folder, (PROBE + b"-case").upper()))
    finally:
        remove_tree(disk, place)


def _alike(paths: Iterable[bytes]) -> tuple[bytes, bytes] | None:
    """Two paths that differ only in case."""
    seen: dict[str, bytes] = {}
    for path in paths:
        other = seen.setdefault(os.fsdecode(path).casefold(), path)
        if other != path:
            return other, path
    return None


def _oddity(name: bytes) -> bytes:
    """What a name has that some file systems cannot keep."""
    if found := ODD.search(name):
        return found[0] if found[0] not in (b".", b" ") else b"end" + found[0]
    try:
        name.decode()
    except UnicodeDecodeError as error:
        return name[error.start : error.start + 1]
    return b""
