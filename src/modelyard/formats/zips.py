"""Zip archives: the directory at the end, the header before each member, and what the two disagree on.

Layout: PKWARE's APPNOTE 6.3.10. Nothing but directories and headers is read, and members are unpacked within bounds.
"""

from __future__ import annotations

import bz2
import struct
import zlib
from collections.abc import Iterator

from msgspec import Struct

from modelyard.formats.file import BrokenError, File

END, END64, LOCATOR64 = b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07"
ENTRY, LOCAL = b"PK\x01\x02", b"PK\x03\x04"
STORED, DEFLATED, BZIP2 = 0, 8, 12
MOST_MEMBERS = 65_536
MOST_UNPACKED = 8 << 20
"""Bytes that one member is unpacked to."""
ENCRYPTED = 0x1 | 0x40 | 0x2000
WIDE = 0xFFFFFFFF


class Member(Struct, frozen=True):
    """One member as the directory describes it; `offset` is where its own header begins in the file."""

    name: str
    method: int
    flags: int
    crc: int
    packed: int
    size: int
    offset: int
    mode: int = 0
    """Unix file type and permissions, 0 where the archive tells none."""

    @property
    def encrypted(self) -> bool:
        """Whether a password is needed."""
        return bool(self.flags & ENCRYPTED)

    @property
    def is_link(self) -> bool:
        """Whether it would be unpacked as a symbolic link."""
        return self.mode & 0o170000 == 0o120000


class Directory(Struct, frozen=True):
    """The members in the order of the directory, duplicates and all, and what lies before and behind them."""

    members: tuple[Member, ...]
    before: int
    """Bytes before the first member."""
    behind: int
    """Bytes behind the end record and its comment."""
    wide: bool
    """Whether it has the records of ZIP64."""
    end: int
    """Where the end record stands that was read, the wide one where there is one."""
    told: int
    """Where another reader finds one: the same place in honest archives."""

    def find(self, name: str) -> Member | None:
        """The member of a name; the last one of several, which is what Python and torch open."""
        return next((each for each in reversed(self.members) if each.name == name), None)

    def ending(self, name: str) -> Member | None:
        """The member of a name with or without the one folder that torch puts around everything."""
        return self.find(name) or next(
            (each for each in reversed(self.members) if each.name.partition("/")[2] == name), None
        )


class Local(Struct, frozen=True):
    """A member as the header before its bytes describes it, and where those bytes begin."""

    name: str
    method: int
    flags: int
    crc: int
    packed: int
    size: int
    start: int

    def disagreements(self, member: Member) -> tuple[str, ...]:
        """What it says differently from the directory: `name`, `method`, `encryption`, `crc`, `sizes`.

        Sizes and checksum may follow the bytes: zeros with flag 8 are no disagreement; macOS writes one of the three.
        """
        told = ((self.packed, member.packed), (self.size, member.size))
        sizes = any(own != other and (own or not self.flags & 8) for own, other in told)
        crc = self.crc != member.crc and (self.crc or not self.flags & 8)
        return tuple(
            word
            for word, differs in (
                ("name", self.name != member.name),
                ("method", self.method != member.method),
                ("encryption", (self.flags ^ member.flags) & ENCRYPTED),
                ("crc", crc),
                ("sizes", sizes),
            )
            if differs
        )


def is_zip(head: bytes) -> bool:
    """Whether a file that begins like this is an archive from its first byte on."""
    return head[:4] in (LOCAL, END, b"PK\x07\x08")


def directory(file: File) -> Directory:
    """Every member. BrokenError for what is no archive, is cut short, or has more than 65,536 members."""
    tail = file.tail(65536 + 22)
    found = tail.rfind(END)
    while found >= 0 and len(tail) - found < 22:
        found = tail.rfind(END, 0, found)
    if found < 0:
        raise BrokenError("is a zip archive without its directory, which stands at the end", "truncated")
    at = file.size - len(tail) + found
    count, length, offset, comment = struct.unpack("<10xHIIH", tail[found : found + 22])
    wide = file.at(at - 20, 20) if at >= 20 else b""
    is_wide = wide[:4] == LOCATOR64
    stop = told = at
    if is_wide:
        count, length, offset, stop, told = _wide_end(file, wide, at)
    start = stop - length  # where it is, whatever is written: bytes before an archive move everything
    if start < 0 or count > MOST_MEMBERS:
        raise BrokenError(
            f"has a directory of {count:,} members that cannot be", "too-large" if start >= 0 else "damaged"
        )
    moved = start - offset
    members = tuple(_members(file.at(start, length), count, moved))
    first = min((each.offset for each in members), default=start)
    return Directory(members, first, file.size - at - 22 - comment, is_wide, stop, told)


