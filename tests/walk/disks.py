"""Mounts and loop disks for tests, unmounted whatever happens, and what the disk itself says of its free bytes."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from modelyard.walk.mounts import mounts

MIB = 1 << 20
FORCE = {"ext4": "-F", "xfs": "-f", "btrfs": "-f"}


def run(*command: str | Path) -> None:
    """Runs a program; its own words when it fails."""
    assert shutil.which(command[0]), f"{command[0]} is not installed; these tests need e2fsprogs, xfsprogs, btrfs-progs"
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command} failed: {done.stderr}"


def remove(path: Path) -> None:
    """Removes a folder however deep it is nested."""
    run("rm", "-rf", path)


@contextmanager
def mounted(source: str | Path, target: Path, *options: str) -> Iterator[Path]:
    """Mounts the source on a folder or file, and takes it off again even when it is busy."""
    if not target.exists():
        target.mkdir(parents=True)
    run("mount", *options, source, target)
    mounts.cache_clear()
    try:
        yield target
    finally:
        run("umount", "-l", target)
        mounts.cache_clear()


@contextmanager
def loop_disk(kind: str, base: Path) -> Iterator[Path]:
    """A disk of 600 MiB with a fresh file system, in a sparse file."""
    image = base / f"{kind}.img"
    with image.open("wb") as file:
        file.truncate(600 * MIB)
    run(f"mkfs.{kind}", "-q", FORCE[kind], image)
    try:
        with mounted(image, base / kind, "-o", "loop") as folder:
            yield folder
    finally:
        image.unlink()


@contextmanager
def fresh_disk(kind: str, base: Path) -> Iterator[Path]:
    """A fresh file system of this kind, tmpfs too."""
    if kind == "tmpfs":
        with mounted("tmpfs", base / "tmpfs", "-t", "tmpfs", "-o", "size=64M") as folder:
            yield folder
    else:
        with loop_disk(kind, base) as folder:
            yield folder


def free_bytes(path: Path) -> int:
    """Free bytes of the file system once it has finished what it does in the background."""
    seen = -1
    for _ in range(50):
        run("sync", "-f", path)
        now = os.statvfs(path)
        if seen == now.f_bfree * now.f_frsize:
            break
        seen = now.f_bfree * now.f_frsize
        time.sleep(0.1)
    return seen


def fill(path: Path, size: int) -> Path:
    """A file of so many bytes that nothing can compress away or leave out, safely on the disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        for at in range(0, size, MIB):
            file.write(os.urandom(min(MIB, size - at)))
        file.flush()
        os.fsync(file.fileno())
    return path


def reflink(source: Path, target: Path) -> Path:
    """A copy that shares every extent with its source."""
    run("cp", "--reflink=always", source, target)
    run("sync", "-f", target)
    return target
