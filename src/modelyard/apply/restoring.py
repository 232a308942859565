"""Builds what was archived again, in a folder of its own: every file proven by its digest, then all as it was."""

from __future__ import annotations

import base64
import errno
import os
import stat
from collections.abc import Callable, Iterator, Sequence

from modelyard.apply.disk import Disk
from modelyard.apply.trash import remove_tree
from modelyard.formats.stub import Entry
from modelyard.problem import Problem
from modelyard.walk.hash import hash_file

HOLE = 64 << 10
"""Bytes of zeros that are left out of a file that had holes."""
Source = Callable[[Entry], Iterator[bytes]]
"""Gives the bytes of a file, proven when the last one was given. OSError where they are not what they should be."""
WITHOUT = (errno.ENOTSUP, errno.EOPNOTSUPP, errno.EPERM, errno.EACCES)


def restored(disk: Disk, folder: bytes, entries: Sequence[Entry], source: Source) -> list[str]:
    """Fills a folder, which is made where it is missing; what cannot be kept there is told, such as an attribute.

    What an earlier attempt brought is held against its digest and not fetched again. OSError where anything fails;
    what was brought until then stays for the next attempt.
    """
    for entry in entries:
        path = os.path.join(folder, bytes(entry.path))
        _with_folders(disk, os.path.dirname(path))
        if entry.kind == "folder":
            _folder(disk, path)
        elif entry.kind == "link":
            _link(disk, path, entry)
        elif entry.kind == "same":
            _same(disk, path, os.path.join(folder, bytes(entry.target or entry.path)))
        else:
            _file(disk, path, entry, source)
    lost = []
    for entry in reversed(entries):  # a folder after what is in it, which would give it another time
        if entry.kind in ("file", "folder"):
            lost += _dressed(disk, os.path.join(folder, bytes(entry.path)), entry)
    disk.sync_folder(folder)
    return lost


def _with_folders(disk: Disk, folder: bytes) -> None:
    """The folders above a name, which the archive does not know when they were not part of the thing."""
    if not os.path.isdir(folder):
        _with_folders(disk, os.path.dirname(folder))
        disk.make_folder(folder)


def _folder(disk: Disk, path: bytes) -> None:
    if not os.path.lexists(path):
        disk.make_folder(path)
        return
    if stat.S_IMODE(os.lstat(path).st_mode) & 0o700 != 0o700:  # of an attempt that came as far as its rights
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            disk.mode(descriptor, 0o700)
        finally:
            os.close(descriptor)


def _link(disk: Disk, path: bytes, entry: Entry) -> None:
    assert entry.target is not None
    if not os.path.lexists(path):
        disk.symlink(bytes(entry.target), path)
    disk.stamp(path, entry.atime, entry.mtime)


def _same(disk: Disk, path: bytes, first: bytes) -> None:
    if os.path.lexists(path) and os.path.samestat(os.lstat(path), os.lstat(first)):
        return
    if os.path.lexists(path):
        remove_tree(disk, path)
    disk.link(first, path)


def _file(disk: Disk, path: bytes, entry: Entry, source: Source) -> None:
    if os.path.lexists(path):
        found = hash_file(path, ["sha256"])
        if not isinstance(found, Problem) and found.hex("sha256") == entry.sha256:
            return
        remove_tree(disk, path)
    descriptor = disk.blank(path)
    try:
        at = 0
        for piece in source(entry):
            for start in range(0, len(piece), HOLE) if entry.holes else (0,):
                part = piece[start : start + HOLE] if entry.holes else piece
                if not entry.holes or part.strip(b"\0"):
                    disk.put(descriptor, part, at)
                at += len(part)
        disk.cut(descriptor, entry.size)
        disk.sync(descriptor)
    finally:
        os.close(descriptor)


def _dressed(disk: Disk, path: bytes, entry: Entry) -> list[str]:
    """Attributes, rights and times; the attributes that this file system does not keep."""
    lost = []
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(path, flags)
    try:
        for name, value in entry.xattrs.items():
            try:
                disk.attribute(descriptor, name, base64.b64decode(value))
            except OSError as error:
                if error.errno not in WITHOUT:
                    raise
                lost.append(f"{entry.path.text}: its attribute {name} is not kept here")
        disk.mode(descriptor, entry.mode)
        disk.stamp(descriptor, entry.atime, entry.mtime)
        disk.sync(descriptor)
    finally:
        os.close(descriptor)
    return lost
