"""Writes the sample's files: full size on paper, one part in 1024 of it on disk, with times of the past."""

from __future__ import annotations

import hashlib
import json
import os
import random
import struct
from pathlib import Path

REAL_SHARE = 1024
TODAY = 1_793_491_200 * 1_000_000_000  # 2026-11-01, fixed: the same seed gives the same times
DAY = 86_400 * 1_000_000_000
GIB = 1 << 30
MIB = 1 << 20


def safetensors_head(size: int) -> bytes:
    """A header that accounts for a file of `size` bytes as one BF16 tensor."""
    room = 128
    body = size - room
    header = json.dumps({"weight": {"dtype": "BF16", "shape": [body // 2], "data_offsets": [0, body // 2 * 2]}})
    return struct.pack("<Q", room - 8) + header.encode().ljust(room - 8)


GGUF_HEAD = b"GGUF" + struct.pack("<IQQ", 3, 0, 0)


class Writer:
    """Writes below one folder and keeps the random numbers in order."""

    def __init__(self, home: Path, seed: int, scale: float) -> None:
        self.home, self.scale = home, scale
        self.rng = random.Random(seed)  # noqa: S311 - a sample, no secret

    def count(self, full: int) -> int:
        """How many of something there are at this scale; at least one."""
        return max(1, round(full * self.scale))

    def age(self, low: int, high: int) -> int:
        """A time between `low` and `high` days before the sample's today, nanoseconds."""
        return TODAY - self.rng.randint(low * 86_400, high * 86_400) * (DAY // 86_400)

    def hex(self, digits: int) -> str:
        """Random hexadecimal digits."""
        return f"{self.rng.getrandbits(4 * digits):0{digits}x}"

    def file(self, path: Path, size: int, written: int, read: int | None = None, head: bytes = b"") -> Path:
        """A sparse file of `size` bytes of which one in 1024 is on disk."""
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        try:
            if size // REAL_SHARE > len(head):
                _take_room(descriptor, size // REAL_SHARE)
            os.pwrite(descriptor, head, 0)
            os.ftruncate(descriptor, size)
        finally:
            os.close(descriptor)
        os.utime(path, ns=(max(written, read or 0), written))
        return path

    def text(self, path: Path, content: str, written: int) -> Path:
        """A small file with this content."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        os.utime(path, ns=(written, written))
        return path

    def link(self, path: Path, target: str, written: int) -> None:
        """A symbolic link."""
        path.symlink_to(target)
        os.utime(path, ns=(written, written), follow_symlinks=False)

    def weights(self, path: Path, size: int, written: int, read: int | None = None) -> Path:
        """A safetensors file of `size` bytes."""
        return self.file(path, size, written, read, safetensors_head(size))

    def digest(self, name: str) -> str:
        """A stand-in for a SHA-256 that is the same for the same name."""
        return hashlib.sha256(name.encode()).hexdigest()


def _take_room(descriptor: int, size: int) -> None:
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, 0, size)
    else:
        os.pwrite(descriptor, bytes(size), 0)