def _wide_end(file: File, locator: bytes, at: int) -> tuple[int, int, int, int, int]:
    """Members, length and offset of the directory by ZIP64, where its end record stands, and where it is told to be.

    Python's zipfile takes the record before the locator, whatever is told; torch the one that is told.
    """
    (told,) = struct.unpack("<8xQ4x", locator)
    places = [place for place in (at - 20 - 56, told) if _is_end(file, place)]
    if not places:
        raise BrokenError("has a ZIP64 locator that points at nothing")
    count, length, offset = struct.unpack("<32xQQQ", file.at(places[0], 56))
    return count, length, offset, places[0], places[-1]


def _is_end(file: File, place: int) -> bool:
    return 0 <= place <= file.size - 56 and file.at(place, 4) == END64


def _members(data: bytes, count: int, moved: int) -> Iterator[Member]:
    at = 0
    for _ in range(count):
        if data[at : at + 4] != ENTRY or len(data) < at + 46:
            raise BrokenError("has a directory that ends before its last member")
        fields = struct.unpack_from("<8xHH4xIIIHHH4xII", data, at)
        flags, method, crc, packed, size, name, extra, comment, attributes, offset = fields
        stop = at + 46 + name + extra + comment
        if stop > len(data):
            raise BrokenError("has a directory that ends within a member")
        raw = data[at + 46 : at + 46 + name]
        if WIDE in (packed, size, offset):
            size, packed, offset = _wide(data[at + 46 + name : stop - comment], [size, packed, offset])
        yield Member(_text(raw, flags), method, flags, crc, packed, size, offset + moved, attributes >> 16)
        at = stop


def _wide(extra: bytes, values: list[int]) -> list[int]:
    """The values with those replaced that stand in the ZIP64 field, in its order."""
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, at)
        if kind == 1:
            words = [each for (each,) in struct.iter_unpack("<Q", extra[at + 4 : at + 4 + length // 8 * 8])]
            return [words.pop(0) if value == WIDE and words else value for value in values]
        at += 4 + length
    return values


def _text(raw: bytes, flags: int) -> str:
    """A name as Python reads it: UTF-8 where flagged, else code page 437; a NUL ends it."""
    text = raw.decode("utf-8", "surrogateescape") if flags & 0x800 else raw.decode("cp437")
    return text.partition("\0")[0]


def local(file: File, member: Member) -> Local:
    """The header before a member's bytes. BrokenError where there is none."""
    if not 0 <= member.offset <= file.size - 30:
        raise BrokenError(f"has a directory that points outside for {member.name[:80]!r}")
    head = file.at(member.offset, 30)
    if head[:4] != LOCAL:
        raise BrokenError(f"has no header where the directory points for {member.name[:80]!r}")
    flags, method, crc, packed, size, name, extra = struct.unpack("<6xHH4xIIIHH", head)
    rest = file.at(member.offset + 30, name + extra)
    if WIDE in (packed, size):
        size, packed = _wide(rest[name:], [size, packed])
    return Local(_text(rest[:name], flags), method, flags, crc, packed, size, member.offset + 30 + name + extra)


def start_of(file: File, member: Member) -> int | None:
    """Where the bytes of a stored member lie in the file; None for a packed or encrypted one."""
    if member.method != STORED or member.encrypted:
        return None
    start = local(file, member).start
    if start + member.size > file.size:
        raise BrokenError(f"ends within its member {member.name[:80]!r}", "truncated")
    return start


def opened(file: File, member: Member, most: int = MOST_UNPACKED) -> File:
    """A member as a file: the stretch of a stored one, the first `most` unpacked bytes of another."""
    if member.encrypted:
        raise BrokenError(f"needs a password for its member {member.name[:80]!r}", "encrypted")
    start = local(file, member).start
    if member.method == STORED:
        return file.part(member.name, start, member.packed)
    data = _unpack(file.part(member.name, start, member.packed), member, most)
    return file.unpacked(member.name, data, cut=len(data) >= most)


def _unpack(packed: File, member: Member, most: int) -> bytes:
    """Unpacked up to `most` bytes: a member that promises a terabyte costs no more than that."""
    engine: zlib._Decompress | bz2.BZ2Decompressor
    if member.method == DEFLATED:
        engine = zlib.decompressobj(-15)
    elif member.method == BZIP2:
        engine = bz2.BZ2Decompressor()
    else:
        raise BrokenError(f"packs {member.name[:80]!r} by method {member.method}, which is not read", "unsupported")
    out, at = bytearray(), 0
    try:
        while at < packed.size and len(out) < most and not engine.eof:
            piece = packed.at(at, min(1 << 18, packed.size - at))
            at += len(piece)
            out += engine.decompress(piece, most - len(out))
    except (zlib.error, OSError) as error:
        raise BrokenError(f"has a member {member.name[:80]!r} that cannot be unpacked: {error}") from error
    return bytes(out)
