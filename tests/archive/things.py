"""A checkpoint with everything that a folder can hold, and what it looked like before."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import NamedTuple

import makers

NAME = "checkpoint:runs/a/checkpoint-5"


class Thing(NamedTuple):
    """All that has to come back of one name."""

    kind: int
    content: str
    mode: int
    mtime: int
    xattrs: tuple[tuple[str, bytes], ...]
    twins: tuple[str, ...]


def small(home: Path) -> Path:
    """A checkpoint of one packed file with two names, a link and a folder."""
    folder = home / "runs/a/checkpoint-5"
    makers.write(folder / "trainer_state.json", '{"global_step": 5}')
    file = makers.write(folder / "inner" / "optimizer.pt", b"soft" * 9000)
    os.link(file, folder / "again.pt")
    (folder / "latest").symlink_to("again.pt")
    return folder


def make(home: Path) -> Path:
    """The checkpoint: packed and random bytes, hard links, links, holes, attributes, odd names, a read-only folder."""
    folder = home / "runs/a/checkpoint-5"
    makers.write(folder / "trainer_state.json", '{"global_step": 5}')
    big = makers.write(folder / "model.bin", os.urandom(300_000))
    os.link(big, folder / "again.bin")
    makers.write(folder / "optimizer.pt", b"soft" * 90_000)
    (folder / "latest").symlink_to("model.bin")
    (folder / "dangling").symlink_to("nowhere/at all")
    makers.write(folder / "empty")
    (folder / "hollow").mkdir()
    Path(os.fsdecode(bytes(folder) + b"/odd\xff\\name")).write_bytes(b"odd")
    with (folder / "sparse").open("wb") as file:
        file.write(b"begin")
        file.truncate(1 << 20)
    os.setxattr(folder / "model.bin", "user.note", b"\0\xff note")
    os.setxattr(folder / "hollow", "user.kind", b"folder")
    (folder / "optimizer.pt").chmod(0o640)
    (folder / "hollow").chmod(0o711)
    for number, path in enumerate(sorted(folder.rglob("*"), reverse=True)):
        os.utime(
            path, ns=(1_600_000_000_000_000_001 + number, 1_500_000_000_123_456_789 + number), follow_symlinks=False
        )
    os.utime(folder, ns=(1_600_000_000_000_000_001, 1_500_000_000_000_000_007))
    return folder


def look(folder: Path) -> dict[bytes, Thing]:
    """Every name at and below a folder, and all that has to come back of it."""
    found = {}
    paths = [folder, *folder.rglob("*")]
    inodes: dict[int, list[str]] = {}
    for path in paths:
        inodes.setdefault(path.lstat().st_ino, []).append(str(path.relative_to(folder)))
    for path in paths:
        seen = path.lstat()
        content = os.readlink(path) if path.is_symlink() else ""
        if path.is_file() and not path.is_symlink():
            content = hashlib.sha256(path.read_bytes()).hexdigest()
        attributes = tuple(
            (name, os.getxattr(path, name, follow_symlinks=False))
            for name in sorted(os.listxattr(path, follow_symlinks=False))
        )
        found[os.fsencode(path.relative_to(folder))] = Thing(
            seen.st_mode & 0o170000,
            content,
            seen.st_mode,
            seen.st_mtime_ns,
            attributes,
            tuple(sorted(inodes[seen.st_ino])),
        )
    return found
