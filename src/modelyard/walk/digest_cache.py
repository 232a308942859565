"""Digests that were computed before, each for exactly the file and moment that it is of. In memory; api/ keeps it.

The form on disk is a table of rows of one length, so that 200,000 of them are read in a tenth of a second. A file is
known by device, inode, size, mtime and ctime in nanoseconds: ctime tells of a rewriting after which somebody put the
old mtime back. Clocks tick: a file that was written to within two seconds of its reading is never noted, as git does
with its index ("racy git" in git's documentation).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping

from modelyard.units import SECOND
from modelyard.walk.hash import Hashed, Method, Seen

NUMBERS: Mapping[Method, int] = {"blake3": 1, "sha256": 2, "git-sha1": 3, "md5": 4, "sha1": 5, "sha512": 6}
LENGTHS: Mapping[Method, int] = {"blake3": 32, "sha256": 32, "git-sha1": 20, "md5": 16, "sha1": 20, "sha512": 64}
HEADER = struct.Struct("<8sII")  # magic, number of rows, CRC-32 of the rows
MAGIC = b"mydigst1"
ROW = struct.Struct("<17s32s64s")  # the file and the kind; its size, times and the time of reading; the digest, padded
FILE = struct.Struct("<QQB")
STATE = struct.Struct("<Qqqq")
MOST = 500_000
"""Rows that are kept: those read last."""
RACY = 2 * SECOND
CAP = HEADER.size + MOST * ROW.size


class DigestCache:
    """The digests of files by kind. A row is served for nothing but the file as it was when it was read."""

    def __init__(self, table: bytes = b"") -> None:
        self._rows = _parsed(table)
        self.changed = False

    def __len__(self) -> int:
        return len(self._rows)

    def get(self, seen: Seen, method: Method) -> bytes | None:
        """The digest of this file, None where it is not known or the file is not as it was."""
        found = self._rows.get(FILE.pack(seen.device, seen.inode, NUMBERS[method]))
        if found is None or STATE.unpack(found[0])[:3] != seen[2:]:
            return None
        return found[1][: LENGTHS[method]]

    def read_at(self, seen: Seen, method: Method) -> int | None:
        """When the reading began that the digest is of, nanoseconds since 1970."""
        if self.get(seen, method) is None:
            return None
        found = self._rows[FILE.pack(seen.device, seen.inode, NUMBERS[method])]
        return int(STATE.unpack(found[0])[3])

    def put(self, found: Hashed) -> bool:
        """Notes what was read, unless it is too fresh to be told from a later rewriting; whether it was noted."""
        seen = found.seen
        if found.at - max(seen.mtime, seen.ctime) < RACY:
            return False
        state = STATE.pack(*seen[2:], found.at)
        for method, digest in found.digests.items():
            self._rows[FILE.pack(seen.device, seen.inode, NUMBERS[method])] = state, digest.ljust(64, b"\0")
        self.changed = True
        return True

    def renamed(self, before: Seen, after: Seen) -> None:
        """modelyard itself gave the file names or took some, which changes its ctime and nothing that was read."""
        if before[:4] != after[:4]:
            return
        for method, number in NUMBERS.items():
            if digest := self.get(before, method):
                at = self.read_at(before, method) or 0
                self._rows[FILE.pack(*after[:2], number)] = STATE.pack(*after[2:], at), digest.ljust(64, b"\0")
                self.changed = True

    def merged(self, other: DigestCache) -> DigestCache:
        """Both, of each file what was read last."""
        for key, row in other._rows.items():
            mine = self._rows.get(key)
            if mine is None or STATE.unpack(mine[0])[3] < STATE.unpack(row[0])[3]:
                self._rows[key] = row
        return self

    def encoded(self) -> bytes:
        """The table as it is kept, of no more rows than are worth keeping."""
        rows = list(self._rows.items())
        if len(rows) > MOST:
            rows = sorted(rows, key=lambda row: -STATE.unpack(row[1][0])[3])[:MOST]
        body = b"".join(key + state + digest for key, (state, digest) in rows)
        return HEADER.pack(MAGIC, len(rows), zlib.crc32(body)) + body


def _parsed(table: bytes) -> dict[bytes, tuple[bytes, bytes]]:
    """The rows of a table; none of one that is torn, damaged or of another version: it costs a reading, never more."""
    if len(table) < HEADER.size:
        return {}
    magic, count, check = HEADER.unpack_from(table)
    body = memoryview(table)[HEADER.size :]
    if magic != MAGIC or len(body) != count * ROW.size or zlib.crc32(body) != check:
        return {}
    return {key: (state, digest) for key, state, digest in ROW.iter_unpack(body)}
