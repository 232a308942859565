"""Digests of whole files that were seen by a walk, read without a trace."""

from __future__ import annotations

import hashlib
import os

from modelyard.problem import Problem, from_errno
from modelyard.walk.read import pieces
from modelyard.walk.text import shown
from modelyard.walk.tree import Tree


def digests(tree: Tree, row: int) -> tuple[str, str] | Problem:
    """The SHA-256 of a file and the SHA-1 that git gives it, in hex; a Problem when it is not as the walk saw it."""
    path, seen = tree.path(row), tree.entry(row)
    if seen is None:
        return Problem(shown(path), "changed", "a mount point, which was not looked at")
    sha256, git = hashlib.sha256(), hashlib.sha1(b"blob %d\0" % seen.size, usedforsecurity=False)
    read = 0
    try:
        for piece in pieces(path):
            sha256.update(piece)
            git.update(piece)
            read += len(piece)
        now = os.lstat(path)
    except OSError as error:
        return from_errno(shown(path), error.errno or 0)
    if (now.st_dev, now.st_ino, now.st_mtime_ns) != (seen.device, seen.inode, seen.mtime) or read != seen.size:
        return Problem(shown(path), "changed", "it was written to since it was looked at")
    return sha256.hexdigest(), git.hexdigest()
