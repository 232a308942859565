"""Floats rounded to 16 bits, to the nearest and to even in the middle, and the proof of it; both are done in C."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from modelyard.convert import _rounding
from modelyard.formats.dtypes import WIDTHS

Bytes = bytes | memoryview
PART = 128 << 10
"""Bytes that are worked on at once: memory for more is asked of the system each time."""


class Compared(Struct, frozen=True):
    """What a comparison of numbers found: how far apart two are at most, how many became infinite, which is wrong."""

    largest: float
    overflowed: int
    wrong: int


def rounded(data: Bytes, dtype: str, target: str) -> bytes:
    """Elements of one dtype, row after row, as the nearest ones of another. Not-a-number stays what it is."""
    return _rounding.rounded(data, dtype, target)


def compared(data: Bytes, dtype: str, result: Bytes, target: str) -> Compared:
    """Whether every element of a result lies within half a unit in its last place of what it was made from."""
    return Compared(*_rounding.compared(data, dtype, result, target))


def parts(at: int, data: Bytes) -> Iterator[tuple[int, Bytes]]:
    """A stretch in parts that are small enough for all that is computed from them; `at`: the place of the first."""
    for start in range(0, len(data), PART):
        yield at + start, data[start : start + PART]


def stretch(dtype: str, target: str, at: int) -> int:
    """Where the element at a byte of the one is in the other."""
    return at // WIDTHS[dtype] * WIDTHS[target]
