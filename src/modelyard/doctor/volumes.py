"""Mounted volumes with their kind and options, and those the machine is told to mount."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

from msgspec import Struct

from modelyard.problem import Problem
from modelyard.walk.read import read_setting

FSTAB = "/etc/fstab"
GATHERED = {"/mnt": 1, "/media": 2, "/run/media": 2, "/Volumes": 1}
"""Folders in which volumes are mounted, and how deep: some systems put a folder for each user between."""
NETWORK = frozenset(
    (
        "9p", "afpfs", "afs", "beegfs", "ceph", "cifs", "davfs", "davfs2", "drvfs", "glusterfs", "gpfs", "lustre",
        "ncpfs", "nfs", "nfs3", "nfs4", "orangefs", "smb", "smb2", "smb3", "smbfs", "virtiofs", "webdav",
    )
)  # fmt: skip
WITHOUT_LINKS = frozenset(("vfat", "msdos", "fat", "fat32", "exfat", "umsdos"))
SMALL_FILES = WITHOUT_LINKS - {"exfat"}
MEMORY = frozenset(("tmpfs", "ramfs"))
OWN_FUSE = ("fuse.fuse-overlayfs", "fuse.snapfuse")


class Volume(Struct, frozen=True):
    """A mounted file system: where, of what kind, with which options."""

    path: str
    kind: str
    options: frozenset[str] = frozenset()

    @property
    def is_network(self) -> bool:
        """Whether its files lie on another machine."""
        return self.kind in NETWORK

    @property
    def is_fuse(self) -> bool:
        """Whether a program outside the kernel serves it, which costs time for every file."""
        return self.kind.startswith("fuse") and self.kind not in OWN_FUSE


def mount_table() -> tuple[Volume, ...]:
    """The mount table of this machine."""
    import psutil  # late: only the doctor needs it

    found = psutil.disk_partitions(all=True)
    return tuple(
        Volume(os.path.normpath(each.mountpoint), each.fstype.lower(), frozenset(each.opts.split(",")))
        for each in found
        if each.mountpoint
    )


def promised() -> tuple[str, ...]:
    """Where the machine's own table says that volumes belong."""
    text = read_setting(FSTAB)
    lines = [] if isinstance(text, Problem) else [line.split() for line in text.splitlines()]
    places = [fields[1] for fields in lines if len(fields) > 1 and not fields[0].startswith("#")]
    plain = (re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), place) for place in places)
    return tuple(os.path.normpath(place) for place in plain if place.startswith("/") and place != "/")


def is_below(path: str, folder: str) -> bool:
    """Whether a path is the folder or lies in it."""
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def volume_of(path: str, mounted: Iterable[Volume]) -> Volume | None:
    """The volume a path lies on: the nearest mount above it, of several at one place the last."""
    best: Volume | None = None
    for each in mounted:
        if is_below(path, each.path) and (best is None or len(each.path) >= len(best.path)):
            best = each
    return best


def missing_volume(path: str, mounted: Iterable[Volume], expected: Iterable[str]) -> str | None:
    """The place of the volume that a path needs and that is not mounted; None where nothing speaks for it."""
    there = {each.path for each in mounted}
    for place in expected:
        if is_below(path, place) and place not in there:
            return place
    if not path.startswith("/"):
        return None if os.path.lexists(path[:3]) else path[:2]
    for folder, deep in GATHERED.items():
        if path.startswith(folder + "/"):
            parts = path[len(folder) + 1 :].split("/")[:deep]
            places = ["/".join((folder, *parts[: count + 1])) for count in range(len(parts))]
            lost = next((place for place in places if place in there or not os.path.lexists(place)), None)
            return None if lost is None or lost in there else places[-1]
    first = "/" + path.split("/")[1]
    return None if os.path.lexists(first) else first
