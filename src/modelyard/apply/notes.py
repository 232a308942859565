"""Small files in which modelyard remembers what it found out: written whole or not at all."""

from __future__ import annotations

import os

from modelyard.apply.disk import Disk
from modelyard.problem import Problem
from modelyard.walk.read import read_file

CAP = 16 << 20


def read(path: bytes) -> bytes | Problem:
    """The content, empty where nothing was remembered yet."""
    return read_file(path, CAP) if os.path.lexists(path) else b""


def save(disk: Disk, path: bytes, content: bytes) -> None:
    """Gives the file this content, in a folder that is there: a temporary one, on the medium, then renamed over it.

    OSError when that cannot be done; the file is then as it was, and nothing is left beside it.
    """
    folder = os.path.dirname(path)
    half = path + b".%d.half" % os.getpid()
    if os.path.lexists(half):  # of a process of the same number that was killed
        _forget(disk, half)
    descriptor = disk.create(half)
    try:
        try:
            disk.append(descriptor, content)
            disk.sync(descriptor)
        finally:
            os.close(descriptor)
        disk.replace(half, path)
    except OSError:
        _forget(disk, half)
        raise
    disk.sync_folder(folder)


def _forget(disk: Disk, path: bytes) -> None:
    folder = os.open(os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        disk.unlink(os.path.basename(path), folder)
    except FileNotFoundError:
        return
    finally:
        os.close(folder)
