"""Where everything goes in a file of torch: a zip archive of one pickle and a stored, aligned member a storage.

Layout: torch's `caffe2/serialize/inline_container.h` and PKWARE's APPNOTE 6.3.10, ZIP64 beyond 4 GiB.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from modelyard.convert.layout import Item, Shard
from modelyard.convert.torch_pickle import state_dict
from modelyard.formats.file import BrokenError
from modelyard.formats.value_walk import LONGEST_NAME

ALIGNED = 64
"""Where storages begin, in bytes: what torch itself takes care of."""
MOST_TENSORS = 12_000
"""A pickle of more is longer than what readers that bound themselves follow."""
WIDE = 0xFFFFFFFF
MANY = 0xFFFF
TEXT_NAMES = 1 << 11
"""The flag of names in UTF-8."""
EPOCH = 33
"""1980-01-01 as zip archives write it: the same source gives the same bytes."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One member: where its header begins and where its bytes do; `data` is None for the elements of a tensor."""

    name: bytes
    head: int
    start: int
    size: int
    data: bytes | None
    tensor: str = ""


def layout(items: Sequence[Item], tied: Mapping[str, str], name: str) -> Shard:
    """The one file that holds these tensors and, as other names of the same storage, the tied ones."""
    if len(items) + len(tied) > MOST_TENSORS:
        raise BrokenError(f"has more than {MOST_TENSORS:,} tensors", "too-large")
    if long := next((each for each in items if len(each.tensor.name) >= LONGEST_NAME), None):
        raise BrokenError(f"has a name of more than {LONGEST_NAME} letters: {long.tensor.name[:80]!r}", "too-large")
    ordered = sorted(items, key=lambda each: (each.tensor.file, each.tensor.offset or 0))
    keys = {each.tensor.name: str(at) for at, each in enumerate(ordered)}
    whole = [*items, *_aliases(items, tied)]
    pickle = state_dict(
        (
            each.tensor.name,
            each.dtype,
            each.tensor.shape,
            keys[tied.get(each.tensor.name, each.tensor.name)],
            each.bytes,
        )
        for each in whole
    )
    entries = list(_entries(pickle, ordered, keys))
    places = {each.tensor: each.start for each in entries if each.data is None}
    placed = tuple(replace(each, at=places[tied.get(each.tensor.name, each.tensor.name)]) for each in whole)
    end = entries[-1].start + entries[-1].size
    tail = _directory(entries, {}, end)
    return Shard(name, placed, end + len(tail), lambda sums: _frame(entries, sums, end), summed=True)


def _aliases(items: Sequence[Item], tied: Mapping[str, str]) -> list[Item]:
    by_name = {each.tensor.name: each for each in items}
    return [
        replace(by_name[kept], tensor=replace(by_name[kept].tensor, name=other), alias=True)
        for other, kept in tied.items()
    ]


def _entries(pickle: bytes, ordered: Sequence[Item], keys: Mapping[str, str]) -> Iterator[Entry]:
    records = (
        (b"data.pkl", pickle), (b".format_version", b"1"), (b".storage_alignment", b"%d" % ALIGNED),
        (b"byteorder", b"little"),
    )  # fmt: skip
    at = 0
    for name, data in records:
        entry = _placed(name, at, len(data), data)
        yield entry
        at = entry.start + entry.size
    for each in ordered:
        entry = _placed(b"data/" + keys[each.tensor.name].encode(), at, each.bytes, None, each.tensor.name)
        yield entry
        at = entry.start + entry.size
    yield _placed(b"version", at, 2, b"3\n")


def _placed(name: bytes, head: int, size: int, data: bytes | None, tensor: str = "") -> Entry:
    name = b"archive/" + name
    least = head + 30 + len(name) + (20 if size >= WIDE else 0) + 4
    return Entry(name, head, -(-least // ALIGNED) * ALIGNED, size, data, tensor)


def _frame(entries: Sequence[Entry], sums: Mapping[str, int], end: int) -> Iterator[tuple[int, bytes]]:
    for each in entries:
        yield each.head, _local(each, _sum(each, sums))
        if each.data is not None:
            yield each.start, each.data
    yield end, _directory(entries, sums, end)


def _sum(entry: Entry, sums: Mapping[str, int]) -> int:
    return sums.get(entry.tensor, 0) if entry.data is None else zlib.crc32(entry.data)


def _local(entry: Entry, crc: int) -> bytes:
    """The header before the bytes, with a field of nothing that lets them begin aligned."""
    wide = entry.size >= WIDE
    size = WIDE if wide else entry.size
    extra = struct.pack("<HHQQ", 1, 16, entry.size, entry.size) if wide else b""
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
    size, head = min(entry.size, WIDE), min(entry.head, WIDE)
    long = [entry.size] * 2 * (size == WIDE) + [entry.head] * (head == WIDE)
    extra = struct.pack(f"<HH{len(long)}Q", 1, 8 * len(long), *long) if long else b""
    version = 45 if long else 20
    fields = (b"PK\1\2", version, version, TEXT_NAMES, 0, 0, EPOCH, crc, size, size, len(entry.name), len(extra))
    return struct.pack("<4sHHHHHHIIIHHHHHII", *fields, 0, 0, 0, 0, head) + entry.name + extra
