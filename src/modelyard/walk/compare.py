"""Whether two files are equal, byte for byte, read without a trace."""

from __future__ import annotations

import os
import stat

from modelyard.walk.read import opened

CHUNK = 1 << 20


def equal(one: bytes, other: bytes) -> bool:
    """Whether two regular files have the same bytes, the same owner and the same mode. OSError as reading raises."""
    with opened(one) as first, opened(other) as second:
        seen = [os.fstat(first), os.fstat(second)]
        if not all(stat.S_ISREG(each.st_mode) for each in seen):
            return False
        if len({(each.st_size, each.st_mode, each.st_uid, each.st_gid) for each in seen}) > 1:
            return False
        while True:
            parts = os.read(first, CHUNK), os.read(second, CHUNK)
            if parts[0] != parts[1]:
                return False
            if not parts[0]:
                return True
