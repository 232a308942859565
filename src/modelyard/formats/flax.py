"""Flax: nested maps of msgpack, arrays as an extension.

Layout: `flax/serialization.py` and github.com/msgpack/msgpack/blob/master/spec.md.
"""

from __future__ import annotations

from math import prod

from msgspec import Struct

from modelyard.formats.dtypes import WIDTHS
from modelyard.formats.file import BrokenError, File, told
from modelyard.formats.header import Header, Tensor
from modelyard.formats.sniffing import Head

TITLE = "Flax msgpack"
DTYPES = {
    "float64": "F64", "float32": "F32", "float16": "F16", "bfloat16": "BF16", "int64": "I64", "int32": "I32",
    "int16": "I16", "int8": "I8", "uint64": "U64", "uint32": "U32", "uint16": "U16", "uint8": "U8", "bool": "BOOL",
    "complex64": "C64", "complex128": "C128", "float8_e4m3fn": "F8_E4M3", "float8_e5m2": "F8_E5M2",
}  # fmt: skip
MOST_ITEMS, DEEPEST, MOST_TENSORS = 200_000, 64, 65_536
ARRAY, NOTHING = 1, 0xC0
CHUNKED = "__msgpack_chunked_array__"
"""The key beside the chunks of an array that is too long for one value."""
CUT = "an array is cut into chunks"
FIXED = {
    0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8, 0xD0: 1, 0xD1: 2, 0xD2: 4, 0xD3: 8, 0xCA: 4, 0xCB: 8, 0xC0: 0, 0xC2: 0, 0xC3: 0,
}  # fmt: skip
"""Bytes behind the first one of numbers, nothing and truth."""
LENGTHS = {
    0xC4: ("bytes", 1), 0xC5: ("bytes", 2), 0xC6: ("bytes", 4), 0xD9: ("text", 1), 0xDA: ("text", 2), 0xDB: ("text", 4),
    0xDC: ("list", 2), 0xDD: ("list", 4), 0xDE: ("map", 2), 0xDF: ("map", 4), 0xC7: ("extension", 1),
    0xC8: ("extension", 2), 0xC9: ("extension", 4),
}  # fmt: skip


class _Item(Struct, frozen=True):
    """One item: what it is, how long or how large, and where what belongs to it begins."""

    kind: str
    length: int
    at: int
    code: int = 0


def sniff(head: Head) -> bool:
    """A map whose first key is text."""
    data = head.data
    if len(data) < 3 or not (0x81 <= data[0] <= 0x8F or data[0] in (0xDE, 0xDF)):
        return False
    at = {0xDE: 3, 0xDF: 5}.get(data[0], 1)
    first = data[at] if at < len(data) else 0
    return (0xA1 <= first <= 0xBF or first == 0xD9) and all(
        32 <= each < 127 for each in data[at + 2 : at + (first & 31)]
    )


class _Reader:
    def __init__(self, file: File) -> None:
        self.file, self.left = file, MOST_ITEMS
        self.tensors: list[Tensor] = []
        self.chunked = False
        self.beside = 0
        """Numbers and texts that are no arrays."""

    def item(self, at: int) -> _Item:
        """The item at a place."""
        self.left -= 1
        if self.left < 0 or len(self.tensors) > MOST_TENSORS:
            raise BrokenError("has more values than are read", "too-large")
        first = self.file.at(at, 1)[0]
        if first < 0x80 or first >= 0xE0:
            return _Item("number", 0, at + 1, first)
        if first < 0xC0:
            kind = "map" if first < 0x90 else "list" if first < 0xA0 else "text"
            return _Item(kind, first & (31 if kind == "text" else 15), at + 1)
        if first in FIXED:
            return _Item("number", FIXED[first], at + 1, first)
        if 0xD4 <= first <= 0xD8:
            return _Item("extension", 1 << first - 0xD4, at + 2, self.file.at(at + 1, 1)[0])
        if first not in LENGTHS:
            raise BrokenError("has a byte that msgpack does not use")
        kind, width = LENGTHS[first]
        length = int.from_bytes(self.file.at(at + 1, width), "big")
        if kind == "extension":
            return _Item(kind, length, at + 2 + width, self.file.at(at + 1 + width, 1)[0])
        return _Item(kind, length, at + 1 + width)

    def text(self, item: _Item) -> str:
        """The text of an item, its beginning when it is long; a number as one."""
        if item.kind == "number":
            return str(int.from_bytes(self.file.at(item.at, item.length), "big")) if item.length else str(item.code)
        return self.file.at(item.at, min(item.length, 400)).decode("utf-8", "replace") if item.kind == "text" else "?"

    def over(self, item: _Item) -> int:
        """Where the next item begins, of one that contains no others."""
        return item.at + item.length

    def walk(self, at: int, name: str, depth: int) -> int:
        """Notes the arrays at and below an item; where the next one begins."""
        if depth > DEEPEST:
            raise BrokenError("has maps too deep inside each other", "too-deep")
        item = self.item(at)
        if item.kind == "map":
            at = item.at
            for _ in range(item.length):
                key = self.item(at)
                word = self.text(key)
                self.chunked |= word == CHUNKED
                at = self.walk(self.over(key), f"{name}/{word}".lstrip("/")[:400], depth + 1)
            return at
        if item.kind == "list":
            at = item.at
            for number in range(item.length):
                at = self.walk(at, f"{name}/{number}"[:400], depth + 1)
            return at
        if item.kind == "extension" and item.code == ARRAY:
            self.tensors.append(self._array(item, name))
        else:
            self.beside += item.kind != "number" or item.code != NOTHING
        end = self.over(item)
        if end > self.file.size:
            raise BrokenError("ends within a value", "truncated")
        return end

    def _array(self, item: _Item, name: str) -> Tensor:
        outer = self.item(item.at)
        sides = self.item(outer.at)
        if outer.kind != "list" or outer.length != 3 or sides.kind != "list" or sides.length > 64:
            raise BrokenError(f"has an array {name[:80]!r} that is none")
        at, shape = sides.at, []
        for _ in range(sides.length):
            side = self.item(at)
            shape.append(int(self.text(side)))
            at = self.over(side)
        dtype = self.item(at)
        data = self.item(self.over(dtype))
        word = self.text(dtype)
        found = DTYPES.get(word, word)
        if data.kind != "bytes" or (found in WIDTHS and prod(shape) * WIDTHS[found] != data.length):
            raise BrokenError(f"has an array {name[:80]!r} whose bytes do not fit its shape", "lies")
        return Tensor(name, found, tuple(shape), data.length, data.at)


@told
def read(file: File) -> Header:
    """The arrays by their path in the maps."""
    reader = _Reader(file)
    end = reader.walk(0, "", 0)
    if not reader.tensors:
        raise BrokenError("has no arrays", "unknown")
    notes = [CUT] if reader.chunked else []
    if reader.beside:
        notes.append(f"{reader.beside:,} numbers and texts lie beside the arrays")
    if end < file.size:
        notes.append(f"{file.size - end:,} bytes lie behind its end")
    return Header(
        TITLE,
        tensors=tuple(reader.tensors),
        framework="Flax",
        loads=("flax.serialization.msgpack_restore(bytes)",),
        notes=tuple(notes),
    )
