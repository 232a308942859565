"""The log of a wandb run: records in blocks, each with a CRC-32, as LevelDB keeps its logs.

Layout: github.com/wandb/wandb, `core/internal/stream` and `leveldb`; a header of `:W&B`, 0xBEE1 and a version.
"""

from __future__ import annotations

import struct
import zlib

from modelyard.formats.file import BrokenError, File

MAGIC, HEADER, BLOCK = b":W&B\xe1\xbe", 7, 32_768
RECORD = struct.Struct("<IHB")
FULL, FIRST, LAST = 1, 2, 4
"""Types of a record: a whole one, the first and the last part of one."""


def is_log(head: bytes) -> bool:
    """Whether a file that begins like this is one."""
    return head.startswith(MAGIC)


def check(file: File) -> int:
    """How many whole records it has. BrokenError `truncated` where it ends within one, as after a kill."""
    at, records = HEADER, 0
    while at < file.size:
        left = BLOCK - at % BLOCK
        if left < RECORD.size:
            at += left
            continue
        if file.size - at < RECORD.size:
            raise BrokenError(f"ends within record {records + 1:,}", "truncated")
        crc, length, kind = RECORD.unpack(file.at(at, RECORD.size))
        if not FULL <= kind <= LAST or length > left - RECORD.size:
            raise BrokenError(f"has no record where number {records + 1:,} should begin, at byte {at:,}")
        if at + RECORD.size + length > file.size:
            raise BrokenError(f"ends within record {records + 1:,}", "truncated")
        if zlib.crc32(file.at(at + RECORD.size, length), zlib.crc32(bytes([kind]))) != crc:
            raise BrokenError(f"has a record at byte {at:,} whose bytes do not fit its CRC-32")
        at += RECORD.size + length
        records += kind in (FULL, LAST)
    return records
