"""Packed streams, unpacked as far as a header reaches: gzip, zlib, bzip2, xz, lzma and LZ4."""

from __future__ import annotations

import bz2
import lzma
import zlib
from typing import Protocol

from modelyard.formats.file import BrokenError, File

MOST = 4 << 20
"""Unpacked bytes that are looked at."""
MEMORY = 24 << 20
"""Memory that a stream of xz may ask for."""
MOST_LZ4 = 512 << 10
NAMES = (
    (b"\x1f\x8b\x08", "gzip"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\0", "xz"),
    (b"\x04\x22\x4d\x18", "LZ4"),
    (b"\x5d\0\0", "lzma"),
    (b"\x28\xb5\x2f\xfd", "Zstandard"),
)
"""First bytes; zlib's two follow a rule instead."""


class _Engine(Protocol):
    @property
    def eof(self) -> bool: ...

    def decompress(self, data: bytes, max_length: int = ...) -> bytes: ...


def packer(head: bytes) -> str:
    """What a file that begins like this is packed by; empty for one that is not."""
    for magic, name in NAMES:
        if head.startswith(magic):
            return name
    rule = len(head) > 2 and head[0] & 0x8F == 8 and int.from_bytes(head[:2], "big") % 31 == 0 and not head[1] & 0x20
    return "zlib" if rule else ""


def unpacked(file: File) -> File:
    """The first bytes of what is packed in a file. BrokenError for what cannot be unpacked."""
    name = packer(file.head(16))
    inner = file.name.rpartition("/")[2].rpartition(".")[0] or file.name
    if name == "LZ4":
        data, whole = _lz4(file)
        return file.unpacked(inner, data, cut=not whole)
    engine = _engine(name)
    out, at, before = bytearray(), 0, 0
    try:
        while len(out) < MOST and not engine.eof and (at < file.size or len(out) > before):
            before = len(out)
            piece = file.at(at, min(1 << 16, file.size - at))
            at += len(piece)
            out += engine.decompress(piece, MOST - len(out))
    except (zlib.error, lzma.LZMAError, OSError, EOFError) as error:
        if not out:
            raise BrokenError(f"cannot be unpacked: {error}") from error
    return file.unpacked(inner, bytes(out), cut=not engine.eof)


def _engine(name: str) -> _Engine:
    if name in ("gzip", "zlib"):
        return zlib.decompressobj(31 if name == "gzip" else 15)
    if name == "bzip2":
        return bz2.BZ2Decompressor()
    if name in ("xz", "lzma"):
        return lzma.LZMADecompressor(lzma.FORMAT_XZ if name == "xz" else lzma.FORMAT_ALONE, memlimit=MEMORY)
    raise BrokenError(f"is packed by {name or 'nothing known'}, which is not unpacked here", "unsupported")


def _lz4(file: File) -> tuple[bytes, bool]:
    """The first bytes of an LZ4 frame and whether they are all: github.com/lz4/lz4, `doc/lz4_Frame_format.md`."""
    flags = file.at(4, 1)[0]
    if flags >> 6 != 1:
        raise BrokenError("has an LZ4 frame of a version that is not read", "unsupported")
    at = 7 + (8 if flags & 8 else 0) + (4 if flags & 1 else 0)
    out = bytearray()
    while len(out) < MOST_LZ4:
        size = int.from_bytes(file.at(at, 4), "little")
        if size == 0:
            return bytes(out), True
        length = size & 0x7FFFFFFF
        if length > 4 << 20:
            raise BrokenError("has an LZ4 block larger than there are")
        taken = min(length, 2 * MOST_LZ4)
        block = file.at(at + 4, taken)
        if size >> 31:
            out += block[: MOST_LZ4 - len(out)]
        else:
            _lz4_block(block, out)
        at += 4 + length + (4 if flags & 16 else 0)
    return bytes(out), False


def _lz4_block(block: bytes, out: bytearray) -> None:
    """Unpacks one block behind what is there, until there is enough."""
    at = 0
    while at < len(block) and len(out) < MOST_LZ4:
        token = block[at]
        length, at = _length(block, at + 1, token >> 4)
        out += block[at : at + min(length, MOST_LZ4)]
        at += length
        if at + 2 > len(block):
            return
        back = int.from_bytes(block[at : at + 2], "little")
        length, at = _length(block, at + 2, token & 15)
        if not 0 < back <= len(out):
            raise BrokenError("has an LZ4 block that refers to nothing")
        length = min(length + 4, MOST_LZ4)
        start = len(out) - back
        piece = bytes(out[start : start + min(back, length)])
        out += (piece * (length // len(piece) + 1))[:length]


def _length(block: bytes, at: int, length: int) -> tuple[int, int]:
    if length == 15:
        while at < len(block) and block[at] == 255:
            length, at = length + 255, at + 1
        length, at = length + (block[at] if at < len(block) else 0), at + 1
    return length, at
