"""What could not be read or understood: a value that is passed on and shown, never a silent skip."""

from __future__ import annotations

import errno
import os

from msgspec import Struct

CODES = {
    errno.EACCES: ("unreadable", "run as the owner of the folder, or ask them for read permission"),
    errno.EPERM: ("unreadable", "run as the owner of the folder, or ask them for read permission"),
    errno.ENOENT: ("vanished", "it was removed while being read; run again for a fresh look"),
    errno.ENOTDIR: ("changed", "it was replaced while being read; run again for a fresh look"),
    errno.ELOOP: ("changed", "it was replaced by a link while being read; run again for a fresh look"),
    errno.EMFILE: ("too-many-open-files", "raise the limit with `ulimit -n` and run again"),
    errno.ENAMETOOLONG: ("unreadable", "its path is longer than this system accepts"),
    errno.EIO: ("damaged", "the disk could not deliver it; check the drive and its cables"),
    errno.ESTALE: ("damaged", "the network share went away; mount it again"),
}


class Problem(Struct, frozen=True):
    """One thing that went wrong: where, a stable code, a sentence, and what to do about it."""

    path: str
    code: str
    message: str
    hint: str = ""


def from_errno(path: str, number: int) -> Problem:
    """The Problem for a failed system call on a path."""
    code, hint = CODES.get(number, ("unreadable", ""))
    return Problem(path, code, os.strerror(number), hint)
