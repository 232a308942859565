"""Reads the objects of a Git repository: loose ones and packs, with deltas. Git itself is never run on it.

A repository may name programs in its settings that git then runs (fsmonitor, filters, text conversions), so what
somebody cloned is read here as plain files. Layouts: gitformat-pack(5), gitrepository-layout(5).
"""

from __future__ import annotations

import os
import zlib

from msgspec import Struct, field

from modelyard.problem import Problem
from modelyard.walk.read import names_in, read_file, read_span

LARGEST = 64 << 20
LARGEST_INDEX = 256 << 20
DEEPEST = 5000
KINDS = {1: "commit", 2: "tree", 3: "blob", 4: "tag"}
NAMED = {name: name for name in KINDS.values()}
OFFSET_DELTA, REFERENCE_DELTA = 6, 7


class Unreadable(Exception):  # noqa: N818 - a state of the repository, not an error of the program
    """An object that is not there, or damaged, or too large."""


class Objects(Struct):
    """The objects of a repository by their SHA-1 in hex. `folder` is its `objects`."""

    folder: bytes
    packs: dict[bytes, bytes] = field(default_factory=dict)
    """The index of each pack."""
    folders: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.folders = [self.folder, *_alternates(self.folder)]
        for each in self.folders:
            for name in names_in(os.fsdecode(os.path.join(each, b"pack"))):
                if name.endswith(".idx"):
                    place = os.path.join(each, b"pack", os.fsencode(name))
                    index = read_file(place, LARGEST_INDEX)
                    if not isinstance(index, Problem) and index[:8] == b"\xfftOc\0\0\0\2" and len(index) >= 1032:
                        self.packs[place[:-4] + b".pack"] = index

    def read(self, name: str, kind: str) -> bytes:
        """The content of an object. Unreadable where it is missing, damaged, too large, or of another kind."""
        found, data = self._loose(name) or self._packed(name)
        if found != kind:
            raise Unreadable(f"object {name} is a {found}")
        return data

    def _loose(self, name: str) -> tuple[str, bytes] | None:
        for folder in self.folders:
            text = read_file(os.path.join(folder, name[:2].encode(), name[2:].encode()), LARGEST)
            if not isinstance(text, Problem):
                head, _, data = _inflated(text, LARGEST).partition(b"\0")
                return NAMED.get(head.split(b" ")[0].decode("ascii", "replace"), "?"), data
        return None

    def _packed(self, name: str) -> tuple[str, bytes]:
        for pack, index in self.packs.items():
            offset = _find(index, bytes.fromhex(name))
            if offset is not None:
                return self._at(pack, offset)
        raise Unreadable(f"object {name} is not in the repository")

    def _at(self, pack: bytes, offset: int) -> tuple[str, bytes]:
        """The object at an offset, its deltas applied."""
        deltas: list[bytes] = []
        while True:
            kind, size, head, at = _head(pack, offset)
            if kind == OFFSET_DELTA:
                back, at = _offset(head, at)
                base = offset - back
                deltas.append(_content(pack, offset + at, size))
                if back <= 0 or base <= 0 or len(deltas) > DEEPEST:
                    raise Unreadable("a damaged pack")
                offset = base
                continue
            if kind == REFERENCE_DELTA:
                deltas.append(_content(pack, offset + at + 20, size))
                if len(deltas) > DEEPEST:
                    raise Unreadable("a damaged pack")
                inside = _find(self.packs[pack], head[at : at + 20])
                if inside is None:
                    raise Unreadable("a pack that needs another one")
                offset = inside
                continue
            if kind not in KINDS:
                raise Unreadable("a damaged pack")
            data = _content(pack, offset + at, size)
            for delta in reversed(deltas):
                data = _applied(data, delta)
            return KINDS[kind], data


