"""Tables of flatbuffers, read in place: github.com/google/flatbuffers, `docs/source/internals.md`."""

from __future__ import annotations

import struct

from modelyard.formats.file import BrokenError, File

MOST = 65_536
"""Items of one vector."""
MOST_STEPS = 400_000


class Table:
    """One table: fields by their number in the schema. All tables of a file share one count of steps."""

    def __init__(self, file: File, at: int, left: list[int] | None = None) -> None:
        self.file, self.start = file, at
        self.left = left if left is not None else [MOST_STEPS]
        vtable = at - self._read("<i", at)
        size = self._read("<H", vtable)
        if size < 4 or size > 1024 or size % 2:
            raise BrokenError("has a table whose fields are nowhere")
        self.fields = struct.unpack(f"<{size // 2 - 2}H", file.at(vtable + 4, size - 4))

    def _read(self, code: str, at: int) -> int:
        self.left[0] -= 1
        if self.left[0] < 0:
            raise BrokenError(f"refers to more than {MOST_STEPS:,} places", "too-large")
        (found,) = struct.unpack(code, self.file.at(at, struct.calcsize(code)))
        return int(found)

    def number(self, field: int, code: str = "<i", default: int = 0) -> int:
        """A number of a field."""
        place = self.fields[field] if field < len(self.fields) else 0
        return self._read(code, self.start + place) if place else default

    def _target(self, field: int) -> int | None:
        place = self.fields[field] if field < len(self.fields) else 0
        if not place:
            return None
        at = self.start + place
        return at + self._read("<I", at)

    def vector(self, field: int) -> tuple[int, int]:
        """Where the items of a field begin and how many there are; none without it."""
        at = self._target(field)
        return (0, 0) if at is None else (at + 4, self._read("<I", at))

    def text(self, field: int, most: int = 400) -> str:
        """The text of a field."""
        at, length = self.vector(field)
        return self.file.at(at, min(length, most)).decode("utf-8", "replace") if length else ""

    def numbers(self, field: int, code: str = "i") -> tuple[int, ...]:
        """The whole numbers of a field."""
        at, length = self.vector(field)
        if length > MOST:
            raise BrokenError(f"has a list of {length:,} numbers", "too-large")
        return struct.unpack(f"<{length}{code}", self.file.at(at, length * struct.calcsize(code)))

    def table(self, field: int) -> Table | None:
        """The table that a field refers to."""
        at = self._target(field)
        return None if at is None else Table(self.file, at, self.left)

    def tables(self, field: int) -> list[Table]:
        """The tables that a field lists."""
        at, length = self.vector(field)
        if length > MOST:
            raise BrokenError(f"has a list of {length:,} tables", "too-large")
        places = struct.unpack(f"<{length}I", self.file.at(at, 4 * length))
        return [Table(self.file, at + 4 * number + place, self.left) for number, place in enumerate(places)]


def root(file: File) -> Table:
    """The first table of a file."""
    (at,) = struct.unpack("<I", file.at(0, 4))
    return Table(file, at)
