"""Every name of a thing that is to be archived, with all that has to come back of it."""

from __future__ import annotations

import base64
import errno
import os
import stat
from collections.abc import Sequence

from modelyard.formats.stub import Entry
from modelyard.plan import Path
from modelyard.walk.hash import Seen
from modelyard.walk.read import names_in
from modelyard.walk.text import shown


class Refused(Exception):  # noqa: N818 - carries a reason to the person
    """Why something is not archived."""


def entries_below(base: bytes, tops: Sequence[bytes]) -> tuple[list[Entry], dict[bytes, Seen]]:
    """Every name at and below the tops, folders before what is in them."""
    found: list[Entry] = []
    seen: dict[bytes, Seen] = {}
    first: dict[tuple[int, int], bytes] = {}
    device = os.lstat(base).st_dev
    waiting = list(reversed(tops))
    while waiting:
        name = waiting.pop()
        path = os.path.join(base, name)
        status = os.lstat(path)
        if status.st_dev != device:
            raise Refused(f"another disk is mounted at {shown(path)}")
        entry = _entry(path, name, status, first)
        found.append(entry)
        if entry.kind == "file":
            seen[name] = Seen.of(status)
        elif entry.kind == "folder":
            waiting += [os.path.join(name, os.fsencode(each)) for each in reversed(names_in(os.fsdecode(path)))]
    return found, seen


def _entry(path: bytes, name: bytes, status: os.stat_result, first: dict[tuple[int, int], bytes]) -> Entry:
    mode, times = stat.S_IMODE(status.st_mode), (status.st_mtime_ns, status.st_atime_ns)
    if stat.S_ISLNK(status.st_mode):
        return Entry(Path.of(name), "link", mode, *times, target=Path.of(os.readlink(path)))
    if stat.S_ISDIR(status.st_mode):
        return Entry(Path.of(name), "folder", mode, *times, xattrs=_attributes(path))
    if not stat.S_ISREG(status.st_mode):
        raise Refused(f"{shown(path)} is no file, folder or link")
    known = first.setdefault((status.st_dev, status.st_ino), name)
    if known != name:
        return Entry(Path.of(name), "same", target=Path.of(known))
    holes = status.st_blocks * 512 < status.st_size
    return Entry(Path.of(name), "file", mode, *times, status.st_size, xattrs=_attributes(path), holes=holes)


def _attributes(path: bytes) -> dict[str, str]:
    if not hasattr(os, "listxattr"):
        return {}
    try:
        names = os.listxattr(path, follow_symlinks=False)
        return {name: base64.b64encode(os.getxattr(path, name, follow_symlinks=False)).decode() for name in names}
    except OSError as error:
        if error.errno in (errno.ENOTSUP, errno.ENODATA):
            return {}
        raise
