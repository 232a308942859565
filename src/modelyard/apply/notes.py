"""Small files in which modelyard remembers something: always whole, the old content or the new."""

from __future__ import annotations

import os

from modelyard.apply.disk import Disk
from modelyard.apply.trash import remove_tree
from modelyard.problem import Problem
from modelyard.walk.read import read_file

CAP = 64 << 20


def read(path: bytes) -> bytes | Problem:
    """The content, empty where nothing was remembered yet."""
    return read_file(path, CAP) if os.path.lexists(path) else b""


def write(disk: Disk, path: bytes, content: bytes) -> None:
    """Replaces the content in one step. OSError leaves the old one as it was; the lock has to be held."""
    beside = path + b".new"
    if os.path.lexists(beside):  # of an interruption
        remove_tree(disk, beside)
    descriptor = disk.create(beside)
    try:
        disk.append(descriptor, content)
        disk.sync(descriptor)
    finally:
        os.close(descriptor)
    disk.replace(beside, path)
    disk.sync_folder(os.path.dirname(path))
