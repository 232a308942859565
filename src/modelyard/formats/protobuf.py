"""Messages of protobuf, field by field: numbers, and stretches of bytes that are not read until somebody asks.

Layout: protobuf.dev/programming-guides/encoding.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from msgspec import Struct

from modelyard.formats.file import BrokenError, File

VARINT, FIXED64, LENGTH, START, END, FIXED32 = 0, 1, 2, 3, 4, 5
MOST_FIELDS = 300_000
DEEPEST = 100
"""Groups in each other that protobuf takes."""


class Field(Struct, frozen=True):
    """One field: its number, and either a number or where its bytes begin and how many they are."""

    number: int
    value: int
    offset: int
    length: int
    kind: int


class Message:
    """A stretch of a file that holds one message. All messages of a file share one count of fields."""

    def __init__(self, file: File, start: int, stop: int, left: list[int] | None = None) -> None:
        self.file, self.start, self.stop = file, start, stop
        self.left = left if left is not None else [MOST_FIELDS]

    def fields(self) -> Iterator[Field]:
        """Every field in order, but for those in groups, which nobody writes any more. BrokenError for no message."""
        at, groups = self.start, list[int]()
        while at < self.stop:
            self.left[0] -= 1
            if self.left[0] < 0:
                raise BrokenError(f"has more than {MOST_FIELDS:,} fields", "too-large")
            key, at = self._varint(at)
            number, kind = key >> 3, key & 7
            if not number:
                raise BrokenError("has a field without a number")
            if kind in (START, END):
                self._step_group(groups, number, kind)
                continue
            found, at = self._field(number, kind, at)
            if not groups:
                yield found
        if groups:
            raise BrokenError("ends within a group", "truncated")

    def _step_group(self, groups: list[int], number: int, kind: int) -> None:
        if kind == START and len(groups) < DEEPEST:
            groups.append(number)
        elif kind == START or not groups or groups.pop() != number:
            raise BrokenError("has a group that does not end as it began")

    def _field(self, number: int, kind: int, at: int) -> tuple[Field, int]:
        """A field behind its key, and where the next one begins."""
        if kind == VARINT:
            value, at = self._varint(at)
            return Field(number, value, at, 0, kind), at
        if kind == LENGTH:
            length, at = self._varint(at)
            if length > self.stop - at:
                raise BrokenError("ends within a field", "truncated")
            return Field(number, 0, at, length, kind), at + length
        if kind not in (FIXED32, FIXED64):
            raise BrokenError(f"has a field of type {kind}, which is not in use")
        width = 4 if kind == FIXED32 else 8
        return Field(number, int.from_bytes(self._take(at, width), "little"), at, width, kind), at + width

    def _take(self, at: int, count: int) -> bytes:
        if at + count > self.stop:
            raise BrokenError("ends within a field", "truncated")
        return self.file.at(at, count)

    def _varint(self, at: int) -> tuple[int, int]:
        data = self.file.at(at, min(10, self.stop - at))
        if data and data[0] < 0x80:
            return data[0], at + 1
        value = 0
        for place, byte in enumerate(data):
            value |= (byte & 0x7F) << 7 * place
            if byte < 0x80:
                return value & 0xFFFFFFFFFFFFFFFF, at + place + 1
        raise BrokenError("has a number without an end")

    def inner(self, field: Field) -> Message:
        """The message in a field. BrokenError where the field is a number."""
        if field.kind != LENGTH:
            raise BrokenError(f"has a number in field {field.number}, where a message should be")
        return Message(self.file, field.offset, field.offset + field.length, self.left)

    def text(self, field: Field, most: int = 1024) -> str:
        """The text of a field, its beginning when it is long."""
        return self.raw(field, most).decode("utf-8", "replace")

    def raw(self, field: Field, most: int) -> bytes:
        """The first bytes of a field."""
        if field.kind != LENGTH:
            raise BrokenError(f"has a number in field {field.number}, where bytes should be")
        return self.file.at(field.offset, min(field.length, most))

    def numbers(self, field: Field, most: int = 4096) -> list[int]:
        """Whole numbers that stand one by one or packed into one field."""
        if field.kind == VARINT:
            return [field.value]
        found: list[int] = []
        at = field.offset
        while at < field.offset + field.length and len(found) < most:
            value, at = self._varint(at)
            found.append(value)
        return found


def signed(value: int) -> int:
    """A number of 64 bits as protobuf writes negative ones."""
    return value - (1 << 64) if value >> 63 else value


def real(value: int) -> float:
    """The number that 32 bits stand for."""
    return float(struct.unpack("<f", struct.pack("<I", value & 0xFFFFFFFF))[0])
