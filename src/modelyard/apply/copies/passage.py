"""One file on its way: read once, written with its holes, and read back from the medium to be the same."""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
import stat
from collections.abc import Iterator, Sequence

from blake3 import blake3

from modelyard.apply.copies.streams import DIRECT, LARGE, PAGE, Room, directly
from modelyard.apply.copies.things import Thing, Unfit, thing
from modelyard.apply.disk import Disk
from modelyard.walk.blocks import in_memory
from modelyard.walk.flags import NONE, flags_of, held_by
from modelyard.walk.read import FLAGS, NO_TRACE

AT_ONCE = 1 << 19
SEGMENT = 64 << 20
"""Bytes of one file that are read back together, while the next ones are copied."""
KEPT = (
    "user.", "system.posix_acl_", "security.capability", "system.nfs4_acl", "system.richacl", "trusted.overlay.",
)  # fmt: skip
"""Attributes without which a copy is none; others are a matter of the machine, not of the file."""
FLAGS_KEPT = 0x2081_04CC
"""Flags of chattr(1) that say how a file is kept, which not every file system does: compressed or never, synchronous,

not in dumps, without times of reading, rewritten in place, of the project of its folder; linux/fs.h.
"""
INNER = "trusted.SGI_"
"""What XFS shows root of how it keeps access control lists, which have names of their own."""
WITHOUT = (errno.ENOTSUP, errno.EOPNOTSUPP, errno.EPERM, errno.EACCES)

Span = tuple[int, int]


class Altered(OSError):  # noqa: N818 - a reason to look again
    """The source was written to while it was copied."""


class Passage:
    """A source that is open and a target that is filled. `spans` are start and length of what is not a hole."""

    def __init__(self, disk: Disk, root: bytes, each: Thing, target: bytes) -> None:
        self.thing, self.disk = each, disk
        self.path = os.path.join(root, each.path) if each.path else root
        self.sent, self.back = blake3(), blake3()
        self.ours: tuple[int, int] = (0, 0)
        self.shared = self._past_memory = False
        self.source = _opened(self.path)
        self.target = self.direct = -1
        try:
            self._same()
            self.spans = tuple(_spans(self.source, each))
            if hasattr(os, "posix_fadvise"):
                os.posix_fadvise(self.source, 0, 0, os.POSIX_FADV_SEQUENTIAL)
                os.posix_fadvise(self.source, 0, min(each.size, SEGMENT), os.POSIX_FADV_WILLNEED)
            self._name = target
        except BaseException:
            self.close()
            raise

    def begin(self, *, share: bool) -> bool:
        """Makes the target; whether it shares the extents of the source, which is tried when asked to."""
        self.target = self.disk.blank(self._name, 0o600)
        flagged(self.disk, self.source, self.target, self.path)
        if share and self.thing.size:
            try:
                self.disk.share(self.source, 0, 0, self.target, 0)
                self.shared = True
            except OSError:
                self.shared = False
        if not self.shared:
            if self.thing.size >= LARGE and self.spans == ((0, self.thing.size),):
                self.disk.reserve(self.target, self.thing.size)
                self.direct = directly(self._name, os.O_RDWR | NO_TRACE)
                self._past_memory = bool(self.direct >= 0 and not in_memory(self.source, self.thing.size))
                if self._past_memory:
                    self._past_memory = _past_memory(self.source)
            if self.spans != ((0, self.thing.size),) and self.thing.size:
                self.disk.cut(self.target, self.thing.size)
        return self.shared

    def segments(self, room: Room) -> Iterator[Span]:
        """Copies piece after piece and gives each one that is written. Altered when the source changed meanwhile."""
        for start, length in self.spans:
            for at in range(start, start + length, SEGMENT):
                size = min(SEGMENT, start + length - at)
                self._copied(at, size, room)
                yield at, size
        self._same()

    def _copied(self, at: int, size: int, room: Room) -> None:
        end = at + size
        for data in room.pieces(self.source, at, size, whole=self._past_memory):
            self.sent.update(data)
            if not self.shared:
                straight = self.direct >= 0 and not (at % PAGE or len(data) % PAGE)
                self.disk.put(self.direct if straight else self.target, data, at)
            at += len(data)
        if at < end:
            raise Altered(errno.ESTALE, "it became shorter while it was copied", os.fsdecode(self.path))
        if size == SEGMENT and self.direct < 0:
            self.disk.start_writing(self.target, end - size, size)

    def dress(self) -> None:
        """Gives the target attributes, owner, rights and times of the source."""
        seen = os.fstat(self.target)
        dressed(self.disk, self.source, self.target, self.thing, (seen.st_uid, seen.st_gid), self.path)
        seen = os.fstat(self.target)
        self.ours = seen.st_ino, seen.st_mtime_ns

    def _same(self) -> None:
        now = thing(self.thing.path, os.fstat(self.source))
        if now.seen != self.thing.seen or now.mode != self.thing.mode:
            raise Altered(errno.ESTALE, "it was written to while it was copied", os.fsdecode(self.path))

    def forget(self, start: int, length: int) -> None:
        """Lets the system forget what it remembers of a piece on the medium, and begin to read it from there."""
        if not hasattr(os, "posix_fadvise") or self.direct >= 0:
            return
        length = 0 if start + length >= self.thing.size else length  # the last page counts only up to the end
        os.posix_fadvise(self.target, start, length, os.POSIX_FADV_DONTNEED)
        os.posix_fadvise(self.target, start, length, os.POSIX_FADV_WILLNEED)

    def read_back(self, start: int, length: int, room: Room) -> None:
        """Takes a piece as the medium gives it."""
        whole = self.direct >= 0
        for data in room.pieces(self.direct if whole else self.target, start, length, whole=whole):
            self.back.update(data)
            length -= len(data)
        if length:
            raise damaged(self.path)

    def prove(self) -> str:
        """The digest in hex of what is on the medium. OSError where that is not what was read from the source."""
        if self.back.digest() != self.sent.digest() or os.fstat(self.target).st_size != self.thing.size:
            raise damaged(self.path)
        for start, length in _holes(self.spans, self.thing.size):
            if not _is_blank(self.target, start, length):
                raise damaged(self.path)
        return self.back.hexdigest()

    def close(self) -> None:
        """Closes both."""
        for descriptor in (self.source, self.target, self.direct):
            if descriptor >= 0:
                os.close(descriptor)
        self.source = self.target = self.direct = -1


