"""Tar archives: the header before each member, one after the other. POSIX.1-1988, with GNU's and pax's long names."""

from __future__ import annotations

from msgspec import Struct

from modelyard.formats.file import BrokenError, File

BLOCK = 512
MOST_MEMBERS = 10_000


class Entry(Struct, frozen=True):
    """One member: its name, its type, where its bytes begin and how many they are, and where a link points."""

    name: str
    kind: str
    offset: int
    size: int
    link: str = ""


def is_tar(head: bytes) -> bool:
    """Whether a file that begins like this is a tar archive: its first header carries the right sum."""
    return len(head) >= BLOCK and head[0] != 0 and _sum(head[148:156]) == _added(head[:BLOCK])


def _sum(field: bytes) -> int:
    text = field.strip(b" \0")
    return int(text, 8) if text and all(48 <= each <= 55 for each in text) else -1


def _added(block: bytes) -> int:
    return sum(block[:148]) + 8 * 32 + sum(block[156:])


def entries(file: File) -> tuple[list[Entry], bool]:
    """The members, and whether the archive ends as it should. At most 10,000 are listed."""
    found: list[Entry] = []
    at, name, link = 0, "", ""
    while at + BLOCK <= file.size and len(found) < MOST_MEMBERS:
        block = file.at(at, BLOCK)
        if not any(block):
            return found, True
        if _sum(block[148:156]) != _added(block):
            raise BrokenError(f"has no header at byte {at:,}, where a member should begin")
        size, kind = _number(block[124:136]), chr(block[156]) if block[156] else "0"
        at += BLOCK
        if kind in "LKxg":
            name, link = _long(file, at, size, kind, name, link)
        else:
            found.append(_entry(block, kind, at, size, name, link))
            name, link = "", ""
        at += (size + BLOCK - 1) // BLOCK * BLOCK if kind not in "12345" else 0
    return found, at <= file.size and file.size - at < BLOCK and len(found) < MOST_MEMBERS


def _entry(block: bytes, kind: str, at: int, size: int, name: str, link: str) -> Entry:
    prefix = _text(block[345:500]) if block[257:263] == b"ustar\0" else ""
    short = _text(block[:100])
    full = name or (f"{prefix}/{short}" if prefix else short)
    return Entry(full, kind, at, size, link or _text(block[157:257]))


def _text(field: bytes) -> str:
    return field.partition(b"\0")[0].decode("utf-8", "surrogateescape")


def _number(field: bytes) -> int:
    """A size in octal digits, or in base 256 where the first bit is set."""
    found = int.from_bytes(field, "big") & ((1 << 95) - 1) if field[0] & 0x80 else _sum(field)
    if not 0 <= found < 1 << 62:
        raise BrokenError("has a member without a size")
    return found


def _long(file: File, at: int, size: int, kind: str, name: str, link: str) -> tuple[str, str]:
    """A name or link that needed a member of its own."""
    data = file.at(at, min(size, 65536, file.size - at))
    if kind == "L":
        return _text(data), link
    if kind == "K":
        return name, _text(data)
    for line in data.split(b"\n") if kind == "x" else ():
        key, _, value = line.partition(b" ")[2].partition(b"=")
        if key == b"path":
            name = value.decode("utf-8", "surrogateescape")
        elif key == b"linkpath":
            link = value.decode("utf-8", "surrogateescape")
    return name, link
