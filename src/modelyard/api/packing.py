"""Bytes on their way to an archive and back: packed where it pays, and digested as they are and as they are kept."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterable, Iterator
from typing import Literal

from msgspec import Struct

from modelyard.walk.blocks import blocks
from modelyard.walk.hash import Seen

Packing = Literal["", "zstd"]
LEVEL = 3
SAMPLES, SAMPLE = 4, 256 << 10
PAYS = 0.95
"""What has to remain of a sample at most: random weights do not get smaller, and take their time all the same."""
LEAST = 4096
PIECE = 1 << 20
NO_ZSTD = "zstandard is not installed, so nothing is packed: `modelyard[zstd]` brings it"


def can_pack() -> bool:
    """Whether zstandard is there."""
    try:
        import zstandard
    except ImportError:
        return False
    return bool(zstandard.ZSTD_VERSION)


def packing(descriptor: int, size: int) -> Packing:
    """How to keep an open file: packed where samples of it, from its beginning to its end, get smaller by that."""
    if size < LEAST or not can_pack():
        return ""
    import zstandard

    engine, before, after = zstandard.ZstdCompressor(level=LEVEL), 0, 0
    for number in range(SAMPLES):
        start = (size - min(SAMPLE, size)) * number // max(SAMPLES - 1, 1)
        piece = os.pread(descriptor, SAMPLE, start)
        before, after = before + len(piece), after + len(engine.compress(piece))
    return "zstd" if after < PAYS * before else ""


class Sent(Struct):
    """What went away: digests and bytes of the file and of what is kept of it."""

    sha256: str = ""
    stored: int = 0
    stored_sha256: str = ""
    read: int = 0


def outgoing(descriptor: int, packed: Packing, sent: Sent) -> Iterator[bytes]:
    """The bytes that are kept of an open file; `sent` is filled when the last one was taken.

    OSError as reading raises it; ESTALE where the file is written to meanwhile.
    """
    before = Seen.of(os.fstat(descriptor))
    plain, kept = hashlib.sha256(), hashlib.sha256()
    engine = None
    if packed:
        import zstandard

        engine = zstandard.ZstdCompressor(level=LEVEL, write_checksum=True).compressobj(size=before.size)
    for block in blocks(descriptor):
        plain.update(block)
        sent.read += len(block)
        piece = engine.compress(block) if engine else bytes(block)
        if piece:
            kept.update(piece)
            sent.stored += len(piece)
            yield piece
    if engine and (piece := engine.flush()):
        kept.update(piece)
        sent.stored += len(piece)
        yield piece
    if sent.read != before.size or Seen.of(os.fstat(descriptor)) != before:
        raise OSError(errno.ESTALE, "it was written to while it was read")
    sent.sha256, sent.stored_sha256 = plain.hexdigest(), kept.hexdigest()


def incoming(kept: Iterable[bytes], packed: Packing, stored_sha256: str, sha256: str, size: int) -> Iterator[bytes]:
    """The bytes of a file from what is kept of it. OSError at the end where anything differs from what it should be,

    or as soon as there is more than there should be.
    """
    outside, inside, count = hashlib.sha256(), hashlib.sha256(), 0
    engine = None
    if packed:
        import zstandard

        engine = zstandard.ZstdDecompressor().decompressobj()
    for piece in kept:
        outside.update(piece)
        for out in _unpacked(engine, piece):
            count += len(out)
            if count > size:
                raise damaged()
            inside.update(out)
            yield out
    if (outside.hexdigest(), inside.hexdigest(), count) != (stored_sha256, sha256, size):
        raise damaged()


def damaged() -> OSError:
    """An archive that does not give back what it was given."""
    return OSError(errno.EIO, "the archive does not give back what was put there")


def _unpacked(engine: object, piece: bytes) -> Iterator[bytes]:
    if engine is None:
        yield piece
        return
    import zstandard

    try:
        for start in range(0, len(piece), PIECE):
            yield engine.decompress(piece[start : start + PIECE])  # type: ignore[attr-defined]
    except zstandard.ZstdError as error:
        raise damaged() from error
