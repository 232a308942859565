"""Floats rounded to 16 bits, to the nearest and to even in the middle, and the proof of it. Needs numpy.

bfloat16 is the upper half of a float of 32 bits. From 64 bits the way leads over 32 with the last bit set where
anything was lost (rounding to odd), so that nothing is rounded twice: Boldo and Melquiond, "Emulation of FMA and
correctly rounded sums", IEEE Transactions on Computers 57(4), 2008.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from msgspec import Struct

from modelyard.formats.dtypes import WIDTHS

Bytes = bytes | memoryview
Numbers = np.ndarray[tuple[int, ...], np.dtype[np.float64]]
Singles = np.ndarray[tuple[int, ...], np.dtype[np.float32]]
CODES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2"}
PART = 1 << 20
"""Bytes that are worked on at once."""
DIGITS = {"F16": (10, -14, 15), "BF16": (7, -126, 127)}
"""Bits of the fraction, the least and the greatest exponent of a number that is not denormal."""


class Compared(Struct, frozen=True):
    """What a comparison of numbers found: how far apart two are at most, how many became infinite, which is wrong."""

    largest: float
    overflowed: int
    wrong: int


def rounded(data: Bytes, dtype: str, target: str) -> bytes:
    """Elements of one dtype, row after row, as the nearest ones of another. Not-a-number stays what it is."""
    with np.errstate(all="ignore"):
        if target == "F16":
            wide = _singles(data) if dtype == "BF16" else np.frombuffer(data, CODES[dtype])
            return wide.astype("<f2").tobytes()
        if dtype == "F64":
            return _upper(_to_odd(np.frombuffer(data, "<f8")))
        return _upper(np.frombuffer(data, CODES[dtype]).astype("<f4", copy=False))


def compared(data: Bytes, dtype: str, result: Bytes, target: str) -> Compared:
    """Whether every element of a result lies within half a unit in its last place of what it was made from.

    By arithmetic in 64 bits, which holds both and their difference exactly enough; it shares nothing with `rounded`.
    """
    fraction, least, greatest = DIGITS[target]
    with np.errstate(all="ignore"):
        before, after = _doubles(data, dtype), _doubles(result, target)
        limit = np.ldexp(2.0 - 2.0 ** -(fraction + 1), greatest)
        exponent = np.maximum(np.frexp(after)[1] - 1, least)
        apart = np.abs(before - after)
        near = apart <= np.ldexp(0.5, exponent - fraction)
        beyond = np.isinf(after) & (np.abs(before) >= limit)
        fits = (near & np.isfinite(after)) | beyond
        fits &= np.signbit(before) == np.signbit(after)
        fits |= np.isnan(before) & np.isnan(after)
        finite = apart[np.isfinite(apart)]
    overflowed = int(np.count_nonzero(beyond & np.isfinite(before)))
    return Compared(float(finite.max(initial=0.0)), overflowed, int(np.count_nonzero(~fits)))


def _doubles(data: Bytes, dtype: str) -> Numbers:
    return (_singles(data) if dtype == "BF16" else np.frombuffer(data, CODES[dtype])).astype("<f8")


def _singles(data: Bytes) -> Singles:
    """bfloat16 as floats of 32 bits."""
    return (np.frombuffer(data, "<u2").astype("<u4") << 16).view("<f4")


def _upper(wide: Singles) -> bytes:
    """The upper half of floats of 32 bits, rounded; a not-a-number keeps its sign and does not become infinite."""
    bits = wide.view("<u4")
    half = bits >> 16
    result = (bits + np.uint32(0x7FFF) + (half & 1)) >> 16
    return np.where(np.isnan(wide), half | 0x40, result).astype("<u2").tobytes()


def _to_odd(wide: Numbers) -> Singles:
    """Floats of 32 bits, cut off, with the last bit set where that lost anything."""
    near = wide.astype("<f4")
    bits = near.view("<u4").copy()
    back = near.astype("<f8")
    bits[np.abs(back) > np.abs(wide)] -= 1
    bits[(bits.view("<f4").astype("<f8") != wide) & ~np.isnan(wide)] |= 1
    return bits.view("<f4")


def parts(at: int, data: Bytes) -> Iterator[tuple[int, Bytes]]:
    """A stretch in parts that are small enough for all that is computed from them; `at`: the place of the first."""
    for start in range(0, len(data), PART):
        yield at + start, data[start : start + PART]


def stretch(dtype: str, target: str, at: int) -> int:
    """Where the element at a byte of the one is in the other."""
    return at // WIDTHS[dtype] * WIDTHS[target]
