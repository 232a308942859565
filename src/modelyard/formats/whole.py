"""Whether a file is whole by its own format: its header, the checksums in it, and the files that it needs.

Zip archives are read to the end, for every member has a CRC-32; so are gzip, bzip2 and xz, which end with a checksum,
and wandb's logs. Of other formats the header tells where the file has to end. Nothing is unpickled or executed.
"""

from __future__ import annotations

import bz2
import json
import lzma
import os
import zlib
from collections.abc import Callable, Iterator
from typing import Protocol

from msgspec import Struct

from modelyard.formats import run_log
from modelyard.formats.file import BrokenError, File, Meter, looked_into, told
from modelyard.formats.header import Header
from modelyard.formats.known import reading
from modelyard.formats.packed import MEMORY, packer
from modelyard.formats.weight_headers import check_safetensors
from modelyard.formats.zips import BZIP2, DEFLATED, ENCRYPTED, STORED, Directory, Member, directory, is_zip, local
from modelyard.problem import Problem
from modelyard.walk.text import shown

PIECE = 4 << 20
ENDLESS = 1 << 62
PROMISES = (".safetensors", ".gguf", ".npy", ".npz", ".keras", ".h5", ".hdf5", ".onnx", ".whl", ".zip", ".conda")
"""Names that promise a format: what lies there and has none is damaged at its beginning."""
SETTINGS = (
    "config.json", "generation_config.json", "adapter_config.json", "trainer_state.json", "tokenizer.json",
    "tokenizer_config.json", "special_tokens_map.json", "preprocessor_config.json", "model_index.json",
)  # fmt: skip
SUMMED = {"gzip": "CRC-32", "zlib": "Adler-32", "bzip2": "CRC-32", "xz": "checksums"}


class Whole(Struct, frozen=True):
    """A file that is whole: its format, and what tells it. `lacking`: files that it needs and that are not there."""

    format: str
    how: str
    lacking: tuple[str, ...] = ()


class _Counting(Meter):
    """Tells what was read, and has no end: members are read in pieces."""

    def __init__(self, progress: Callable[[int], object] | None) -> None:
        super().__init__(ENDLESS)
        self._progress = progress

    def add(self, count: int) -> None:
        """Tells."""
        super().add(count)
        if self._progress:
            self._progress(count)


class _Engine(Protocol):
    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, max_length: int = ...) -> bytes: ...


def check(path: str, progress: Callable[[int], object] | None = None) -> Whole | Problem:
    """Whether a file is whole; a Problem `truncated` or `damaged` where it is not, `unknown` where nothing tells.

    `progress` is told the bytes that were read; an OSError of its own ends the reading.
    """
    with looked_into(path, _Counting(progress)) as file:
        if isinstance(file, Problem):
            return file
        file.reader = reading
        found = _checked(file)
        promised = file.size and file.name.lower().endswith(PROMISES)
        if promised and isinstance(found, Problem) and found.code == "unknown":
            return Problem(file.name, "damaged", f"does not begin as a {os.path.splitext(file.name)[1]} file does")
        return found


def _checked(file: File) -> Whole | Problem:
    """As `check`, of an open file; what goes wrong is a Problem."""
    found: list[Whole] = []

    def looked(file: File) -> Header:
        found.append(_whole(file))
        return Header(found[0].format)

    header = told(looked)(file)
    return header if isinstance(header, Problem) else found[0]


def _whole(file: File) -> Whole:
    head = file.head(16)
    if not file.size:
        raise BrokenError("is empty", "unknown")
    if run_log.is_log(head):
        return Whole("wandb log", f"CRC-32 of {run_log.check(file):,} records")
    if is_zip(head):
        return _zip(file)
    name = packer(head)
    if name in SUMMED and not _is_model(file):
        return _packed(file, name)
    if file.name.rpartition("/")[2] in SETTINGS:
        return _json(file)
    return _by_header(file)


def _is_model(file: File) -> bool:
    """Whether two bytes that look like zlib's begin a format of another kind."""
    return packer(file.head(16)) == "zlib" and not isinstance(reading(file), Header)


