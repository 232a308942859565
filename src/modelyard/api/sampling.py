"""Samples of a large file that tell it from others of its size: its header, where its tensors begin, and its end.

Two fine-tunes of one model share size and their first megabytes; they differ where their tensors do. Equal samples
prove nothing: they only say that reading the whole files is worth while.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress

from blake3 import blake3

from modelyard.formats.file import Meter
from modelyard.formats.header import Header
from modelyard.walk.read import opened

END = 4096
SPOT = 512
MOST_SPOTS = 256
SPREAD = 16
"""Places in a file without tensors of its own."""


Sample = tuple[bytes, int]
"""A digest of a few bytes of a file, and how many were read for it."""


def ends(path: bytes, size: int) -> Sample:
    """Of the beginning and the end. OSError as reading raises it."""
    return _sample(path, [(0, END), (max(size - END, 0), END)])


def spots(path: bytes, size: int) -> Sample:
    """Of where each tensor begins, at most 256 places, or of places spread over a file that has no tensors."""
    from modelyard.formats.known import read_header  # late: it knows every format

    meter = Meter()
    header = read_header(os.fsdecode(path), meter)
    starts = sorted(_starts(header, size)) if isinstance(header, Header) else []
    if len(starts) > MOST_SPOTS:
        starts = [starts[at * len(starts) // MOST_SPOTS] for at in range(MOST_SPOTS)]
    spread = [size * part // SPREAD for part in range(SPREAD)]
    digest, read = _sample(path, [(start, SPOT) for start in starts or spread])
    return digest, read + meter.read


def _starts(header: Header, size: int) -> Iterator[int]:
    for each in header.tensors:
        if each.offset is not None and not each.file and 0 <= each.offset < size:
            yield each.offset


def _sample(path: bytes, places: list[tuple[int, int]]) -> Sample:
    found, read = blake3(), 0
    with opened(path) as descriptor:
        if hasattr(os, "posix_fadvise"):  # a disk that reads eight megabytes ahead would read half of the file
            with suppress(OSError):
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_RANDOM)
                for start, length in places:  # all are asked for before the first is waited for
                    os.posix_fadvise(descriptor, start, length, os.POSIX_FADV_WILLNEED)
        for start, length in places:
            data = os.pread(descriptor, length, start)
            found.update(b"%d " % start + data)
            read += len(data)
    return found.digest(), read
