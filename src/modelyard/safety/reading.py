"""What a scan reads from: a file or a member of an archive as a source of bytes, within what one scan may unpack."""

from __future__ import annotations

import bz2
import lzma
import re
import zlib
from collections.abc import Callable
from typing import Protocol

from msgspec import Struct, field

from modelyard.formats.file import BrokenError, File, Meter
from modelyard.safety.finding import Finding
from modelyard.safety.lz4 import Lz4

UNPACKED = 2 << 30
"""Bytes that all members of one file are unpacked to: a bomb of a few megabytes fills more."""
AT_ONCE = 16 << 20
"""Bytes that are unpacked into memory; a longer member is unpacked again as it is read."""
RESTARTS = 32
"""How often unpacking begins anew because somebody reads backwards."""
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


class Report(Struct):
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

    @property
    def unused_data(self) -> bytes:
        """What lies behind the end."""

    def decompress(self, data: bytes, max_length: int = ...) -> bytes:
        """The next bytes."""


def compressor(head: bytes) -> tuple[str, Callable[[], Unpacker]] | None:
    """How a file is packed, by its first bytes as joblib looks at them; None for what is not read here."""
    if OLD_JOBLIB.match(head):
        return "zlib", zlib.decompressobj
    if head[:2] in (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda"):
        return "zlib", zlib.decompressobj
    if head[:2] == b"\x1f\x8b":
        return "gzip", lambda: zlib.decompressobj(31)
    if head[:3] == b"BZh":
        return "bzip2", bz2.BZ2Decompressor
    if head[:6] == b"\xfd7zXZ\0":
        return "xz", lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ)
    if head[:4] == b"\x04\x22\x4d\x18":
        return "lz4", Lz4
    if head[:3] == b"\x5d\0\0":
        return "lzma", lambda: lzma.LZMADecompressor(lzma.FORMAT_ALONE)
    return None


OLD_JOBLIB = re.compile(rb"ZF0x[0-9a-f]+L? *")
"""How joblib before 0.10 began a packed file (its numpy_pickle_compat.py): a length in 19 letters, perhaps a space."""


def start_of_packed(file: File) -> int:
    """Where the packed bytes of a file begin."""
    if not OLD_JOBLIB.match(file.head(24)):
        return 0
    return 22 if file.at(21, 1) == b" " else 21


class Packed:
    """A packed stretch of a file, unpacked piece by piece as it is read: its memory does not grow with its length."""

    def __init__(self, file: File, make: Callable[[], Unpacker]) -> None:
        self._file, self._make = file, make
        self._left = RESTARTS
        self._start()

    def _start(self) -> None:
        self._engine, self._at, self._done, self._kept = self._make(), 0, 0, b""

    def _next(self, most: int = PIECE) -> bytes:
        """The next unpacked piece, empty at the end."""
        while not self._engine.eof:
            fed = getattr(self._engine, "unconsumed_tail", b"")
            if not fed and getattr(self._engine, "needs_input", True):
                if self._at >= self._file.size:
                    return b""
                fed = self._file.at(self._at, min(PIECE, self._file.size - self._at))
                self._at += len(fed)
            if piece := self._engine.decompress(fed, most):
                return piece
        return b""

    def measure(self, most: int) -> tuple[int, str]:
        """How long it is unpacked, at most so many bytes, and what is wrong with it."""
        size, wrong = 0, ""
        try:
            while size < most and (piece := self._next()):
                size += len(piece)
        except (zlib.error, lzma.LZMAError, OSError, EOFError, ValueError, BrokenError) as error:
            wrong = f"cannot be unpacked: {error}"
        if not wrong and not self._engine.eof:
            wrong = "is packed to more than is unpacked" if size >= most else "ends before its packing does"
        if not wrong and (self._at < self._file.size or self._engine.unused_data):
            wrong = "goes on behind its packed part"
        self._start()
        return size, wrong

    def fetch(self, offset: int, count: int) -> bytes:
        """Unpacked bytes at a place. OSError where unpacking fails or began anew too often."""
        if offset < self._done - len(self._kept):
            self._left -= 1
            if self._left < 0:
                raise OSError(0, "it is read backwards too often to be unpacked each time")
            self._start()
        try:
            while self._done < offset + count and (piece := self._next()):
                begin = self._done - len(self._kept)
                self._kept = self._kept[max(0, offset - begin - PIECE) :] + piece
                self._done += len(piece)
        except (zlib.error, lzma.LZMAError, EOFError, ValueError) as error:
            raise OSError(0, f"it cannot be unpacked: {error}") from error
        begin = self._done - len(self._kept)
        return self._kept[max(0, offset - begin) : max(0, offset - begin) + count]


def unpacked(file: File, make: Callable[[], Unpacker], name: str, most: int) -> tuple[File, str]:
    """A packed file as what it holds, at most so many bytes of it, and what is wrong with its packing."""
    stream = Packed(file, make)
    size, wrong = stream.measure(most)
    if size <= AT_ONCE:
        return file.unpacked(name, stream.fetch(0, size)), wrong
    return File(name, size, stream.fetch, file.meter, depth=file.depth + 1), wrong
