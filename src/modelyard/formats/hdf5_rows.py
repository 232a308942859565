"""Rows of any length in HDF5: where the bytes of each lie, which a chunked array only refers to.

Layout: the HDF5 File Format Specification, version 3.0: layout messages of version 3, B-trees of version 1, global
heaps.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from modelyard.formats.file import BrokenError, File
from modelyard.formats.hdf5_objects import DATASPACE, DATATYPE, EXTERNAL, FILTERS, LAYOUT, Hdf5, Message
from modelyard.formats.hdf5_values import shape_of

SEQUENCE, WHOLE_NUMBER = 9, 0
"""The classes of the datatypes that are read: sequences of bytes."""
MOST_ROWS = 100_000
LARGEST = 16 << 20
"""Bytes of a chunk of references that is unpacked."""
CHUNKED, OLD, DEFLATE = 2, 3, 1


def rows(messages: list[Message], file: Hdf5) -> Iterator[File]:
    """The bytes of each row in turn. BrokenError for an array that is kept in any other way."""
    found = {each.kind: each for each in messages}
    layout, space, kind = found.get(LAYOUT), found.get(DATASPACE), found.get(DATATYPE)
    if layout is None or space is None or kind is None or EXTERNAL in found or not _is_bytes(kind):
        raise BrokenError("has rows that are no bytes")
    if layout.data[0] != OLD or layout.data[1] != CHUNKED or len(shape_of(space.data, file)) != 1:
        raise BrokenError("has rows that are not kept in chunks")
    width = 8 + file.wide
    address = int.from_bytes(layout.data[3 : 3 + file.wide], "little")
    packed = _filters(found[FILTERS].data) if FILTERS in found else 0
    count = 0
    for data in () if file.missing(address) else _chunks(file, address):
        for _ in range(packed):
            data = _inflated(data)
        for at in range(0, len(data) - width + 1, width):
            place = file.heap_place(data[at + 4 : at + width])
            if place is None:
                continue
            count += 1
            if count > MOST_ROWS:
                raise BrokenError(f"has more than {MOST_ROWS:,} rows")
            length = int.from_bytes(data[at : at + 4], "little")
            yield file.file.part(f"row {count}", place[0], min(length, place[1]))


def _is_bytes(kind: Message) -> bool:
    """Whether a datatype is sequences of single bytes: those of other widths are turned into the machine's order."""
    data = kind.data
    sequence = not kind.shared and data[0] & 15 == SEQUENCE and not data[1] & 15
    return sequence and data[8] & 15 == WHOLE_NUMBER and data[12:16] == b"\1\0\0\0"


def _filters(data: bytes) -> int:
    """How often chunks are deflated. BrokenError for any other filter; HDF5 takes no shuffling of references."""
    version, count = data[0], data[1]
    at = 8 if version == 1 else 2
    for _ in range(count):
        number = int.from_bytes(data[at : at + 2], "little")
        named = version == 1 or number >= 256
        name = int.from_bytes(data[at + 2 : at + 4], "little") if named else 0
        at += 4 if named else 2
        values = int.from_bytes(data[at + 2 : at + 4], "little")
        at += 4 + (name + 7) // 8 * 8 + 4 * (values + (values % 2 if version == 1 else 0))
        if number != DEFLATE:
            raise BrokenError(f"has rows that are packed by the filter {number}")
    return count


def _chunks(file: Hdf5, tree: int) -> Iterator[bytes]:
    """The bytes of each chunk, by the tree of an array of one side."""
    waiting, seen = [tree], {tree}
    while waiting:
        file.step()
        at = file.base + waiting.pop()
        sign = file.file.at(at, 8)
        if sign[:5] != b"TREE\1":
            raise BrokenError("has rows whose tree leads nowhere")
        at += 8 + 2 * file.wide
        for _ in range(int.from_bytes(sign[6:8], "little")):
            file.step()
            size, skipped = file.number(at, 4), file.number(at + 4, 4)
            child = file.number(at + 24, file.wide)
            at += 24 + file.wide
            if sign[5]:
                if child in seen:
                    raise BrokenError("has rows whose tree contains itself")
                seen.add(child)
                waiting.append(child)
            elif skipped:
                raise BrokenError("has rows that were not packed as the others")
            else:
                yield file.file.at(file.base + child, size)


def _inflated(data: bytes) -> bytes:
    engine = zlib.decompressobj()
    try:
        found = engine.decompress(data, LARGEST)
    except zlib.error as error:
        raise BrokenError("has rows that cannot be unpacked") from error
    if not engine.eof:
        raise BrokenError("has rows that unpack to too much")
    return found