def damaged(path: bytes) -> OSError:
    """A medium that gives back something else than it was given."""
    return OSError(errno.EIO, "the disk does not give back what was written", os.fsdecode(path))


def _opened(path: bytes) -> int:
    flags = FLAGS | os.O_NOFOLLOW
    try:
        return os.open(path, flags | NO_TRACE)
    except PermissionError:
        return os.open(path, flags)


def _past_memory(descriptor: int) -> bool:
    """Lets an open file be read past the memory of the system from now on; whether that can be."""
    flags = fcntl.fcntl(descriptor, fcntl.F_GETFL)
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETFL, flags | DIRECT)
    except OSError:
        return False
    try:
        os.preadv(descriptor, [mmap.mmap(-1, PAGE)], 0)
    except OSError:  # it was promised and cannot be
        fcntl.fcntl(descriptor, fcntl.F_SETFL, flags)
        return False
    return True


def _spans(descriptor: int, each: Thing) -> Iterator[Span]:
    """Where a file holds data; all of it where it has no holes."""
    if each.allocated >= each.size or not hasattr(os, "SEEK_DATA"):
        yield from [(0, each.size)] if each.size else []
        return
    at = 0
    while at < each.size:
        try:
            start = os.lseek(descriptor, at, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:
                return
            raise
        at = min(os.lseek(descriptor, start, os.SEEK_HOLE), each.size)
        yield start, at - start


def _holes(spans: Sequence[Span], size: int) -> Iterator[Span]:
    at = 0
    for start, length in spans:
        if start > at:
            yield at, start - at
        at = start + length
    if size > at:
        yield at, size - at


def _is_blank(descriptor: int, start: int, length: int) -> bool:
    """Whether a piece holds nothing but zeros; what the disk does not store needs no reading."""
    end = start + length
    while start < end:
        try:
            start = os.lseek(descriptor, start, os.SEEK_DATA)
        except OSError as error:
            return error.errno == errno.ENXIO
        if start < end and os.pread(descriptor, min(AT_ONCE, end - start), start).strip(b"\0"):
            return False
        start += AT_ONCE
    return True


def dressed(
    disk: Disk, source: int | bytes, target: int | bytes, each: Thing, owner: tuple[int, int], path: bytes
) -> None:
    """Gives a target what the source has beside its content, both open or by name. Unfit where it cannot have it."""
    if (each.user, each.group) != owner:  # first: a change of owner takes capabilities and set-id bits away
        try:
            disk.own(target, each.user, each.group)
        except PermissionError as error:
            raise Unfit(path, f"it belongs to user {each.user} and group {each.group}, which stay theirs") from error
    attributed(disk, source, target, path)
    if not each.is_link:
        disk.mode(target, stat.S_IMODE(each.mode))
    disk.stamp(target, each.read, each.written)


def flagged(disk: Disk, source: int, target: int, path: bytes) -> None:
    """Gives an open file, empty still, or folder the flags of another that its file system knows.

    Unfit for what nobody may take away: no copy of it can take its place.
    """
    flags = flags_of(source)
    if found := held_by(path, flags):
        raise Unfit(path, f"it is {found.how}: `{found.end}` ends that")
    wanted = flags & FLAGS_KEPT
    if not wanted:
        return
    have = flags_of(target)
    for bit in (1 << number for number in range(31)):
        if bit & wanted & ~have:
            try:
                disk.flags(target, have | bit)
                have |= bit
            except OSError as error:
                if error.errno not in NONE:
                    raise


def attributed(disk: Disk, source: int | bytes, target: int | bytes, path: bytes) -> None:
    """Gives an open file, or a name that may be a link, the attributes of another. Unfit where it cannot keep them."""
    if not hasattr(os, "listxattr"):
        if isinstance(source, int) and isinstance(target, int):
            disk.attributes(source, target)
        return
    follow = isinstance(source, int)
    try:
        names = os.listxattr(source, follow_symlinks=follow)
    except OSError:
        return
    for name in names:
        if name.startswith(INNER):
            continue
        try:
            disk.attribute(target, name, os.getxattr(source, name, follow_symlinks=follow))
        except OSError as error:
            if error.errno not in WITHOUT:
                raise
            if name.startswith(KEPT):
                raise Unfit(path, f"its attribute {name} cannot be kept there") from error
