"""Where other file systems are mounted, so that the walker need not touch a mount point to know it."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

MOUNTINFO = Path("/proc/self/mountinfo")  # proc(5); macOS has none, there the device number tells


@dataclass(frozen=True, slots=True)
class Mount:
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


def mount_of(device: int) -> Mount | None:
    """The mount of a device number; of several the first, which is the device's own place."""
    return next((mount for mount in mounts() if mount.device == device), None)


def mount_at(path: bytes) -> Mount | None:
    """The mount on which a path lies that need not exist; None where the system publishes none."""
    real = os.path.realpath(path)
    above = [each for each in mounts() if real == each.path or real.startswith(each.path.rstrip(b"/") + b"/")]
    return max(reversed(above), key=lambda each: len(each.path), default=None)