def _alternates(folder: bytes) -> list[bytes]:
    """Folders of objects that a shared clone borrows from."""
    text = read_file(os.path.join(folder, b"info", b"alternates"))
    lines = [] if isinstance(text, Problem) else [line for line in text.splitlines() if line and b"\0" not in line]
    return [os.path.normpath(os.path.join(folder, line)) for line in lines[:8]]


def _inflated(data: bytes, limit: int) -> bytes:
    try:
        found = zlib.decompressobj().decompress(data, limit + 64)
    except zlib.error as error:
        raise Unreadable(f"a damaged object: {error}") from error
    if len(found) > limit:
        raise Unreadable("an object that is too large")
    return found


def _number(data: bytes, at: int, size: int = 4) -> int:
    return int.from_bytes(data[at : at + size], "big")


def _find(index: bytes, name: bytes) -> int | None:
    """Where in its pack an object lies, by binary search in the names of an index of version 2."""
    total = _number(index, 8 + 255 * 4)
    low = _number(index, 8 + (name[0] - 1) * 4) if name and name[0] else 0
    high = min(_number(index, 8 + name[0] * 4), total) if name else 0
    names = 8 + 1024
    while low < high:
        middle = (low + high) // 2
        found = index[names + middle * 20 : names + middle * 20 + 20]
        if found == name:
            small = _number(index, names + total * 24 + middle * 4)
            return _number(index, names + total * 28 + (small & 0x7FFFFFFF) * 8, 8) if small >> 31 else small
        low, high = (middle + 1, high) if found < name else (low, middle)
    return None


def _span(pack: bytes, start: int, size: int) -> bytes:
    data = read_span(pack, start, size)
    if isinstance(data, Problem):
        raise Unreadable(data.message)
    return data


def _head(pack: bytes, offset: int) -> tuple[int, int, bytes, int]:
    """Kind and size of an object, the bytes that it begins with, and how many of them are its head."""
    head = _span(pack, offset, 64)
    size = at = shift = 0
    for at, byte in enumerate(head):
        size |= (byte & 0x0F if at == 0 else byte & 0x7F) << shift
        shift += 4 if at == 0 else 7
        if byte < 0x80:
            break
    if not head or size > LARGEST:
        raise Unreadable("an object that is too large, or a damaged pack")
    return head[0] >> 4 & 7, size, head, at + 1


def _offset(head: bytes, at: int) -> tuple[int, int]:
    """How far back the base of a delta lies."""
    back = -1
    for place in range(at, len(head)):
        back = (back + 1) << 7 | head[place] & 0x7F
        if head[place] < 0x80:
            return back, place + 1
    raise Unreadable("a damaged pack")


def _content(pack: bytes, start: int, size: int) -> bytes:
    """The inflated bytes that begin at a place; deflate never makes them much longer."""
    data = _inflated(_span(pack, start, size + size // 1000 + 1024), size)
    if len(data) != size:
        raise Unreadable("a damaged pack")
    return data


def _applied(base: bytes, delta: bytes) -> bytes:
    """What a delta makes of its base."""
    _, at = _length(delta, 0)
    size, at = _length(delta, at)
    made = bytearray()
    while at < len(delta):
        order = delta[at]
        at += 1
        if order & 0x80:
            start = length = 0
            for bit in range(7):
                if order >> bit & 1:
                    if at >= len(delta):
                        raise Unreadable("a damaged delta")
                    value, at = delta[at], at + 1
                    start, length = (
                        (start | value << 8 * bit, length) if bit < 4 else (start, length | value << 8 * (bit - 4))
                    )
            made += base[start : start + (length or 0x10000)]
        else:
            made += delta[at : at + order]
            at += order
        if len(made) > min(size, LARGEST):
            raise Unreadable("a damaged delta")
    if len(made) != size:
        raise Unreadable("a damaged delta")
    return bytes(made)


def _length(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(data) and shift < 64:
        byte, at = data[at], at + 1
        value, shift = value | (byte & 0x7F) << shift, shift + 7
        if byte < 0x80:
            return value, at
    raise Unreadable("a damaged delta")
