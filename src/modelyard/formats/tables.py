"""Sorted tables of keys and values, as LevelDB and TensorFlow's checkpoints write them.

Layout: github.com/google/leveldb, `doc/table_format.md`.
"""

from __future__ import annotations

from collections.abc import Iterator

from modelyard.formats.file import BrokenError, File

MAGIC = (0xDB4775248B80FB57).to_bytes(8, "little")
FOOTER = 48
MOST_KEYS = 65_536
LARGEST = 4 << 20
"""Bytes of one block."""


def is_table(file: File) -> bool:
    """Whether a file ends like a table."""
    return file.size >= FOOTER and file.tail(8) == MAGIC


def rows(file: File) -> Iterator[tuple[bytes, bytes]]:
    """Every key and value in order. BrokenError for what is no table."""
    if not is_table(file):
        raise BrokenError("is a table without its end", "truncated")
    footer = file.tail(FOOTER)
    _, at = _varint(footer, 0)
    _, at = _varint(footer, at)
    count = 0
    for _, handle in _block(file, *_handle(footer, at)):
        for row in _block(file, *_handle(handle, 0)):
            count += 1
            if count > MOST_KEYS:
                raise BrokenError(f"has more than {MOST_KEYS:,} keys", "too-large")
            yield row


def _handle(data: bytes, at: int) -> tuple[int, int]:
    offset, at = _varint(data, at)
    size, _ = _varint(data, at)
    return offset, size


def _block(file: File, offset: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    """The keys and values of a block, whose keys leave out what they share with the one before."""
    if size < 4 or size > LARGEST:
        raise BrokenError(f"has a block of {size:,} bytes", "too-large" if size > LARGEST else "damaged")
    data = file.at(offset, size + 1)
    if data[-1]:
        raise BrokenError("has packed blocks, which are not read", "unsupported")
    stop = size - 4 - 4 * int.from_bytes(data[size - 4 : size], "little")
    at, key = 0, b""
    while at < stop:
        shared, at = _varint(data, at)
        own, at = _varint(data, at)
        length, at = _varint(data, at)
        if shared > len(key) or at + own + length > stop or own > 4096:
            raise BrokenError("has a block whose keys do not fit")
        key = key[:shared] + data[at : at + own]
        at += own
        yield key, data[at : at + length]
        at += length


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for place, byte in enumerate(data[at : at + 10]):
        value |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            return value, at + place + 1
    raise BrokenError("has a number without an end")