def _by_header(file: File) -> Whole:
    found = reading(file)
    if isinstance(found, Problem):
        raise BrokenError(found.message, found.code)
    lacking = tuple(shown(each.path) for each in found.needs if each.exists is False)
    if not found.complete and not lacking:
        raise BrokenError("ends before what its header promises", "truncated")
    if found.format == "safetensors":
        _strict(file)
    return Whole(found.format, _told_by(found), lacking)


def _told_by(header: Header) -> str:
    if header.tensors:
        return f"its header: {len(header.tensors):,} tensors"
    return "its header"


def _strict(file: File) -> None:
    """safetensors refuses gaps, and bytes behind the last tensor."""
    try:
        check_safetensors(lambda start, length: file.at(start, min(length, file.size - start)), file.size)
    except ValueError as error:
        if "has no header" not in str(error) and str(error) != "its header does not tell where its tensors are":
            raise BrokenError(str(error)) from error


def _json(file: File) -> Whole:
    try:
        json.loads(file.whole(64 << 20))
    except UnicodeDecodeError as error:
        raise BrokenError("is no text") from error
    except json.JSONDecodeError as error:
        code = "truncated" if error.pos >= len(error.doc.rstrip()) else "damaged"
        raise BrokenError(f"is no whole JSON: {error.msg} at {error.pos:,}", code) from error
    return Whole("JSON", "its brackets")


def _zip(file: File) -> Whole:
    listed = directory(file)
    for member in listed.members:
        _member(file, member)
    inside = _inside(file, listed)
    kind = inside.format if isinstance(inside, Header) else "zip archive"
    return Whole(kind, f"CRC-32 of {len(listed.members):,} members")


def _inside(file: File, listed: Directory) -> Header | Problem:
    """What the archive is, where that can be told from its names; what cannot be understood is no damage here."""
    return reading(file) if listed.members else Problem(file.name, "unknown", "an empty archive")


def _member(file: File, member: Member) -> None:
    name = shown(member.name[:200])
    here = local(file, member)
    if here.start + member.packed > file.size:
        raise BrokenError(f"ends within its member {name}", "truncated")
    if member.flags & ENCRYPTED or member.method not in (STORED, DEFLATED, BZIP2):
        return
    crc, size = 0, 0
    for piece in _unpacked(file, member, here.start):
        crc, size = zlib.crc32(piece, crc), size + len(piece)
        if size > member.size:
            break
    if (crc, size) != (member.crc, member.size):
        raise BrokenError(f"has a member {name} whose bytes do not fit its CRC-32")


def _unpacked(file: File, member: Member, start: int) -> Iterator[bytes]:
    """The content of a member, a bounded piece at a time."""
    engine = zlib.decompressobj(-15) if member.method == DEFLATED else bz2.BZ2Decompressor()
    at, stop = start, start + member.packed
    while at < stop:
        piece = file.at(at, min(PIECE, stop - at))
        at += len(piece)
        if member.method == STORED:
            yield piece
        else:
            yield from _out(engine, piece)


def _out(engine: _Engine, data: bytes) -> Iterator[bytes]:
    """What comes out for what goes in, at most a piece at once, whatever its packing promises."""
    try:
        while not engine.eof:
            out = engine.decompress(data, PIECE)
            data = getattr(engine, "unconsumed_tail", b"")
            if out:
                yield out
            elif not data:
                return
    except (zlib.error, lzma.LZMAError, OSError, EOFError) as error:
        raise BrokenError(f"cannot be unpacked: {error}") from error


def _packed(file: File, name: str) -> Whole:
    """Streams behind each other, each with a checksum at its end; what else lies behind them tools pass over."""
    at = 0
    while at < file.size and packer(file.at(at, min(16, file.size - at))) == name:
        engine = _engine(name)
        while not engine.eof:
            if at >= file.size:
                raise BrokenError("ends within its packed stream", "truncated")
            piece = file.at(at, min(PIECE, file.size - at))
            at += len(piece)
            for _ in _out(engine, piece):
                pass
        at -= len(engine.unused_data)
    return Whole(f"packed by {name}", f"its {SUMMED[name]}")


def _engine(name: str) -> _Engine:
    if name in ("gzip", "zlib"):
        return zlib.decompressobj(31 if name == "gzip" else 15)
    return bz2.BZ2Decompressor() if name == "bzip2" else lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=MEMORY)
