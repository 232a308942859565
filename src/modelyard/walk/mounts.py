"""Where other file systems are mounted, so that the walker need not touch a mount point to know it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from functools import cache, lru_cache
from pathlib import Path

from msgspec import Struct

MOUNTINFO = Path("/proc/self/mountinfo")  # proc(5); macOS has none, there the device number tells


class Mount(Struct, frozen=True):
    """One line of the mount table: where, which device, from what source, with which options, of what kind."""

    path: bytes
    device: int
    source: str
    options: frozenset[str]
    kind: str = ""


def _plain(field: bytes) -> bytes:
    return re.sub(rb"\\([0-7]{3})", lambda found: bytes([int(found[1], 8)]), field)


def _mount(line: bytes) -> Mount:
    left, right = line.split(b" - ", 1)
    fields, tail = left.split(b" "), right.split(b" ")
    major, minor = fields[2].split(b":")
    options = fields[5].decode("utf-8", "replace").split(",")
    return Mount(
        _plain(fields[4]),
        os.makedev(int(major), int(minor)),
        _plain(tail[1]).decode("utf-8", "replace"),
        frozenset(options),
        tail[0].decode("utf-8", "replace"),
    )


@cache
def mounts() -> tuple[Mount, ...]:
    """The mount table as the last walk found it; empty where the system does not publish one."""
    try:
        return _table(MOUNTINFO.read_bytes())
    except OSError:
        return ()


@lru_cache(1)
def _table(text: bytes) -> tuple[Mount, ...]:
    """The same text is read once: many small walks follow each other while steps are made."""
    return tuple(_mount(line) for line in text.splitlines() if b" - " in line)


def mounts_below(roots: list[bytes]) -> list[tuple[int, int, bytes, int]]:
    """For each mount below a root: device and inode of the folder that holds it, its name, the mounted device."""
    mounts.cache_clear()
    found = []
    for mount in mounts():
        folder, name = os.path.split(mount.path)
        if not name or not any(folder == root or folder.startswith(root.rstrip(b"/") + b"/") for root in roots):
            continue
        try:
            held = os.lstat(folder)
        except OSError:
            continue
        found.append((held.st_dev, held.st_ino, name, mount.device))
    return found


def mounts_within(path: bytes) -> list[bytes]:
    """What is mounted at a path or below it now. Renaming a folder takes along what is mounted in it."""
    mounts.cache_clear()
    below = path.rstrip(b"/") + b"/"
    return [mount.path for mount in mounts() if (mount.path + b"/").startswith(below)]


def mounted_by_others(path: bytes) -> int:
    """A process in whose own view something of a folder is mounted, 0 where none is seen: containers have such views.

    An overlay names its folders in its options, a bound folder its place on its disk (proc(5), mountinfo).
    """
    seen = re.compile(rb"[ =:,]" + re.escape(path.replace(b" ", b"\\040")) + rb"[/ ,:]")
    return next((process for process, table in _views() if seen.search(table)), 0)


def _views() -> Iterator[tuple[int, bytes]]:
    """The mount table of each view that is not our own, with a process that has it."""
    if not os.path.isdir("/proc/self/ns"):
        return
    known = {os.readlink("/proc/self/ns/mnt")}
    for process in map(int, filter(str.isdigit, os.listdir("/proc"))):
        try:
            view = os.readlink(f"/proc/{process}/ns/mnt")
            if view not in known:
                known.add(view)
                yield process, Path(f"/proc/{process}/mountinfo").read_bytes()
        except OSError:  # gone since, or of somebody else
            continue


def mount_of(device: int) -> Mount | None:
    """The mount of a device number; of several the first, which is the device's own place."""
    return next((mount for mount in mounts() if mount.device == device), None)


def mount_at(path: bytes) -> Mount | None:
    """The mount on which a path lies that need not exist; None where the system publishes none."""
    real = os.path.realpath(path)
    above = [each for each in mounts() if real == each.path or real.startswith(each.path.rstrip(b"/") + b"/")]
    return max(reversed(above), key=lambda each: len(each.path), default=None)
