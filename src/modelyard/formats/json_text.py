"""JSON of strangers, decoded within bounds: so many bytes and so many values and no more."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from modelyard.formats.file import BrokenError

T = TypeVar("T")
MOST_BYTES = 12 << 20
MOST_VALUES = 250_000
"""Commas and brackets: about as many values, which take up to 150 bytes each."""


def decode(data: bytes, kind: type[T], most: int = MOST_VALUES) -> T:
    """A document of this type. BrokenError when it is another, no JSON at all, or larger than is read.

    `most` values; a type that leaves most of them undecoded may allow more.
    """
    if len(data) > MOST_BYTES or sum(data.count(sign) for sign in (b",", b"[", b"{")) > most:
        raise BrokenError(f"holds JSON of {len(data):,} bytes with more values than are read", "too-large")
    try:
        return msgspec.json.decode(data, type=kind)
    except RecursionError as error:
        raise BrokenError("holds JSON that is nested too deep") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BrokenError(f"holds JSON that is not what it should be: {str(error)[:200]}") from error
