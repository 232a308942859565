"""What Git noted of each file when it last looked (gitformat-index(5)): unchanged files need not be read again."""

from __future__ import annotations

import os
import struct

from modelyard.problem import Problem
from modelyard.walk.read import read_file

CAP = 256 << 20
HEAD = struct.Struct(">10I20sH")
EXTENDED, LONG = 0x4000, 0xFFF
Seen = tuple[int, int, str]


def noted(own: bytes) -> dict[bytes, Seen]:
    """Time of writing in nanoseconds, size, and object by path; nothing where the index is not understood.

    What was written when the index was, or later, may have changed unseen and is left out.
    """
    path = os.path.join(own, b"index")
    data = read_file(path, CAP)
    if isinstance(data, Problem) or data[:4] != b"DIRC":
        return {}
    version, count = struct.unpack(">II", data[4:12].ljust(8, b"\0"))
    try:
        until = os.lstat(path).st_mtime_ns
        found = _entries(data, count, version) if version in (2, 3, 4) else {}
        return {name: seen for name, seen in found.items() if seen[0] < until}
    except (struct.error, IndexError, ValueError, OSError):
        return {}


def _entries(data: bytes, count: int, version: int) -> dict[bytes, Seen]:
    found: dict[bytes, Seen] = {}
    at, name = 12, b""
    for _ in range(count):
        start = at
        fields = HEAD.unpack_from(data, at)
        at += HEAD.size + (2 if fields[11] & EXTENDED else 0)
        if version == 4:
            cut, at = _varint(data, at)
            name = name[: len(name) - cut]
        else:
            name = b""
        end = data.index(b"\0", at)
        name += data[at:end]
        at = end + 1 if version == 4 else start + (end - start + 8) // 8 * 8
        found[name] = fields[2] * 10**9 + fields[3], fields[9], fields[10].hex()
    return found


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = data[at] & 0x7F
    while data[at] & 0x80:
        at += 1
        value = (value + 1) << 7 | data[at] & 0x7F
    return value, at + 1
