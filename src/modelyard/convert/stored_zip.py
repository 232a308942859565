"""Where everything goes in a zip archive whose members are stored as they are, each at a place that is known before.

Layout: PKWARE's APPNOTE 6.3.10, ZIP64 beyond 4 GiB; the field that aligns: torch's `inline_container.h`.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence

from msgspec import Struct

WIDE = 0xFFFFFFFF
MANY = 0xFFFF
TEXT_NAMES = 1 << 11
"""The flag of names in UTF-8."""
EPOCH = 33
"""1980-01-01 as zip archives write it: the same source gives the same bytes."""


class Member(Struct, frozen=True):
    """What one member is to hold: bytes that are known, and behind them so many of the source, under a key."""

    name: str
    data: bytes
    more: int = 0
    key: str = ""

    @property
    def size(self) -> int:
        """All of its bytes."""
        return len(self.data) + self.more


class Entry(Struct, frozen=True):
    """A member with the places of its header and of its bytes."""

    member: Member
    head: int
    start: int

    @property
    def end(self) -> int:
        """Where the next one begins."""
        return self.start + self.member.size

    @property
    def name(self) -> bytes:
        """As the archive writes it."""
        return self.member.name.encode()


def placed(members: Iterable[Member], aligned: int) -> list[Entry]:
    """The members one after the other, the bytes of each from a multiple of `aligned` on."""
    found, at = [], 0
    for each in members:
        least = at + 30 + len(each.name.encode()) + (20 if each.size >= WIDE else 0) + 4
        found.append(Entry(each, at, -(-least // aligned) * aligned))
        at = found[-1].end
    return found


def size_of(entries: Sequence[Entry]) -> int:
    """Bytes of the whole archive."""
    end = entries[-1].end
    return end + len(_directory(entries, {}, end))


def frame(entries: Sequence[Entry], sums: Mapping[str, int]) -> Iterator[tuple[int, bytes]]:
    """Everything but the bytes of the source, by place. `sums`: the CRC-32 of the members with a key, by that."""
    for each in entries:
        yield each.head, _local(each, _sum(each, sums))
        if each.member.data:
            yield each.start, each.member.data
    yield entries[-1].end, _directory(entries, sums, entries[-1].end)


def _sum(entry: Entry, sums: Mapping[str, int]) -> int:
    return sums.get(entry.member.key, 0) if entry.member.key else zlib.crc32(entry.member.data)


def _local(entry: Entry, crc: int) -> bytes:
    """The header before the bytes, with a field of nothing that lets them begin aligned."""
    wide = entry.member.size >= WIDE
    size = WIDE if wide else entry.member.size
    extra = struct.pack("<HHQQ", 1, 16, entry.member.size, entry.member.size) if wide else b""
    room = entry.start - entry.head - 30 - len(entry.name) - len(extra)
    extra += b"FB" + struct.pack("<H", room - 4) + b"Z" * (room - 4)
    fields = (b"PK\3\4", 45 if wide else 20, TEXT_NAMES, 0, 0, EPOCH, crc, size, size, len(entry.name), len(extra))
    return struct.pack("<4sHHHHHIIIHH", *fields) + entry.name + extra


def _directory(entries: Sequence[Entry], sums: Mapping[str, int], start: int) -> bytes:
    """What stands at the end: every member once more, and where this begins."""
    lines = b"".join(_line(each, _sum(each, sums)) for each in entries)
    count, length = len(entries), len(lines)
    end = b""
    if start >= WIDE or length >= WIDE or count >= MANY:
        end = struct.pack("<4sQHHIIQQQQ", b"PK\6\6", 44, 45, 45, 0, 0, count, count, length, start)
        end += struct.pack("<4sIQI", b"PK\6\7", 0, start + length, 1)
    few = min(count, MANY)
    return lines + end + struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, few, few, min(length, WIDE), min(start, WIDE), 0)


def _line(entry: Entry, crc: int) -> bytes:
    size, head = min(entry.member.size, WIDE), min(entry.head, WIDE)
    long = [entry.member.size] * 2 * (size == WIDE) + [entry.head] * (head == WIDE)
    extra = struct.pack(f"<HH{len(long)}Q", 1, 8 * len(long), *long) if long else b""
    version = 45 if long else 20
    fields = (b"PK\1\2", version, version, TEXT_NAMES, 0, 0, EPOCH, crc, size, size, len(entry.name), len(extra))
    return struct.pack("<4sHHHHHHIIIHHHHHII", *fields, 0, 0, 0, 0, head) + entry.name + extra
