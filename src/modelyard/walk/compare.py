"""Whether two files are equal, byte for byte and in what matters beside their bytes, read without a trace."""

from __future__ import annotations

import os
import stat

from modelyard.walk.blocks import BLOCK, read_ahead
from modelyard.walk.read import opened

ALWAYS = ("security.selinux",)
"""Attributes that a system gives every file by where it lies: no reason to keep two copies."""


def equal(one: bytes, other: bytes) -> bool:
    """Whether two regular files have the same bytes, owner, mode and attributes. OSError as reading raises it."""
    with opened(one) as first, opened(other) as second:
        return not unlike(first, second) and same_bytes(first, second)


def unlike(first: int, second: int) -> str:
    """In what two open files differ beside their bytes, empty when in nothing that matters; times do not."""
    seen = [os.fstat(each) for each in (first, second)]
    if not all(stat.S_ISREG(each.st_mode) for each in seen):
        return "one of them is no plain file"
    for words, differ in (
        ("sizes", seen[0].st_size != seen[1].st_size),
        ("owners", (seen[0].st_uid, seen[0].st_gid) != (seen[1].st_uid, seen[1].st_gid)),
        ("rights", seen[0].st_mode != seen[1].st_mode),
        ("attributes or access lists", attributes(first) != attributes(second)),
    ):
        if differ:
            return f"their {words} differ"
    return ""


def attributes(descriptor: int) -> dict[str, bytes]:
    """The extended attributes of an open file, access lists among them; none where the file system has none."""
    if not hasattr(os, "listxattr"):
        return {}
    try:
        names = os.listxattr(descriptor)
        return {name: os.getxattr(descriptor, name) for name in names if name not in ALWAYS}
    except OSError:
        return {}


def same_bytes(first: int, second: int) -> bool:
    """Whether two open files have the same bytes from beginning to end. OSError as reading raises it."""
    rooms = [memoryview(bytearray(BLOCK)) for _ in range(2)]
    for each in (first, second):
        read_ahead(each)
    at = 0
    while True:
        counts = os.preadv(first, [rooms[0]], at), os.preadv(second, [rooms[1]], at)
        if counts[0] != counts[1] or rooms[0][: counts[0]] != rooms[1][: counts[1]]:
            return False
        if not counts[0]:
            return True
        at += counts[0]
