"""What a path looks like now, and whether that is still what a plan saw."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence

from msgspec.structs import replace

from modelyard.plan import Below, Copy, Mark
from modelyard.walk.text import shown
from modelyard.walk.tree import Tree, walk

KINDS = {stat.S_IFREG: "file", stat.S_IFDIR: "folder", stat.S_IFLNK: "link"}


def take(path: bytes, tree: Tree | None = None) -> Mark | None:
    """The mark of a path, None where nothing is there. OSError where it cannot be looked at.

    `tree`: a walk made just now, for what lies below a folder.
    """
    try:
        seen = os.lstat(path)
        kind = KINDS.get(stat.S_IFMT(seen.st_mode), "other")
        target = shown(os.readlink(path)) if kind == "link" else ""
    except (FileNotFoundError, NotADirectoryError):
        return None
    size = 0 if kind == "folder" else seen.st_size
    below = _below(path, tree) if kind == "folder" else None
    return Mark(kind, seen.st_dev, seen.st_ino, size, seen.st_mtime_ns, seen.st_ctime_ns, seen.st_uid, target, below)  # type: ignore[arg-type]


def written(expected: Mark, seen: Mark | None) -> str:
    """Whether somebody wrote into what lies in the trash, empty when nobody did; what went is no loss any more.

    Device and inode numbers do not count: some file systems give new ones whenever they are mounted.
    """
    if seen is None:
        return ""
    if (expected.kind, expected.target) != (seen.kind, seen.target):
        return f"it became another {seen.kind}"
    if expected.below and seen.below:
        before, after = expected.below, seen.below
        more = after.entries > before.entries or after.apparent > before.apparent or after.newest > before.newest
        return "something was written into it" if more else ""
    return "it was written to" if (expected.size, expected.mtime) != (seen.size, seen.mtime) else ""


def of_open(descriptor: int) -> Mark:
    """The mark of an open file, whatever its path leads to by now."""
    seen = os.fstat(descriptor)
    kind = KINDS.get(stat.S_IFMT(seen.st_mode), "other")
    size = 0 if kind == "folder" else seen.st_size
    return Mark(kind, seen.st_dev, seen.st_ino, size, seen.st_mtime_ns, seen.st_ctime_ns, seen.st_uid)  # type: ignore[arg-type]


def lonely(copies: Sequence[Copy], artifact: str) -> str:
    """Why an artifact must not go: a copy of it that has to be there is not as it was. Empty when all are."""
    for each in copies:
        if each.artifact == artifact:
            try:
                why = drift(each.expect, take(bytes(each.path)), moved=True)  # new names and rights leave it a copy
            except OSError as error:
                why = os.strerror(error.errno or 0)
            if why:
                return f"its copy {shown(bytes(each.path))} is not there as it was: {why}"
    return ""


def _below(path: bytes, tree: Tree | None) -> Below:
    row = tree.find(path) if tree else None
    if tree is None or row is None:
        tree = walk([path])
        row = tree.find(path)
    totals = tree.totals(row)
    return Below(totals.entries, totals.apparent, totals.newest or 0, totals.print)


def _known_less(before: object, now: object) -> bool:
    """Whether two folders differ only in what an earlier version did not note."""
    if not (isinstance(before, Below) and isinstance(now, Below)) or before.print:
        return False
    return replace(now, print=0) == before


def drift(expected: Mark | None, seen: Mark | None, *, moved: bool = False) -> str:
    """Why what is there is not what was expected, empty when it is.

    `moved`: modelyard itself renamed this inode since, which changes its ctime and nothing else.
    """
    if expected is None or seen is None:
        if expected is seen:
            return ""
        return "it is gone" if seen is None else "something is there now"
    for field, words in (
        ("kind", f"it became a {seen.kind}"),
        ("device", "it is on another device now"),
        ("inode", "it was replaced"),
        ("target", "the link points elsewhere now"),
        ("size", "its size changed"),
        ("mtime", "it was written to"),
        ("uid", "it has another owner now"),
        ("below", "something below it changed"),
    ):
        before, now = getattr(expected, field), getattr(seen, field)
        if before != now and not _known_less(before, now):
            return words
    return "" if moved or expected.ctime == seen.ctime else "its attributes or names changed"
