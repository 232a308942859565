"""Flags that chattr(1) and chflags(1) give files: which ones nobody may rename or remove, root neither."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import stat
import struct
import sys
from collections.abc import Callable, Collection
from typing import NamedTuple

from modelyard.walk.read import opened

AT_SYMLINK_NOFOLLOW = 0x100
ATTRIBUTES = struct.Struct("=8xQ")
"""Where statx(2) puts stx_attributes."""
STATX = 256
"""Bytes that it fills."""
IMMUTABLE, APPEND = 0x10, 0x20  # STATX_ATTR_IMMUTABLE, STATX_ATTR_APPEND; FS_IMMUTABLE_FL, FS_APPEND_FL
FLAGS, EMPTY = struct.Struct("=i4x"), bytes(8)
IN_PLACE = 0x800000  # FS_NOCOW_FL of linux/fs.h
GET_FLAGS = 0x80086601  # FS_IOC_GETFLAGS of ioctl_iflags(2)
MAC = sys.platform == "darwin"
HELD = {
    IMMUTABLE: ("immutable", "chflags nouchg" if MAC else "chattr -i"),
    APPEND: ("append-only", "chflags nouappnd" if MAC else "chattr -a"),
}
"""What it is called, and the command that ends it."""
NONE = (errno.ENOTTY, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL, errno.EPERM, errno.EACCES)


def _statx() -> Callable[[int, bytes, int, int, object], int] | None:
    found = getattr(ctypes.CDLL(None, use_errno=True), "statx", None) if sys.platform == "linux" else None
    if found is not None:
        found.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_uint, ctypes.c_char_p)
    return found


def _asking() -> Callable[[bytes, int], int]:
    """What tells the two flags of a name in an open folder; no flag of what is gone, or where no system tells."""
    statx, room = _statx(), ctypes.create_string_buffer(STATX)

    def by_statx(name: bytes, folder: int) -> int:
        assert statx is not None
        failed = statx(folder, name, AT_SYMLINK_NOFOLLOW, 0, room)
        return 0 if failed else int(ATTRIBUTES.unpack_from(room)[0])

    def by_stat(name: bytes, folder: int) -> int:
        try:
            flags = getattr(os.stat(name, dir_fd=folder, follow_symlinks=False), "st_flags", 0)
        except OSError:
            return 0
        held = flags & (stat.UF_IMMUTABLE | stat.SF_IMMUTABLE)
        return IMMUTABLE if held else APPEND if flags & (stat.UF_APPEND | stat.SF_APPEND) else 0

    return by_statx if statx is not None else by_stat


class Held(NamedTuple):
    """A path that nobody can rename or remove, root neither: how it is called, and the command that ends it."""

    path: bytes
    how: str
    end: str


def held(path: bytes) -> Held | None:
    """Whether nobody can rename or remove what is at a path, whatever its rights. OSError as the system raises it."""
    with opened(os.path.dirname(path)) as folder:
        return held_by(path, _asking()(os.path.basename(path), folder))


def held_within(root: bytes, left: Collection[bytes] = ()) -> Held | None:
    """The first path at or below a root that nobody can remove; without the names in it that are `left`.

    Folders are listed without a trace. OSError as the system raises it.
    """
    if found := held(root):
        return found
    flags, waiting = _asking(), [root] if os.path.isdir(root) and not os.path.islink(root) else []
    while waiting:
        at = waiting.pop()
        with opened(at) as folder, os.scandir(folder) as names:
            for each in (each for each in names if at != root or os.fsencode(each.name) not in left):
                name = os.fsencode(each.name)
                if found := held_by(os.path.join(at, name), flags(name, folder)):
                    return found
                if each.is_dir(follow_symlinks=False):
                    waiting.append(os.path.join(at, name))
    return None


def held_by(path: bytes, flags: int) -> Held | None:
    """What these flags say of a path; statx(2) and ioctl_iflags(2) number the two alike."""
    if not flags & (IMMUTABLE | APPEND):
        return None
    return Held(path, *HELD[flags & IMMUTABLE or APPEND])


def flags_of(descriptor: int) -> int:
    """The flags of an open file as ioctl_iflags(2) numbers them; none where its file system has no such."""
    if sys.platform != "linux":
        return 0
    try:
        (found,) = FLAGS.unpack(fcntl.ioctl(descriptor, GET_FLAGS, EMPTY))
    except OSError as error:
        if error.errno not in NONE:
            raise
        return 0
    return int(found)
