"""Whether a file of weights is whole, by its own header: safetensors, and the zip archives that torch writes."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Callable

import msgspec

Span = Callable[[int, int], bytes]
"""Reads bytes of a file: from where, and how many at most. ValueError when it cannot."""
HEADER_CAP = 32 << 20
"""The longest header that is read; the largest models have a few million bytes."""
ZIP = b"PK\x03\x04"
BROKEN = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, NotImplementedError, RuntimeError, OverflowError)


class Tensor(msgspec.Struct):
    """One tensor of a safetensors header, as far as its place in the file: offsets behind the header."""

    data_offsets: tuple[int, int]


def check_weights(read: Span, size: int) -> None:
    """ValueError with the reason where a file of `size` bytes is not whole, or is of no format that can tell it."""
    if read(0, 4) == ZIP:
        check_zip(read, size)
    else:
        check_safetensors(read, size)


def check_safetensors(read: Span, size: int) -> None:
    """ValueError unless the tensors of the header fill the file to its end, as its format demands."""
    first = read(0, 8)
    length = struct.unpack("<Q", first)[0] if len(first) == 8 else 0
    if not 2 <= length <= min(HEADER_CAP, size - 8):
        raise ValueError("it has no header that tells what is in it")
    try:
        header = msgspec.json.decode(read(8, length), type=dict[str, msgspec.Raw])
        tensors = [msgspec.json.decode(text, type=Tensor) for name, text in header.items() if name != "__metadata__"]
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError("its header is damaged") from error
    end = 0
    for begin, stop in sorted(each.data_offsets for each in tensors):
        if begin != end or stop < begin:
            raise ValueError("its header does not tell where its tensors are")
        end = stop
    if not tensors or 8 + length + end != size:
        raise ValueError(f"its header tells of {8 + length + end:,} bytes and it has {size:,}")


def check_zip(read: Span, size: int) -> None:
    """ValueError unless the archive has its directory at the end, and every member of it lies in the file."""
    Archive(read, size).check()


class Archive:
    """An archive as torch writes it: a folder with a pickle and a member for the bytes of each tensor.

    ValueError where it is not whole.
    """

    def __init__(self, read: Span, size: int) -> None:
        self._read, self._size = read, size
        try:
            self._zip = zipfile.ZipFile(_Window(read, size))
        except BROKEN as error:
            raise ValueError(f"it is not whole: {error}") from error
        names = self._zip.namelist()
        if not names:
            raise ValueError("there is nothing in it")
        self._folder = names[0].partition("/")[0]

    def check(self) -> None:
        """ValueError unless every member lies in the file; the first and the last are looked for."""
        members = sorted(self._zip.infolist(), key=lambda each: each.header_offset)
        for each in members:
            if not 0 <= each.header_offset + each.compress_size <= self._size:
                raise ValueError(f"{each.filename} is not whole in it")
        for each in (members[0], members[-1]):
            if self._read(each.header_offset, 4) != ZIP:
                raise ValueError(f"{each.filename} is not where its directory says")

    def member(self, name: str, cap: int) -> bytes:
        """The content of one member. ValueError where there is none, it is longer than `cap`, or it is compressed."""
        try:
            info = self._zip.getinfo(f"{self._folder}/{name}")
            if info.file_size > cap or info.compress_type != zipfile.ZIP_STORED:
                raise ValueError(f"{name} is too long in it, or compressed, which torch never does")
            return self._zip.read(info)
        except KeyError as error:
            raise ValueError(f"there is no {name} in it") from error
        except BROKEN as error:
            raise ValueError(f"{name} is damaged in it: {error}") from error


class _Window(io.RawIOBase):
    """A file of which only spans can be read, as the zip reader wants it."""

    def __init__(self, read: Span, size: int) -> None:
        self._read, self._size, self._at = read, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        if start + offset < 0:
            raise ValueError("the archive points outside of itself")
        self._at = start + offset
        return self._at

    def read(self, size: int | None = -1) -> bytes:
        left = max(self._size - self._at, 0)
        wanted = left if size is None or size < 0 else min(size, left)
        if wanted > HEADER_CAP:
            raise ValueError("its directory is too long to be one of a model")
        found = self._read(self._at, wanted)
        self._at += len(found)
        return found
