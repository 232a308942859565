"""What a scan reads from: a file or a member of an archive as a source of bytes, within what one scan may unpack."""

from __future__ import annotations

import bz2
import lzma
import zlib
from dataclasses import dataclass, field
from typing import Protocol

from modelyard.formats.file import BrokenError, File, Meter
from modelyard.safety.finding import Finding

UNPACKED = 512 << 20
"""Bytes that all members of one file are unpacked to."""
DEEPEST = 6
"""Archives inside archives that are opened."""
PIECE = 1 << 18


class Bytes:
    """A file of `formats` as a source. What cannot be read any more is an OSError."""

    def __init__(self, file: File) -> None:
        self._file, self.size = file, file.size

    def read(self, offset: int, count: int) -> bytes:
        """`count` bytes from `offset` on, fewer at the end."""
        count = max(0, min(count, self.size - offset))
        try:
            return self._file.at(offset, count) if count else b""
        except BrokenError as error:
            raise OSError(0, str(error)) from error


def unlimited() -> Meter:
    """A scan reads pickles to their end, however long they are."""
    return Meter(1 << 62)


@dataclass(slots=True)
class Report:
    """What was found so far in one file."""

    format: str = ""
    findings: list[Finding] = field(default_factory=list)
    loads: str = ""
    unpacked: int = 0
    """Bytes that were unpacked from its members."""

    def room(self) -> int:
        """Bytes that may still be unpacked."""
        return max(0, UNPACKED - self.unpacked)


class Unpacker(Protocol):
    """What the decompressors of Python have in common."""

    @property
    def eof(self) -> bool:
        """Whether the stream came to its end."""

    def decompress(self, data: bytes, max_length: int = ...) -> bytes:
        """The next bytes."""


def compressor(head: bytes) -> tuple[str, Unpacker] | None:
    """How a file is packed, by its first bytes as joblib looks at them; None for what is not read here."""
    if head[:2] in (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda"):
        return "zlib", zlib.decompressobj()
    if head[:2] == b"\x1f\x8b":
        return "gzip", zlib.decompressobj(31)
    if head[:3] == b"BZh":
        return "bzip2", bz2.BZ2Decompressor()
    if head[:6] == b"\xfd7zXZ\0":
        return "xz", lzma.LZMADecompressor(lzma.FORMAT_XZ)
    if head[:3] == b"\x5d\0\0":
        return "lzma", lzma.LZMADecompressor(lzma.FORMAT_ALONE)
    return None


NOT_OPENED = (
    (b"\x04\x22\x4d\x18", "lz4"),
    (b"\x28\xb5\x2f\xfd", "zstandard"),
    (b"7z\xbc\xaf\x27\x1c", "7-Zip"),
    (b"Rar!\x1a\x07", "RAR"),
)


def unpack(file: File, engine: Unpacker, most: int) -> tuple[bytes, str]:
    """The unpacked bytes, at most so many, and what is wrong with them."""
    out, at = bytearray(), 0
    try:
        while at < file.size and not engine.eof and len(out) < most:
            piece = file.at(at, min(PIECE, file.size - at))
            at += len(piece)
            out += engine.decompress(piece, most - len(out))
    except (zlib.error, lzma.LZMAError, OSError, EOFError, ValueError, BrokenError) as error:
        return bytes(out), f"cannot be unpacked: {error}"
    if not engine.eof:
        return bytes(out), "is packed to more than is unpacked" if len(out) >= most else "ends before its packing does"
    return bytes(out), "" if at >= file.size else "goes on behind its packed part"
